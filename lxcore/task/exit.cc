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
    static_cast<ListNode<SiblingTag>&>(child).unlink();
    child.parent = &heir;
    child.parent_thread = heir.any_thread() ? heir.any_thread()->tid : heir.pid;
    child.exit_signal = abi::kSIGCHLD;
    heir.children.push_back(child);
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

/// The last thread is leaving.
void end_of_process(Process& process, Task& last) {
  process.last_credentials = last.credentials;
  process.last_comm = last.comm;
  timers_on_exit(process);
  if (process.group->session->id == process.pid) tty::session_leader_exited(last);
  if (process.shares_parent_memory) {
    process.shares_parent_memory = false;
    process.exec_done.wake();
  }
  adopt_children(process);
  RefPtr<ProcessGroup> group = process.group;
  process.state = ProcessState::kZombie;
  process.exit_events.wake();
  // Its leaving may have orphaned its own group, if its parent was the tie to the session.
  const ProcessGroup& above = *process.parent->group;
  if (&above != group.get() && above.session == group->session) hang_up_orphaned_group(*group);
  if (process.launch) launches::ended(process);
  tell_parent_of_exit(process);
}

}  // namespace

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

void exit_current_task() {
  Task& task = Task::current();
  Process& process = *task.process;
  const bool shares_memory = task.memory->task_count > 1;
  kernel_lock().unlock();
  leave_user_memory(task, shares_memory);
  const abi::Rusage use = host::usage(abi::kRUSAGE_SELF);
  kernel_lock().lock();
  if (--task.memory->task_count == 0) {
    // What it mapped goes before anybody sees the end of the process.
    KernelLock::Released released;
    task.memory->forget_all();
  }
  ipc::task_exited(task);
  // With all threads that have ended; the last one's counts.
  process.cpu_user_ns = clocks::to_ns(use.ru_utime).value();
  process.cpu_system_ns = clocks::to_ns(use.ru_stime).value();
  process.use = resource_use(use);
  task.exiting = true;
  task.files->release(process);
  task.files = nullptr;
  task.fs = nullptr;
  static_cast<ListNode<ThreadTag>&>(task).unlink();
  if (process.leader == &task) {
    process.leader = nullptr;
    process.last_comm = task.comm;
  }
  if (--process.thread_count == 0) {
    end_of_process(process, task);
  } else {
    for (Process& child : process.children) {
      if (child.parent_thread != task.tid) continue;
      child.parent_thread = process.any_thread()->tid;
      // man 2 prctl: the parent that it asked about is the thread.
      if (child.parent_death_signal != 0) {
        signals::send(child, signals::kernel_info(child.parent_death_signal));
      }
    }
  }
  // A thread that waits for the others (exec) looks again.
  process.child_events.wake();
  kernel().tasks.erase(task.tid);
  procfs::forget_thread(process, task.tid);
  task.process = nullptr;
  task.memory = nullptr;
  kernel_lock().unlock();
  // The Task itself lives until its stack slot is used again or its memory goes.
  pico::exit_thread();
}

void host_process_died(const pico::Death& death) {
  Kernel& k = kernel();
  auto at = k.host_processes.find(death.host_process);
  if (at == k.host_processes.end()) return;
  Kernel::HostProcess gone = std::move(at->second);
  k.host_processes.erase(at);
  // One that leaves by itself has ended its tasks, or handed its task on (exec after vfork).
  if (!death.killed || !gone.process || gone.process->thread_count == 0 ||
      gone.process->host_process != death.host_process) {
    return;
  }
  // The host ended it. In guest code that is a SIGKILL; inside lxcore state may be torn.
  RefPtr<Process> process = gone.process;
  for (Task& thread : process->threads) {
    if (thread.in_kernel == pico::Thread::kInKernel && !thread.sleeping) {
      TextBuilder line;
      line << "host signal " << death.status << " ended thread " << thread.tid.value << " ("
           << thread.comm.data() << ") in system call " << thread.system_call;
      log_line(line.view());
      LXSS_PANIC("a pico process was ended by the host while inside the kernel");
    }
  }
  process->exiting = true;
  process->exit_status = abi::wait_status_signaled(abi::kSIGKILL, false);
  {
    // Alone in its memory, unless it is the child or the parent of a vfork.
    const bool last = gone.memory->task_count == process->thread_count;
    KernelLock::Released released;
    if (last) gone.memory->forget_all();
  }
  while (!process->threads.empty()) {
    Task& thread = process->threads.front();
    thread.wait_entry.unlink();
    ipc::task_exited(thread);
    thread.files->release(*process);
    thread.files = nullptr;
    thread.fs = nullptr;
    static_cast<ListNode<ThreadTag>&>(thread).unlink();
    if (process->leader == &thread) process->leader = nullptr;
    if (--process->thread_count == 0) end_of_process(*process, thread);
    RefPtr<Task> pinned(&thread);
    k.tasks.erase(thread.tid);
    procfs::forget_thread(*process, thread.tid);
    thread.process = nullptr;
    --thread.memory->task_count;
    thread.memory = nullptr;
  }
}

}  // namespace lxss::lifecycle
