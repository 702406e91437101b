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
Result<> uname(Task& task, UserOut<abi::NewUtsname> name);
Result<> sysinfo(Task& task, UserOut<abi::Sysinfo> info);
Result<> sethostname(Task& task, UserAddr name, i32 length);
Result<> setdomainname(Task& task, UserAddr name, i32 length);
Result<i32> syslog(Task& task, i32 type, UserAddr buffer, i32 length);
Result<> reboot(Task& task, u32 magic, u32 magic2, u32 command, UserAddr argument);
Result<usize> getrandom(UnlockedTask task, UserAddr buffer, usize size, abi::GrndFlags flags);

// limits.cc
Result<> getrlimit(Task& task, u32 resource, UserOut<abi::Rlimit64> limit);
Result<> setrlimit(Task& task, u32 resource, UserIn<abi::Rlimit64> limit);
Result<> prlimit64(Task& task, Pid pid, u32 resource, UserIn<abi::Rlimit64> limit,
                   UserOut<abi::Rlimit64> old);
Result<> getrusage(Task& task, i32 who, UserOut<abi::Rusage> usage);

// scheduling.cc
Result<> sched_yield(UnlockedTask task);
Result<usize> sched_getaffinity(Task& task, Pid pid, usize size, UserAddr mask);
Result<> sched_setaffinity(Task& task, Pid pid, usize size, UserAddr mask);
Result<i32> sched_getscheduler(Task& task, Pid pid);
Result<> sched_setscheduler(Task& task, Pid pid, i32 policy, UserIn<abi::SchedParam> param);
Result<> sched_getparam(Task& task, Pid pid, UserOut<abi::SchedParam> param);
Result<> sched_setparam(Task& task, Pid pid, UserIn<abi::SchedParam> param);
Result<i32> sched_get_priority_max(Task& task, i32 policy);
Result<i32> sched_get_priority_min(Task& task, i32 policy);
Result<> sched_rr_get_interval(Task& task, Pid pid, UserOut<abi::Timespec> interval);
Result<i32> getpriority(Task& task, i32 which, Pid who);
Result<> setpriority(Task& task, i32 which, Pid who, i32 nice);
Result<u32> ioprio_get(Task& task, i32 which, Pid who);
Result<> ioprio_set(Task& task, i32 which, Pid who, u32 priority);
Result<> getcpu(Task& task, UserOut<u32> cpu, UserOut<u32> node);

// personal.cc
Result<i64> prctl(Task& task, i32 option, u64 a, u64 b, u64 c, u64 d);
Result<> arch_prctl(UnlockedTask task, u32 code, u64 address);
Result<u32> personality(Task& task, u32 persona);

}  // namespace lxss::sys
