// execve: a new program in the place of the old one (man 2 execve).
#include "lxcore/task/exec.h"

#include <algorithm>

#include "base/text.h"
#include "lxcore/kernel.h"
#include "lxcore/task/lifecycle.h"
#include "lxcore/time/posix_timers.h"

namespace lxss::lifecycle {

namespace {

using exec::Image;

/// Ends the process's other threads and takes the leader's id. EINTR if the task is to end itself.
Result<> become_only_thread(Task& task) {
  KernelLock::Held held;
  Process& process = *task.process;
  // Of two threads that execute, the first ends the other.
  if (signals::killed(task)) return Errno::kEINTR;
  for (Task& thread : process.threads) {
    if (&thread != &task) signals::end_task(thread);
  }
  while (process.thread_count > 1) {
    process.child_events.add(task.wait_entry);
    auto slept = sleep_killable(task);
    task.wait_entry.unlink();
    if (!slept) return Errno::kEINTR;
  }
  if (process.leader != &task) {
    RefPtr<Task> pinned(&task);
    forget_task(task);
    task.tid = process.pid;
    kernel().ids.take(task.tid);
    kernel().users.add_task(task.credentials->uid);
    kernel().tasks[task.tid] = pinned;
    process.leader = &task;
  }
  for (Process& child : process.children) child.parent_thread = task.tid;
  return {};
}

/// Leaves memory that other processes use (vfork) for a copy in a host process of its own.
Result<> own_memory(Task& task, const ArgumentStack& stack) {
  RefPtr<AddressSpace> old = task.memory;
  Process& process = *task.process;
  const i32 old_host_process = process.host_process;
  const bool is_shared = old->task_count > 1;
  leave_user_memory(task, is_shared);
  if (!is_shared) return {};
  // The end of the host process that is left is not the process's end.
  process.host_process = 0;
  RefPtr<AddressSpace> fresh = make_ref<AddressSpace>();
  {
    MutexHeld memory_held(old->mutex);
    fresh->copy_areas(*old);
  }
  auto left = pico::leave_shared_memory(fresh->host_space, stack.address(), stack.size());
  KernelLock::Held held;
  if (!left) {
    process.host_process = old_host_process;
    return left;
  }
  --old->task_count;
  fresh->task_count = 1;
  task.memory = fresh;
  process.host_process = task.host_process;
  kernel().host_processes[task.host_process] = {&process, fresh};
  return {};
}

/// What of a task does not outlive its program.
void reset_task(Task& task, std::string_view path) {
  Process& process = *task.process;
  task.alternate_stack = {0, i32(abi::kSS_DISABLE), 0, 0};
  task.clear_child_tid = UserAddr{};
  task.restart = {};
  // A table of its own stays: record locks belong to it.
  if (task.files->is_shared()) unshare_files(task);
  task.files->close_for_exec(process);
  RefPtr<SignalActions> actions = make_ref<SignalActions>();
  KernelLock::Held held;
  task.robust_list = UserAddr{};
  if (task.actions->is_shared()) {
    actions->copy_from(*task.actions);
    task.actions->leave();
    std::swap(task.actions, actions);
  }
  task.actions->reset_for_exec();
  timers_on_exec(process);
  std::string_view name = path.substr(path.rfind('/') + 1);
  task.comm = {};
  std::copy_n(name.data(), std::min(name.size(), task.comm.size() - 1), task.comm.data());
  process.has_executed = true;
  process.set_exit_signal(abi::kSIGCHLD);
  if (process.shares_parent_memory) {
    process.shares_parent_memory = false;
    process.exec_done.wake();
  }
}

/// From here on there is no way back: a failure ends the process.
void replace_program(Task& task, Image& image) {
  const bool secure = exec::change_credentials(task, image.identity);
  {
    KernelLock::Held held;
    task.process->dumpable = !secure;
    if (secure) task.process->parent_death_signal = 0;
  }
  task.memory->set_executable(image.executable);
  task.memory->clear();
  auto entered = exec::enter_image(task, image, secure);
  reset_task(task, image.path);
  if (entered.ok()) return;
  KernelLock::Held held;
  signals::end_process(*task.process, abi::wait_status_signaled(abi::kSIGKILL, false));
}

Result<> execute_image(Task& task, Fd directory, std::string_view path, vfs::WalkFlags walk,
                       Image& image) {
  TRY(exec::find_program(task, directory, path, walk, image));
  TRY(become_only_thread(task));
  TRY(own_memory(task, image.stack));
  replace_program(task, image);
  pico::set_host_name(task.comm.data());
  return {};
}

/// man 2 execveat: what is found through a descriptor is named by it.
std::string name_from(Fd directory, std::string_view path) {
  if (directory.value == abi::kAT_FDCWD || path.starts_with('/')) return std::string(path);
  TextBuilder name;
  name << "/dev/fd/" << directory.value;
  if (!path.empty()) name << '/' << path;
  return std::string(name.view());
}

}  // namespace

Result<> execute(Task& task, Fd directory, std::string_view path, vfs::WalkFlags walk,
                 UserAddr arguments, UserAddr environment) {
  Image image;
  image.path = name_from(directory, path);
  TRY(image.stack.create(task.limit(abi::kRLIMIT_STACK)));
  TRY(image.stack.push(image.path));
  image.envc = TRY(image.stack.push_vector(environment));
  image.argc = TRY(image.stack.push_vector(arguments));
  if (image.argc == 0) {
    // Linux: a program always gets an argv[0].
    TRY(image.stack.push(""));
    image.argc = 1;
  }
  return execute_image(task, directory, path, walk, image);
}

Result<> execute(Task& task, std::string_view path, const std::vector<std::string>& arguments,
                 const std::vector<std::string>& environment) {
  Image image;
  image.path = std::string(path);
  TRY(image.stack.create(task.limit(abi::kRLIMIT_STACK)));
  TRY(image.stack.push(path));
  for (usize i = environment.size(); i-- > 0;) TRY(image.stack.push(environment[i]));
  for (usize i = arguments.size(); i-- > 0;) TRY(image.stack.push(arguments[i]));
  image.argc = arguments.size();
  image.envc = environment.size();
  return execute_image(task, Fd{abi::kAT_FDCWD}, path, vfs::Walk::kFollow, image);
}

}  // namespace lxss::lifecycle
