// New tasks: fork, vfork, clone.
#include "base/scope.h"
#include "lxcore/ipc/pidfd.h"
#include "lxcore/kernel.h"
#include "lxcore/mm/heap.h"
#include "lxcore/task/lifecycle.h"
#include "lxcore/time/posix_timers.h"

namespace lxss::lifecycle {

using abi::CloneFlag;
using abi::CloneFlags;

namespace {

constexpr CloneFlags kNamespaces = CloneFlag::kCLONE_NEWNS | CloneFlag::kCLONE_NEWCGROUP |
                                   CloneFlag::kCLONE_NEWUTS | CloneFlag::kCLONE_NEWIPC |
                                   CloneFlag::kCLONE_NEWUSER | CloneFlag::kCLONE_NEWPID |
                                   CloneFlag::kCLONE_NEWNET | CloneFlag::kCLONE_NEWTIME;

Result<> check_flags(CloneFlags flags) {
  if (flags.has(CloneFlag::kCLONE_SIGHAND) && !flags.has(CloneFlag::kCLONE_VM)) {
    return Errno::kEINVAL;
  }
  if (flags.has(CloneFlag::kCLONE_THREAD) && !flags.has(CloneFlag::kCLONE_SIGHAND)) {
    return Errno::kEINVAL;
  }
  if (flags.has(CloneFlag::kCLONE_SIGHAND) && flags.has(CloneFlag::kCLONE_CLEAR_SIGHAND)) {
    return Errno::kEINVAL;
  }
  if (flags.any(kNamespaces)) return Errno::kEINVAL;
  if (flags.has(CloneFlag::kCLONE_PIDFD) &&
      flags.any(CloneFlag::kCLONE_DETACHED | CloneFlag::kCLONE_THREAD)) {
    return Errno::kEINVAL;
  }
  return {};
}

bool id_in_use(Pid id) {
  return kernel().tasks.contains(id) || kernel().processes.contains(id) ||
         kernel().groups.contains(id);
}

Result<Pid> allocate_id() {
  Kernel& k = kernel();
  if (k.tasks.size() >= Kernel::kMaxTasks || !heap::has_room()) return Errno::kEAGAIN;
  constexpr i32 kFirstAfterWrap = 300;
  do {
    k.last_pid.value =
        k.last_pid.value + 1 < Kernel::kMaxPid ? k.last_pid.value + 1 : kFirstAfterWrap;
  } while (id_in_use(k.last_pid));
  return k.last_pid;
}

Result<> check_process_limit(const Task& task) {
  const Credentials& who = *task.credentials;
  u64 limit = task.limit(abi::kRLIMIT_NPROC);
  if (who.uid == 0 || who.has_capability(abi::kCAP_SYS_RESOURCE) ||
      who.has_capability(abi::kCAP_SYS_ADMIN) || kernel().tasks.size() < limit) {
    return {};
  }
  u64 count = 0;
  for (auto& [id, other] : kernel().tasks) count += other->credentials->uid == who.uid;
  return count < limit ? Result<>() : Result<>(Errno::kEAGAIN);
}

RefPtr<Task> copy_task(Task& parent, const CloneRequest& request, Pid tid) {
  const CloneFlags flags = request.flags;
  auto child = make_ref<Task>();
  child->tid = tid;
  child->wait_entry.attach(*child);
  kernel().epoch.add(child->epoch);
  const bool shares_files = flags.has(CloneFlag::kCLONE_FILES);
  if (shares_files) parent.files->share();
  child->files = shares_files ? parent.files : parent.files->duplicate();
  child->fs = flags.has(CloneFlag::kCLONE_FS) ? parent.fs : parent.fs->duplicate();
  child->actions =
      flags.has(CloneFlag::kCLONE_SIGHAND) ? parent.actions : parent.actions->duplicate();
  if (flags.has(CloneFlag::kCLONE_CLEAR_SIGHAND)) child->actions->reset_for_exec();
  child->credentials = parent.credentials;
  child->comm = parent.comm;
  child->nice = parent.nice;
  child->io_priority = parent.io_priority;
  child->scheduling_policy = parent.scheduling_policy;
  child->blocked = parent.blocked;
  // A thread starts without an alternate stack; a process, vfork's child included, keeps it.
  if (!flags.has(CloneFlag::kCLONE_VM) || flags.has(CloneFlag::kCLONE_VFORK)) {
    child->alternate_stack = parent.alternate_stack;
  }
  if (flags.has(CloneFlag::kCLONE_CHILD_CLEARTID)) child->clear_child_tid = request.child_tid;
  if (flags.has(CloneFlag::kCLONE_CHILD_SETTID)) child->set_child_tid = request.child_tid;
  child->start_time_ns = host::boottime_ns();
  return child;
}

RefPtr<Process> copy_process(Task& parent, const CloneRequest& request, Task& leader) {
  Process& from = *parent.process;
  auto process = make_ref<Process>();
  process->pid = leader.tid;
  process->parent = request.flags.has(CloneFlag::kCLONE_PARENT) ? from.parent : parent.process;
  process->parent_thread =
      request.flags.has(CloneFlag::kCLONE_PARENT) ? from.parent_thread : parent.tid;
  process->group = from.group;
  process->exit_signal = request.exit_signal;
  process->limits = from.limits;
  process->start_time_ns = leader.start_time_ns;
  process->dumpable = from.dumpable;
  process->oom_score_adjustment = from.oom_score_adjustment;
  process->personality = from.personality;
  process->trace_fd = from.trace_fd;
  process->timer_slack_ns = from.timer_slack_ns;
  return process;
}

void add_to_tables(Task& task, Process& process, bool new_process) {
  Kernel& k = kernel();
  task.process = &process;
  ++task.memory->task_count;
  process.threads.push_back(task);
  ++process.thread_count;
  k.tasks[task.tid] = &task;
  if (!new_process) return;
  process.leader = &task;
  k.processes[process.pid] = &process;
  process.parent->children.push_back(process);
  process.group->members.push_back(process);
  ++k.forks;
  arm_cpu_limit(process);
}

/// A vfork parent waits until its child has a memory of its own, or is gone.
void wait_for_vfork(Task& task, Process& child) {
  while (child.shares_parent_memory) {
    child.exec_done.add(task.wait_entry);
    auto slept = sleep_killable(task);
    task.wait_entry.unlink();
    if (!slept) return;
  }
}

}  // namespace

/// The child's first steps, on its own host thread and in its own memory.
void start_child() {
  Task& task = Task::current();
  {
    KernelLock::Held held;
    Process& process = *task.process;
    if (process.leader == &task) {
      process.host_process = task.host_process;
      kernel().host_processes[task.host_process] = {task.process, task.memory};
    }
  }
  if (task.set_child_tid) {
    i32 tid = task.tid.value;
    (void)copy_out(task.set_child_tid, &tid, sizeof tid);
  }
  pico::set_host_name(task.comm.data());
}

Result<Pid> clone(Task& task, const CloneRequest& request) {
  const CloneFlags flags = request.flags;
  TRY(check_flags(flags));
  const bool is_thread = flags.has(CloneFlag::kCLONE_THREAD);
  const bool shares_memory = flags.has(CloneFlag::kCLONE_VM);

  RefPtr<Task> child;
  RefPtr<Process> process;
  // A copy of memory and its description must be of the same moment.
  Mutex& memory_mutex = task.memory->mutex;
  if (!shares_memory) memory_mutex.lock();
  ScopeExit unlock_memory([&] {
    if (!shares_memory) memory_mutex.unlock();
  });
  {
    KernelLock::Held held;
    TRY(check_process_limit(task));
    Pid tid = TRY(allocate_id());
    child = copy_task(task, request, tid);
    process = is_thread ? task.process : copy_process(task, request, *child);
    if (!is_thread) process->shares_parent_memory = flags.has(CloneFlag::kCLONE_VFORK);
    child->memory = shares_memory ? task.memory : make_ref<AddressSpace>();
    if (!shares_memory) child->memory->copy_areas(*task.memory);
    if (flags.has(CloneFlag::kCLONE_PARENT_SETTID)) {
      TRY(UserOut<i32>{request.parent_tid}.write(tid.value));
    }
    if (flags.has(CloneFlag::kCLONE_PIDFD)) {
      RefPtr<File> file = make_pidfd(*process);
      Fd fd = TRY(task.files->install(file, true, task.limit(abi::kRLIMIT_NOFILE)));
      TRY(UserOut<i32>{request.pidfd}.write(fd.value));
    }
    add_to_tables(*child, *process, !is_thread);
    child->ref();  // of the stack slot that it occupies
  }

  Result<> started;
  if (shares_memory) {
    pico::SpawnOptions options;
    options.same_process = is_thread;
    options.stack_pointer = request.stack;
    options.set_tls = flags.has(CloneFlag::kCLONE_SETTLS);
    options.tls = request.tls;
    started = pico::spawn(*child, options);
  } else {
    auto forked = pico::fork(*child, child->memory->host_space);
    if (!forked) {
      started = forked.error();
    } else if (!forked.value()) {
      // The child. The references and the mutex in this copied stack frame are the parent's.
      (void)child.leak();
      (void)process.leak();
      unlock_memory.dismiss();
      if (request.stack) pico::context().registers().rsp = request.stack;
      if (flags.has(CloneFlag::kCLONE_SETTLS)) pico::set_fs_base(request.tls);
      start_child();
      return Pid{0};
    }
  }
  // Order: the memory's mutex is not held while waiting, and never taken under the lock.
  if (!shares_memory) memory_mutex.unlock();
  unlock_memory.dismiss();
  KernelLock::Held held;
  if (!started) {
    discard(*child);
    child->unref();
    return started.error();
  }
  if (child->replaced) static_cast<Task*>(std::exchange(child->replaced, nullptr))->unref();
  if (flags.has(CloneFlag::kCLONE_VFORK)) wait_for_vfork(task, *process);
  return child->tid;
}

void discard(Task& task) {
  Process& process = *task.process;
  static_cast<ListNode<ThreadTag>&>(task).unlink();
  --process.thread_count;
  kernel().tasks.erase(task.tid);
  --task.memory->task_count;
  task.files->release(process);
  if (process.leader == &task) reap(process);
}

RefPtr<Task> create_first_task(RefPtr<Credentials> credentials) {
  Task& monitor = *kernel().monitor;
  auto id = allocate_id();
  if (!id) return nullptr;
  CloneRequest request;
  request.exit_signal = abi::kSIGCHLD;
  RefPtr<Task> task = copy_task(monitor, request, *id);
  task->credentials = std::move(credentials);
  task->memory = make_ref<AddressSpace>();
  // The vDSO, which never changes in the monitor.
  task->memory->copy_areas(*monitor.memory);
  RefPtr<Process> process = copy_process(monitor, request, *task);
  add_to_tables(*task, *process, true);
  become_session_leader(*process);
  return task;
}

}  // namespace lxss::lifecycle

namespace lxss::upcall {

void task_started() {
  lifecycle::start_child();
  signals::before_return_to_guest(-1);
}

}  // namespace lxss::upcall
