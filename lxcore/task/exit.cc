// The end of tasks and processes.
#include "abi/linux/futex.h"
#include "base/text.h"
#include "host/clock.h"
#include "host/wait.h"
#include "lxcore/control/launch.h"
#include "lxcore/ipc/sysv.h"
#include "lxcore/kernel.h"
#include "lxcore/task/lifecycle.h"
#include "lxcore/task/names_in_proc.h"
#include "lxcore/time/posix_timers.h"
#include "lxcore/tty/tty.h"

namespace lxss::lifecycle {

namespace {

void wake_user_futex(u64 address, bool is_private) {
  u32 operation = abi::kFUTEX_WAKE | (is_private ? abi::kFUTEX_PRIVATE_FLAG : 0);
  (void)host::user_futex(UserAddr{address}, i32(operation), 1, 0, UserAddr{}, 0);
}

/// Marks a robust mutex that the task still holds (man 2 get_robust_list).
void abandon_robust_mutex(const Task& task, u64 address, bool pending) {
  if (address % 4 || !pico::is_user_range(address, 4)) return;
  for (;;) {
    auto word = UserIn<u32>{UserAddr{address}}.read();
    if (!word) return;
    u32 owner = *word & abi::kFUTEX_TID_MASK;
    if (pending && owner == 0) {
      wake_user_futex(address, false);
      return;
    }
    if (owner != u32(task.tid.value)) return;
    u32 abandoned = (*word & abi::kFUTEX_WAITERS) | abi::kFUTEX_OWNER_DIED;
    auto seen = pico::compare_exchange_user(address, *word, abandoned);
    if (!seen) return;
    if (*seen != *word) continue;
    if (*word & abi::kFUTEX_WAITERS) wake_user_futex(address, false);
    return;
  }
}

void release_robust_mutexes(Task& task) {
  if (!task.robust_list) return;
  auto head = UserIn<abi::RobustListHead>{task.robust_list}.read();
  if (!head) return;
  auto mutex_of = [&](u64 entry) { return (entry & ~u64{1}) + u64(head->futex_offset); };
  u64 entry = head->list_next;
  for (u32 i = 0; i < abi::kROBUST_LIST_LIMIT && (entry & ~u64{1}) != task.robust_list.value; ++i) {
    auto next = UserIn<u64>{UserAddr{entry & ~u64{1}}}.read();
    if (entry != head->list_op_pending) abandon_robust_mutex(task, mutex_of(entry), false);
    if (!next) break;
    entry = *next;
  }
  if (head->list_op_pending) abandon_robust_mutex(task, mutex_of(head->list_op_pending), true);
}

/// Children go to the nearest living subreaper above, or to init.
Process& new_parent_for_children(Process& process) {
  for (Process* above = process.parent.get(); above; above = above->parent.get()) {
    if (above->child_subreaper && !above->exiting && above->thread_count != 0) return *above;
  }
  return *kernel().init;
}

void hang_up_orphaned_group(ProcessGroup& group) {
  if (!group.orphaned()) return;
  bool has_stopped = false;
  for (Process& member : group.members) has_stopped |= member.state == ProcessState::kStopped;
  if (!has_stopped) return;
  signals::send(group, signals::kernel_info(abi::kSIGHUP));
  signals::send(group, signals::kernel_info(abi::kSIGCONT));
}

/// SIGCHLD ignored, or SA_NOCLDWAIT: the child leaves no zombie.
bool parent_ignores_children(Process& parent) {
  if (&parent == kernel().init.get()) return true;
  Task* any = parent.any_thread();
  if (!any) return false;
  const abi::SigAction& action = any->actions->at(abi::kSIGCHLD);
  return action.handler == abi::kSIG_IGN ||
         abi::SaFlags(action.flags).has(abi::SaFlag::kSA_NOCLDWAIT);
}

void tell_parent_of_exit(Process& process) {
  Process& parent = *process.parent;
  abi::SigInfo info{};
  i32 status = process.exit_status;
  if (process.exit_signal != 0) {
    info.signo = process.exit_signal;
    bool exited = (status & 0x7f) == 0;
    info.code = exited ? abi::kCLD_EXITED : (status & 0x80) ? abi::kCLD_DUMPED : abi::kCLD_KILLED;
    constexpr u64 kTick = 10'000'000;
    info.child = {process.pid.value,
                  process.last_credentials->uid,
                  exited ? (status >> 8) & 0xff : status & 0x7f,
                  0,
                  i64(process.cpu_user_ns / kTick),
                  i64(process.cpu_system_ns / kTick)};
  }
  bool leaves_zombie = !(process.exit_signal == abi::kSIGCHLD && parent_ignores_children(parent));
  RefPtr<Process> pinned(&process);
  RefPtr<Process> pinned_parent(&parent);
  if (!leaves_zombie) reap(process);
  parent.child_events.wake();
  if (info.signo != 0 && &parent != kernel().init.get()) signals::send(parent, info);
}

void adopt_children(Process& process) {
  Process& heir = new_parent_for_children(process);
  while (!process.children.empty()) {
    Process& child = process.children.front();
    child.set_exit_signal(abi::kSIGCHLD);
    child.set_parent(&heir);
    child.parent_thread = heir.any_thread() ? heir.any_thread()->tid : heir.pid;
    if (child.parent_death_signal != 0) {
      signals::send(child, signals::kernel_info(child.parent_death_signal));
    }
    if (child.is_zombie()) {
      tell_parent_of_exit(child);
    } else if (child.group != process.group && child.group->session == process.group->session) {
      hang_up_orphaned_group(*child.group);
    }
  }
}

}  // namespace

void end_of_process(Process& process, Task& last) {
  --kernel().live_processes;
  process.last_credentials = last.credentials;
  process.last_comm = last.comm;
  timers_on_exit(process);
  if (process.group->session->id == process.pid) tty::session_leader_exited(last);
  if (process.shares_parent_memory) {
    process.shares_parent_memory = false;
    process.exec_done.wake();
  }
  process.pending.discard_all();
  adopt_children(process);
  RefPtr<ProcessGroup> group = process.group;
  process.state = ProcessState::kZombie;
  process.exit_events.wake();
  // Its leaving may have orphaned its own group, if its parent was the tie to the session.
  const ProcessGroup& above = *process.parent->group;
  if (&above != group.get() && above.session == group->session) hang_up_orphaned_group(*group);
  process.update_reports();
  tell_parent_of_exit(process);
}

ResourceUse resource_use(const abi::Rusage& usage) {
  return {usage.ru_maxrss, usage.ru_minflt, usage.ru_majflt, usage.ru_nvcsw, usage.ru_nivcsw};
}

void leave_user_memory(Task& task, bool is_shared) {
  release_robust_mutexes(task);
  if (!task.clear_child_tid || !is_shared) return;
  i32 zero = 0;
  if (copy_out(task.clear_child_tid, &zero, sizeof zero)) {
    wake_user_futex(task.clear_child_tid.value, false);
  }
}

namespace {

/// What the task was to take of its process's signals is for another thread.
void hand_signals_on(Task& task) {
  const abi::SigSet waiting = task.process->pending.set().without(task.blocked);
  if (waiting.empty()) return;
  for (Task& thread : task.process->threads) {
    if (&thread != &task && waiting.any(~thread.blocked.get())) signals::kick(thread);
  }
}

/// What others see go before they see the task's end: its memory, files, place in the tree.
void give_up_possessions(Task& task) {
  Process& process = *task.process;
  task.has_left_memory = true;
  if (--task.memory->task_count == 0) task.memory->forget_all();
  task.has_left_files = true;
  task.files->release(process);
  RefPtr<FdTable> files;
  RefPtr<FsContext> fs;
  KernelLock::Held held;
  std::swap(files, task.files);
  std::swap(fs, task.fs);
  // Declared before the lock was taken: they go after it.
}

/// Its threads that go on are the parents of what it has forked.
void leave_children_to_siblings(Task& task) {
  Process& process = *task.process;
  for (Process& child : process.children) {
    if (child.parent_thread != task.tid) continue;
    child.parent_thread = process.any_thread()->tid;
    // man 2 prctl: the parent that it asked about is the thread.
    if (child.parent_death_signal != 0) {
      signals::send(child, signals::kernel_info(child.parent_death_signal));
    }
  }
}

/// The task leaves the tables, and its process if it was the last.
void leave_tables(Task& task, const abi::Rusage& use) {
  KernelLock::Held held;
  RefPtr<Process> process = task.process;
  ipc::task_exited(task);
  hand_signals_on(task);
  // With all threads that have ended; the last one's counts.
  process->cpu_user_ns = clocks::to_ns(use.ru_utime).value();
  process->cpu_system_ns = clocks::to_ns(use.ru_stime).value();
  process->use = resource_use(use);
  if (process->thread_count == 1) {
    process->exiting = true;
    if (process->launch) launches::ended(*process);
  }
  static_cast<ListNode<ThreadTag>&>(task).unlink();
  if (process->leader == &task) {
    process->leader = nullptr;
    process->last_comm = task.comm;
  }
  task.pending.discard_all();
  task.actions->leave();
  if (--process->thread_count == 0) {
    end_of_process(*process, task);
  } else {
    leave_children_to_siblings(task);
  }
  // A thread that waits for the others (exec) looks again.
  process->child_events.wake();
  forget_task(task);
  procfs::forget_thread(*process, task.tid);
  task.process = nullptr;
  task.memory = nullptr;
}

}  // namespace

void exit_current_task() {
  Task& task = Task::current();
  task.exiting = true;
  leave_user_memory(task, task.memory->task_count > 1);
  give_up_possessions(task);
  leave_tables(task, host::usage(abi::kRUSAGE_SELF));
  task.epoch.leave();
  task.heap_cache.give_back();
  // The Task itself lives until its stack slot is used again or its memory goes.
  pico::exit_thread();
}

}  // namespace lxss::lifecycle
