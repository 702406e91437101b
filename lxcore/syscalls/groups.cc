// Process ids, process groups and sessions.
#include "lxcore/kernel.h"
#include "lxcore/syscalls/task.h"
#include "lxcore/task/lifecycle.h"

namespace lxss::sys {

namespace {

/// Under the kernel lock.
Result<RefPtr<Process>> process_or_self(Task& task, Pid pid) {
  if (pid.value == 0) return task.process;
  if (RefPtr<Process> process = lifecycle::find_process(pid)) return process;
  return Errno::kESRCH;
}

}  // namespace

Result<Pid> getpid(UnlockedTask task) { return task->process->pid; }
Result<Pid> gettid(UnlockedTask task) { return task->tid; }
Result<Pid> getppid(UnlockedTask task) {
  return task->process->parent_pid.load(std::memory_order_relaxed);
}
Result<Pid> getpgrp(UnlockedTask task) { return getpgid(task, Pid{}); }

Result<Pid> getpgid(UnlockedTask task, Pid pid) {
  KernelLock::Held held;
  RefPtr<Process> process = TRY(process_or_self(task, pid));
  return process->group->id;
}

Result<Pid> getsid(UnlockedTask task, Pid pid) {
  KernelLock::Held held;
  RefPtr<Process> process = TRY(process_or_self(task, pid));
  return process->group->session->id;
}

Result<> setpgid(UnlockedTask task, Pid pid, Pid group) {
  if (group.value < 0) return Errno::kEINVAL;
  KernelLock::Held held;
  RefPtr<Process> process = TRY(process_or_self(task, pid));
  if (process != task->process) {
    if (process->parent != task->process) return Errno::kESRCH;
    if (process->group->session != task->process->group->session) return Errno::kEPERM;
    if (process->has_executed) return Errno::kEACCES;
  }
  if (process->group->session->id == process->pid) return Errno::kEPERM;
  const Pid id = group.value ? group : process->pid;
  RefPtr<ProcessGroup> target = lifecycle::find_group(id);
  if (!target) {
    if (id != process->pid) return Errno::kEPERM;
    target = make_ref<ProcessGroup>(id, process->group->session);
    kernel().groups[id] = target.get();
  } else if (target->session != process->group->session) {
    return Errno::kEPERM;
  }
  static_cast<ListNode<ProcessGroupMember>&>(*process).unlink();
  target->members.push_back(*process);
  process->group = target;
  return {};
}

Result<Pid> setsid(UnlockedTask task) {
  Process& process = *task->process;
  KernelLock::Held held;
  if (lifecycle::find_group(process.pid)) return Errno::kEPERM;
  lifecycle::become_session_leader(process);
  return process.pid;
}

}  // namespace lxss::sys
