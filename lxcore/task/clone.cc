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

Result<> check_process_limit(const Task& task) {
  if (kernel().tasks.size() >= Kernel::kMaxTasks || !heap::has_room()) return Errno::kEAGAIN;
  const Credentials& who = *task.credentials;
  const bool exempt = who.uid == 0 || who.has_capability(abi::kCAP_SYS_RESOURCE) ||
                      who.has_capability(abi::kCAP_SYS_ADMIN);
  if (exempt || kernel().users.tasks(who.uid) < task.limit(abi::kRLIMIT_NPROC)) return {};
  return Errno::kEAGAIN;
}

/// What a fork makes and copies without the kernel lock: nobody knows it yet.
RefPtr<Task> copy_task(Task& parent, const CloneRequest& request) {
  const CloneFlags flags = request.flags;
  auto child = make_ref<Task>();
  kernel().epoch.add(child->epoch);
  const bool shares_files = flags.has(CloneFlag::kCLONE_FILES);
  if (shares_files) parent.files->share();
  child->files = shares_files ? parent.files : parent.files->duplicate();
  child->fs = flags.has(CloneFlag::kCLONE_FS) ? parent.fs : parent.fs->duplicate();
  child->actions =
      flags.has(CloneFlag::kCLONE_SIGHAND) ? parent.actions : make_ref<SignalActions>();
  child->credentials = parent.credentials;
  child->comm = parent.comm;
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

/// What of the parent is guarded by the kernel lock.
void copy_task_state(Task& parent, const CloneRequest& request, Task& child) {
  const CloneFlags flags = request.flags;
  child.nice = parent.nice;
  child.io_priority = parent.io_priority;
  child.scheduling_policy = parent.scheduling_policy;
  if (flags.has(CloneFlag::kCLONE_SIGHAND)) {
    child.actions->share();
  } else {
    child.actions->copy_from(*parent.actions);
    if (flags.has(CloneFlag::kCLONE_CLEAR_SIGHAND)) child.actions->reset_for_exec();
  }
}

/// Under the kernel lock: `process`, which is new, becomes a process like its parent.
void copy_process(Task& parent, const CloneRequest& request, Task& leader, Process& process) {
  Process& from = *parent.process;
  process.pid = leader.tid;
  process.exit_signal = request.exit_signal;
  process.parent_thread =
      request.flags.has(CloneFlag::kCLONE_PARENT) ? from.parent_thread : parent.tid;
  process.set_parent(request.flags.has(CloneFlag::kCLONE_PARENT) ? from.parent.get() : &from);
  process.group = from.group;
  process.group->members.push_back(process);
  process.limits = from.limits;
  process.start_time_ns = leader.start_time_ns;
  process.dumpable = from.dumpable;
  process.oom_score_adjustment = from.oom_score_adjustment;
  process.personality = from.personality.load();
  process.trace_fd = from.trace_fd;
  process.timer_slack_ns = from.timer_slack_ns;
  process.shares_parent_memory = request.flags.has(CloneFlag::kCLONE_VFORK);
  process.leader = &leader;
  kernel().ids.take(process.pid);
  kernel().processes[process.pid] = &process;
  ++kernel().forks;
  ++kernel().live_processes;
}

/// Under the kernel lock: the task, whole by now, can be found.
void add_to_tables(Task& task, Process& process) {
  task.process = &process;
  ++task.memory->task_count;
  process.threads.push_back(task);
  ++process.thread_count;
  kernel().tasks[task.tid] = &task;
  kernel().users.add_task(task.credentials->uid);
}

/// The child, of `process` if it is a thread and else of a process that is made. In the tables, but
/// not running yet.
Result<RefPtr<Task>> make_child(Task& task, const CloneRequest& request) {
  const CloneFlags flags = request.flags;
  const bool is_thread = flags.has(CloneFlag::kCLONE_THREAD);
  RefPtr<Task> child = copy_task(task, request);
  RefPtr<Process> process = is_thread ? task.process : make_ref<Process>();
  if (flags.has(CloneFlag::kCLONE_VM)) {
    child->memory = task.memory;
  } else {
    child->memory = make_ref<AddressSpace>();
    child->memory->copy_areas(*task.memory);
  }
  RefPtr<File> pidfd;
  if (flags.has(CloneFlag::kCLONE_PIDFD)) pidfd = make_pidfd(*process);
  auto enter = [&]() -> Result<> {
    KernelLock::Held held;
    // Who is to end, or whose group is being killed, makes nobody who would escape that.
    if (signals::interrupted(task)) return Errno::kERESTARTNOINTR;
    TRY(check_process_limit(task));
    const auto tid = kernel().ids.take_next();
    if (!tid) return Errno::kEAGAIN;
    child->tid = *tid;
    copy_task_state(task, request, *child);
    if (!is_thread) copy_process(task, request, *child, *process);
    add_to_tables(*child, *process);
    if (!is_thread) arm_cpu_limit(*process);
    task.starting = child;
    return {};
  };
  auto entered = enter();
  if (!entered.ok()) {
    child->files->release(*task.process);
    return entered.error();
  }
  // Linux: an address that cannot be written to is no error.
  if (flags.has(CloneFlag::kCLONE_PARENT_SETTID)) {
    (void)UserOut<i32>{request.parent_tid}.write(child->tid.value);
  }
  if (pidfd) {
    auto tell = [&]() -> Result<> {
      Fd fd = TRY(task.files->install(std::move(pidfd), true, task.limit(abi::kRLIMIT_NOFILE)));
      auto told = UserOut<i32>{request.pidfd}.write(fd.value);
      if (!told.ok()) (void)task.files->remove(fd);
      return told;
    };
    if (auto told = tell(); !told.ok()) {
      task.starting = nullptr;
      discard(*child);
      return told.error();
    }
  }
  return child;
}

/// A vfork parent waits until its child has a memory of its own, or is gone.
void wait_for_vfork(Task& task, Process& child) {
  KernelLock::Held held;
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
  if (Process& process = *task.process; process.leader == &task) {
    KernelLock::Held held;
    process.host_process = task.host_process;
    kernel().host_processes[task.host_process] = {task.process, task.memory};
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

  // A copy of memory and its description must be of the same moment.
  Mutex& memory_mutex = task.memory->mutex;
  if (!shares_memory) memory_mutex.lock();
  ScopeExit unlock_memory([&] {
    if (!shares_memory) memory_mutex.unlock();
  });
  RefPtr<Task> child = TRY(make_child(task, request));
  RefPtr<Process> process = child->process;
  const Pid tid = child->tid;
  child->ref();  // of the stack slot that it occupies

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
  if (!shares_memory) memory_mutex.unlock();
  unlock_memory.dismiss();
  task.starting = nullptr;
  if (!started) {
    discard(*child);
    child->unref();
    return started.error();
  }
  if (child->replaced) static_cast<Task*>(std::exchange(child->replaced, nullptr))->unref();
  if (flags.has(CloneFlag::kCLONE_VFORK)) wait_for_vfork(task, *process);
  return tid;
}

void discard(Task& task) {
  RefPtr<FdTable> files = task.files;
  RefPtr<Process> process = task.process;
  {
    KernelLock::Held held;
    static_cast<ListNode<ThreadTag>&>(task).unlink();
    --process->thread_count;
    if (process->leader == &task) process->leader = nullptr;
    forget_task(task);
    if (process->thread_count == 0) {
      --kernel().live_processes;
      timers_on_exit(*process);
      reap(*process);
    }
    --task.memory->task_count;
    task.files = nullptr;
    task.actions->leave();
  }
  files->release(*process);
}

RefPtr<Task> create_first_task(RefPtr<Credentials> credentials) {
  Task& monitor = *kernel().monitor;
  CloneRequest request;
  request.exit_signal = abi::kSIGCHLD;
  RefPtr<Task> task = copy_task(monitor, request);
  task->credentials = std::move(credentials);
  task->memory = make_ref<AddressSpace>();
  // The vDSO, which never changes in the monitor.
  task->memory->copy_areas(*monitor.memory);
  auto process = make_ref<Process>();
  KernelLock::Held held;
  const auto id = kernel().ids.take_next();
  if (!id || kernel().tasks.size() >= Kernel::kMaxTasks || !heap::has_room()) {
    if (id) kernel().ids.drop(*id);
    return nullptr;
  }
  task->tid = *id;
  copy_task_state(monitor, request, *task);
  copy_process(monitor, request, *task, *process);
  add_to_tables(*task, *process);
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
