// Resource limits, usage and priorities.
// Man pages: getrlimit(2), getrusage(2), getpriority(2), ioprio_set(2).
#pragma once

#include <cstddef>

#include "abi/linux/time.h"
#include "base/types.h"

namespace lxss::abi {

struct Rlimit64 {
  u64 rlim_cur;
  u64 rlim_max;
};
static_assert(sizeof(Rlimit64) == 16);
inline constexpr u64 kRLIM_INFINITY = ~u64{0};

inline constexpr u32 kRLIMIT_CPU = 0;
inline constexpr u32 kRLIMIT_FSIZE = 1;
inline constexpr u32 kRLIMIT_DATA = 2;
inline constexpr u32 kRLIMIT_STACK = 3;
inline constexpr u32 kRLIMIT_CORE = 4;
inline constexpr u32 kRLIMIT_RSS = 5;
inline constexpr u32 kRLIMIT_NPROC = 6;
inline constexpr u32 kRLIMIT_NOFILE = 7;
inline constexpr u32 kRLIMIT_MEMLOCK = 8;
inline constexpr u32 kRLIMIT_AS = 9;
inline constexpr u32 kRLIMIT_LOCKS = 10;
inline constexpr u32 kRLIMIT_SIGPENDING = 11;
inline constexpr u32 kRLIMIT_MSGQUEUE = 12;
inline constexpr u32 kRLIMIT_NICE = 13;
inline constexpr u32 kRLIMIT_RTPRIO = 14;
inline constexpr u32 kRLIMIT_RTTIME = 15;
inline constexpr u32 kRLIM_NLIMITS = 16;

inline constexpr i32 kRUSAGE_SELF = 0;
inline constexpr i32 kRUSAGE_CHILDREN = -1;
inline constexpr i32 kRUSAGE_THREAD = 1;

struct Rusage {
  Timeval ru_utime;
  Timeval ru_stime;
  i64 ru_maxrss;  // in KiB
  i64 ru_ixrss;
  i64 ru_idrss;
  i64 ru_isrss;
  i64 ru_minflt;
  i64 ru_majflt;
  i64 ru_nswap;
  i64 ru_inblock;
  i64 ru_oublock;
  i64 ru_msgsnd;
  i64 ru_msgrcv;
  i64 ru_nsignals;
  i64 ru_nvcsw;
  i64 ru_nivcsw;
};
static_assert(sizeof(Rusage) == 144);

// getpriority(2)
inline constexpr i32 kPRIO_PROCESS = 0;
inline constexpr i32 kPRIO_PGRP = 1;
inline constexpr i32 kPRIO_USER = 2;
inline constexpr i32 kNICE_MIN = -20;
inline constexpr i32 kNICE_MAX = 19;

// ioprio_set(2)
inline constexpr i32 kIOPRIO_WHO_PROCESS = 1;
inline constexpr i32 kIOPRIO_WHO_PGRP = 2;
inline constexpr i32 kIOPRIO_WHO_USER = 3;
inline constexpr u32 kIOPRIO_CLASS_SHIFT = 13;
inline constexpr u32 kIOPRIO_LEVEL_MASK = 7;
inline constexpr u32 kIOPRIO_CLASS_NONE = 0;
inline constexpr u32 kIOPRIO_CLASS_RT = 1;
inline constexpr u32 kIOPRIO_CLASS_BE = 2;
inline constexpr u32 kIOPRIO_CLASS_IDLE = 3;

}  // namespace lxss::abi
