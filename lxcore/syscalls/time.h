// System calls of the group "time": clocks, sleeping, timers that send signals.
#pragma once

#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

// time.cc
Result<> clock_gettime(UnlockedTask task, i32 clock, UserOut<abi::Timespec> out);
Result<> clock_getres(UnlockedTask task, i32 clock, UserOut<abi::Timespec> out);
Result<> clock_settime(UnlockedTask task, i32 clock, UserIn<abi::Timespec> time);
Result<> gettimeofday(UnlockedTask task, UserOut<abi::Timeval> out, UserOut<abi::Timezone> zone);
Result<> settimeofday(UnlockedTask task, UserIn<abi::Timeval> time, UserIn<abi::Timezone> zone);
Result<i64> time(UnlockedTask task, UserOut<i64> out);
Result<i64> times(UnlockedTask task, UserOut<abi::Tms> out);
Result<i32> adjtimex(UnlockedTask task, UserInOut<abi::Timex> timex);
Result<i32> clock_adjtime(UnlockedTask task, i32 clock, UserInOut<abi::Timex> timex);

// sleep.cc
Result<> nanosleep(UnlockedTask task, UserIn<abi::Timespec> request,
                   UserOut<abi::Timespec> remaining);
Result<> clock_nanosleep(UnlockedTask task, i32 clock, u32 flags, UserIn<abi::Timespec> request,
                         UserOut<abi::Timespec> remaining);
Result<u64> restart_syscall(UnlockedTask task);

// timers.cc
Result<> getitimer(UnlockedTask task, i32 which, UserOut<abi::Itimerval> out);
Result<> setitimer(UnlockedTask task, i32 which, UserIn<abi::Itimerval> value,
                   UserOut<abi::Itimerval> old_value);
Result<u32> alarm(UnlockedTask task, u32 seconds);
Result<> timer_create(UnlockedTask task, i32 clock, UserIn<abi::SigEvent> event, UserOut<i32> id);
Result<> timer_settime(UnlockedTask task, i32 id, i32 flags, UserIn<abi::Itimerspec> value,
                       UserOut<abi::Itimerspec> old_value);
Result<> timer_gettime(UnlockedTask task, i32 id, UserOut<abi::Itimerspec> out);
Result<i32> timer_getoverrun(UnlockedTask task, i32 id);
Result<> timer_delete(UnlockedTask task, i32 id);

}  // namespace lxss::sys
