#include "host/clock.h"
#include "lxcore/kernel.h"
#include "lxcore/syscalls/misc.h"
#include "lxcore/task/lifecycle.h"
#include "lxcore/time/posix_timers.h"

namespace lxss::sys {

namespace {

/// Under the kernel lock.
Result<> set_limit(Task& task, Process& process, u32 resource, const abi::Rlimit64& limit) {
  if (limit.rlim_cur > limit.rlim_max) return Errno::kEINVAL;
  if (resource == abi::kRLIMIT_NOFILE && limit.rlim_max > u64{FdTable::kMaxDescriptors}) {
    return Errno::kEPERM;
  }
  abi::Rlimit64& entry = process.limits[resource];
  if (limit.rlim_max > entry.rlim_max && !task.has_capability(abi::kCAP_SYS_RESOURCE)) {
    return Errno::kEPERM;
  }
  __atomic_store_n(&entry.rlim_cur, limit.rlim_cur, __ATOMIC_RELAXED);
  entry.rlim_max = limit.rlim_max;
  if (resource == abi::kRLIMIT_CPU) arm_cpu_limit(process);
  return {};
}

/// The limit as it was; set to `next` if there is one.
Result<abi::Rlimit64> exchange_limit(Task& task, Pid pid, u32 resource,
                                     const std::optional<abi::Rlimit64>& next) {
  KernelLock::Held held;
  RefPtr<Task> target = pid.value ? lifecycle::find_task(pid) : RefPtr<Task>(task);
  if (!target) return Errno::kESRCH;
  const Credentials& mine = *task.credentials;
  const Credentials& theirs = *target->credentials;
  const bool same_ids = mine.uid == theirs.uid && mine.uid == theirs.euid &&
                        mine.uid == theirs.suid && mine.gid == theirs.gid &&
                        mine.gid == theirs.egid && mine.gid == theirs.sgid;
  if (target->process != task.process && !same_ids &&
      !mine.has_capability(abi::kCAP_SYS_RESOURCE)) {
    return Errno::kEPERM;
  }
  const abi::Rlimit64 before = target->process->limits[resource];
  if (next) TRY(set_limit(task, *target->process, resource, *next));
  return before;
}

}  // namespace

Result<> getrlimit(UnlockedTask task, u32 resource, UserOut<abi::Rlimit64> limit) {
  if (resource >= abi::kRLIM_NLIMITS) return Errno::kEINVAL;
  kernel_lock().lock();
  const abi::Rlimit64 now = task->process->limits[resource];
  kernel_lock().unlock();
  return limit.write(now);
}

Result<> setrlimit(UnlockedTask task, u32 resource, UserIn<abi::Rlimit64> limit) {
  abi::Rlimit64 next = TRY(limit.read());
  if (resource >= abi::kRLIM_NLIMITS) return Errno::kEINVAL;
  KernelLock::Held held;
  return set_limit(task, *task->process, resource, next);
}

Result<> prlimit64(UnlockedTask task, Pid pid, u32 resource, UserIn<abi::Rlimit64> limit,
                   UserOut<abi::Rlimit64> old) {
  if (resource >= abi::kRLIM_NLIMITS) return Errno::kEINVAL;
  std::optional<abi::Rlimit64> next;
  if (limit) next = TRY(limit.read());
  const abi::Rlimit64 before = TRY(exchange_limit(task, pid, resource, next));
  if (old) TRY(old.write(before));
  return {};
}

Result<> getrusage(UnlockedTask task, i32 who, UserOut<abi::Rusage> usage) {
  Process& process = *task->process;
  abi::Rusage result{};
  switch (who) {
    case abi::kRUSAGE_SELF:
    case abi::kRUSAGE_THREAD: {
      const abi::Rusage use = host::usage(who);
      result.ru_utime = use.ru_utime;
      result.ru_stime = use.ru_stime;
      lifecycle::resource_use(use).report(result);
      break;
    }
    case abi::kRUSAGE_CHILDREN: {
      KernelLock::Held held;
      result.ru_utime = clocks::to_timeval(process.children_user_ns);
      result.ru_stime = clocks::to_timeval(process.children_system_ns);
      process.children_use.report(result);
      break;
    }
    default:
      return Errno::kEINVAL;
  }
  return usage.write(result);
}

}  // namespace lxss::sys
