// System calls about the system, limits, scheduling and a task's own settings.
#pragma once

#include "abi/linux/random.h"
#include "abi/linux/resource.h"
#include "abi/linux/sched.h"
#include "abi/linux/sysinfo.h"
#include "abi/linux/utsname.h"
#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

// system.cc
Result<> uname(UnlockedTask task, UserOut<abi::NewUtsname> name);
Result<> sysinfo(UnlockedTask task, UserOut<abi::Sysinfo> info);
Result<> sethostname(UnlockedTask task, UserAddr name, i32 length);
Result<> setdomainname(UnlockedTask task, UserAddr name, i32 length);
Result<i32> syslog(UnlockedTask task, i32 type, UserAddr buffer, i32 length);
Result<> reboot(UnlockedTask task, u32 magic, u32 magic2, u32 command, UserAddr argument);
Result<usize> getrandom(UnlockedTask task, UserAddr buffer, usize size, abi::GrndFlags flags);

// limits.cc
Result<> getrlimit(UnlockedTask task, u32 resource, UserOut<abi::Rlimit64> limit);
Result<> setrlimit(UnlockedTask task, u32 resource, UserIn<abi::Rlimit64> limit);
Result<> prlimit64(UnlockedTask task, Pid pid, u32 resource, UserIn<abi::Rlimit64> limit,
                   UserOut<abi::Rlimit64> old);
Result<> getrusage(UnlockedTask task, i32 who, UserOut<abi::Rusage> usage);

// scheduling.cc
Result<> sched_yield(UnlockedTask task);
Result<usize> sched_getaffinity(UnlockedTask task, Pid pid, usize size, UserAddr mask);
Result<> sched_setaffinity(UnlockedTask task, Pid pid, usize size, UserAddr mask);
Result<i32> sched_getscheduler(UnlockedTask task, Pid pid);
Result<> sched_setscheduler(UnlockedTask task, Pid pid, i32 policy, UserIn<abi::SchedParam> param);
Result<> sched_getparam(UnlockedTask task, Pid pid, UserOut<abi::SchedParam> param);
Result<> sched_setparam(UnlockedTask task, Pid pid, UserIn<abi::SchedParam> param);
Result<i32> sched_get_priority_max(UnlockedTask task, i32 policy);
Result<i32> sched_get_priority_min(UnlockedTask task, i32 policy);
Result<> sched_rr_get_interval(UnlockedTask task, Pid pid, UserOut<abi::Timespec> interval);
Result<i32> getpriority(UnlockedTask task, i32 which, Pid who);
Result<> setpriority(UnlockedTask task, i32 which, Pid who, i32 nice);
Result<u32> ioprio_get(UnlockedTask task, i32 which, Pid who);
Result<> ioprio_set(UnlockedTask task, i32 which, Pid who, u32 priority);
Result<> getcpu(UnlockedTask task, UserOut<u32> cpu, UserOut<u32> node);

// personal.cc
Result<i64> prctl(UnlockedTask task, i32 option, u64 a, u64 b, u64 c, u64 d);
Result<> arch_prctl(UnlockedTask task, u32 code, u64 address);
Result<u32> personality(UnlockedTask task, u32 persona);

}  // namespace lxss::sys
