// Scheduling is the host's; Linux's view of it is kept where programs look.
#include <algorithm>

#include "host/clock.h"
#include "lxcore/kernel.h"
#include "lxcore/syscalls/misc.h"
#include "lxcore/task/lifecycle.h"

namespace lxss::sys {

namespace {

Result<RefPtr<Task>> task_or_self(Task& task, Pid pid) {
  if (pid.value < 0) return Errno::kEINVAL;
  if (pid.value == 0) return RefPtr<Task>(task);
  if (RefPtr<Task> found = lifecycle::find_task(pid)) return found;
  return Errno::kESRCH;
}

bool is_policy(i32 policy) {
  return policy == abi::kSCHED_OTHER || policy == abi::kSCHED_FIFO || policy == abi::kSCHED_RR ||
         policy == abi::kSCHED_BATCH || policy == abi::kSCHED_IDLE;
}

bool is_real_time(i32 policy) { return policy == abi::kSCHED_FIFO || policy == abi::kSCHED_RR; }

}  // namespace

Result<> sched_yield(UnlockedTask) {
  host::yield_cpu();
  return {};
}

Result<usize> sched_getaffinity(Task& task, Pid pid, usize size, UserAddr mask) {
  TRY(task_or_self(task, pid));
  if (size % sizeof(u64)) return Errno::kEINVAL;
  u64 cpus[16] = {};
  host::allowed_cpus(cpus);
  usize needed = sizeof(u64);
  for (usize i = 0; i < std::size(cpus); ++i) {
    if (cpus[i]) needed = (i + 1) * sizeof(u64);
  }
  if (size < needed) return Errno::kEINVAL;
  const usize given = std::min(size, sizeof cpus);
  TRY(copy_out(mask, cpus, given));
  return given;
}

Result<> sched_setaffinity(Task& task, Pid pid, usize size, UserAddr mask) {
  RefPtr<Task> target = TRY(task_or_self(task, pid));
  u64 cpus[16] = {};
  TRY(copy_in(cpus, mask, std::min(size, sizeof cpus)));
  // The host lets a thread place itself only; others keep the host's choice.
  if (target != &task) return Errno::kEPERM;
  return host::set_allowed_cpus(0, cpus);
}

Result<i32> sched_getscheduler(Task& task, Pid pid) {
  return TRY(task_or_self(task, pid))->scheduling_policy;
}

Result<> sched_setscheduler(Task& task, Pid pid, i32 policy, UserIn<abi::SchedParam> param) {
  abi::SchedParam value = TRY(param.read());
  constexpr i32 kResetOnFork = 0x40000000;
  policy &= ~kResetOnFork;
  RefPtr<Task> target = TRY(task_or_self(task, pid));
  if (!is_policy(policy)) return Errno::kEINVAL;
  if (is_real_time(policy) != (value.sched_priority >= 1 && value.sched_priority <= 99) ||
      (!is_real_time(policy) && value.sched_priority != 0)) {
    return Errno::kEINVAL;
  }
  // Real-time scheduling is not the instance's to give.
  if (is_real_time(policy)) return Errno::kEPERM;
  target->scheduling_policy = policy;
  return {};
}

Result<> sched_getparam(Task& task, Pid pid, UserOut<abi::SchedParam> param) {
  TRY(task_or_self(task, pid));
  return param.write({0});
}

Result<> sched_setparam(Task& task, Pid pid, UserIn<abi::SchedParam> param) {
  abi::SchedParam value = TRY(param.read());
  TRY(task_or_self(task, pid));
  return value.sched_priority == 0 ? Result<>() : Result<>(Errno::kEINVAL);
}

Result<i32> sched_get_priority_max(Task&, i32 policy) {
  if (!is_policy(policy)) return Errno::kEINVAL;
  return is_real_time(policy) ? 99 : 0;
}

Result<i32> sched_get_priority_min(Task&, i32 policy) {
  if (!is_policy(policy)) return Errno::kEINVAL;
  return is_real_time(policy) ? 1 : 0;
}

Result<> sched_rr_get_interval(Task& task, Pid pid, UserOut<abi::Timespec> interval) {
  TRY(task_or_self(task, pid));
  return interval.write({0, 4'000'000});
}

namespace {

/// Calls `visit` for the tasks that (which, who) names; ESRCH if there are none.
template <typename Visit>
Result<> for_each_named(Task& task, i32 which, Pid who, Visit visit) {
  bool found = false;
  for (auto& [id, other] : kernel().tasks) {
    bool match;
    switch (which) {
      case abi::kPRIO_PROCESS:
        match = who.value ? id == who : other == &task;
        break;
      case abi::kPRIO_PGRP:
        match = other->process->group &&
                other->process->group->id == (who.value ? who : task.process->group->id);
        break;
      case abi::kPRIO_USER:
        match = other->credentials->uid == (who.value ? u32(who.value) : task.credentials->uid);
        break;
      default:
        return Errno::kEINVAL;
    }
    if (!match) continue;
    found = true;
    TRY(visit(*other));
  }
  return found ? Result<>() : Result<>(Errno::kESRCH);
}

}  // namespace

// Linux: the system call reports 20 - nice, so that it is never negative.
Result<i32> getpriority(Task& task, i32 which, Pid who) {
  i32 lowest = 19;
  TRY(for_each_named(task, which, who, [&](Task& other) -> Result<> {
    lowest = std::min(lowest, other.nice);
    return {};
  }));
  return 20 - lowest;
}

Result<> setpriority(Task& task, i32 which, Pid who, i32 nice) {
  nice = std::clamp(nice, -20, 19);
  return for_each_named(task, which, who, [&](Task& other) -> Result<> {
    const Credentials& mine = *task.credentials;
    const Credentials& theirs = *other.credentials;
    const bool may_nice = mine.has_capability(abi::kCAP_SYS_NICE);
    if (!may_nice && mine.euid != theirs.uid && mine.euid != theirs.euid) return Errno::kEPERM;
    if (!may_nice && nice < other.nice && 20 - nice > i64(other.limit(abi::kRLIMIT_NICE))) {
      return Errno::kEACCES;
    }
    other.nice = nice;
    return {};
  });
}

namespace {

/// IOPRIO_WHO_PROCESS, _PGRP and _USER are one more than the PRIO_ constants.
i32 priority_target(i32 io_which) {
  return io_which - abi::kIOPRIO_WHO_PROCESS + abi::kPRIO_PROCESS;
}

/// Linux: without a priority of its own a task has one by its niceness and policy.
u32 effective_io_priority(const Task& task) {
  if (task.io_priority >> abi::kIOPRIO_CLASS_SHIFT != abi::kIOPRIO_CLASS_NONE)
    return task.io_priority;
  const u32 level = u32(task.nice + 20) / 5;
  const u32 io_class = is_real_time(task.scheduling_policy)         ? abi::kIOPRIO_CLASS_RT
                       : task.scheduling_policy == abi::kSCHED_IDLE ? abi::kIOPRIO_CLASS_IDLE
                                                                    : abi::kIOPRIO_CLASS_BE;
  return io_class << abi::kIOPRIO_CLASS_SHIFT | level;
}

}  // namespace

// Linux: of one task what was set, of several the best that they have.
Result<u32> ioprio_get(Task& task, i32 which, Pid who) {
  u32 best = ~u32{0};
  TRY(for_each_named(task, priority_target(which), who, [&](Task& other) -> Result<> {
    best = std::min(
        best, which == abi::kIOPRIO_WHO_PROCESS ? other.io_priority : effective_io_priority(other));
    return {};
  }));
  return best;
}

Result<> ioprio_set(Task& task, i32 which, Pid who, u32 priority) {
  priority &= 0xffff;
  const Credentials& mine = *task.credentials;
  switch (priority >> abi::kIOPRIO_CLASS_SHIFT) {
    case abi::kIOPRIO_CLASS_NONE:
      if (priority & abi::kIOPRIO_LEVEL_MASK) return Errno::kEINVAL;
      break;
    case abi::kIOPRIO_CLASS_RT:
      if (!mine.has_capability(abi::kCAP_SYS_ADMIN) && !mine.has_capability(abi::kCAP_SYS_NICE)) {
        return Errno::kEPERM;
      }
      break;
    case abi::kIOPRIO_CLASS_BE:
    case abi::kIOPRIO_CLASS_IDLE:
      break;
    default:
      return Errno::kEINVAL;
  }
  return for_each_named(task, priority_target(which), who, [&](Task& other) -> Result<> {
    const u32 owner = other.credentials->uid;
    if (owner != mine.euid && owner != mine.uid && !mine.has_capability(abi::kCAP_SYS_NICE)) {
      return Errno::kEPERM;
    }
    other.io_priority = priority;
    return {};
  });
}

Result<> getcpu(Task&, UserOut<u32> cpu, UserOut<u32> node) {
  const host::Cpu now = host::current_cpu();
  if (cpu) TRY(cpu.write(now.cpu));
  if (node) TRY(node.write(now.node));
  return {};
}

}  // namespace lxss::sys
