// Time values, clocks, interval timers and timer descriptors.
// Man pages: clock_gettime(2), clock_nanosleep(2), gettimeofday(2), getitimer(2),
// timer_create(2), timer_settime(2), timerfd_create(2), times(2), adjtimex(2), time(7).
#pragma once

#include <cstddef>

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

struct Timespec {
  i64 tv_sec;
  i64 tv_nsec;
};
static_assert(sizeof(Timespec) == 16);

struct Timeval {
  i64 tv_sec;
  i64 tv_usec;
};
static_assert(sizeof(Timeval) == 16);

struct Timezone {
  i32 tz_minuteswest;
  i32 tz_dsttime;
};
static_assert(sizeof(Timezone) == 8);

struct Itimerval {
  Timeval it_interval;
  Timeval it_value;
};
static_assert(sizeof(Itimerval) == 32);

struct Itimerspec {
  Timespec it_interval;
  Timespec it_value;
};
static_assert(sizeof(Itimerspec) == 32);

struct Utimbuf {
  i64 actime;
  i64 modtime;
};
static_assert(sizeof(Utimbuf) == 16);

// times(2): in clock ticks (kUSER_HZ per second).
struct Tms {
  i64 tms_utime;
  i64 tms_stime;
  i64 tms_cutime;
  i64 tms_cstime;
};
static_assert(sizeof(Tms) == 32);
inline constexpr i64 kUSER_HZ = 100;

inline constexpr i64 kNSEC_PER_SEC = 1'000'000'000;
inline constexpr i64 kNSEC_PER_USEC = 1'000;
inline constexpr i64 kUSEC_PER_SEC = 1'000'000;

// Clock ids
inline constexpr i32 kCLOCK_REALTIME = 0;
inline constexpr i32 kCLOCK_MONOTONIC = 1;
inline constexpr i32 kCLOCK_PROCESS_CPUTIME_ID = 2;
inline constexpr i32 kCLOCK_THREAD_CPUTIME_ID = 3;
inline constexpr i32 kCLOCK_MONOTONIC_RAW = 4;
inline constexpr i32 kCLOCK_REALTIME_COARSE = 5;
inline constexpr i32 kCLOCK_MONOTONIC_COARSE = 6;
inline constexpr i32 kCLOCK_BOOTTIME = 7;
inline constexpr i32 kCLOCK_REALTIME_ALARM = 8;
inline constexpr i32 kCLOCK_BOOTTIME_ALARM = 9;
inline constexpr i32 kCLOCK_SGI_CYCLE = 10;
inline constexpr i32 kCLOCK_TAI = 11;

// A negative clock id names a process's or thread's CPU clock: (~id << 3) | kind, where bit 2
// says thread; kind 3 is a clock device given by file descriptor.
inline constexpr i32 kCPUCLOCK_PERTHREAD_MASK = 4;
inline constexpr i32 kCPUCLOCK_CLOCK_MASK = 3;
inline constexpr i32 kCPUCLOCK_PROF = 0;
inline constexpr i32 kCPUCLOCK_VIRT = 1;
inline constexpr i32 kCPUCLOCK_SCHED = 2;
inline constexpr i32 kCLOCKFD = 3;
constexpr i32 cpu_clock_pid(i32 clock) { return ~(clock >> 3); }

// getitimer(2)
inline constexpr i32 kITIMER_REAL = 0;
inline constexpr i32 kITIMER_VIRTUAL = 1;
inline constexpr i32 kITIMER_PROF = 2;

// clock_nanosleep(2), timer_settime(2)
enum class TimerFlag : u32 {
  kTIMER_ABSTIME = 0x1,
};
LXSS_FLAGS(TimerFlag)
using TimerFlags = Flags<TimerFlag>;

// timerfd_create(2), timerfd_settime(2)
enum class TfdFlag : u32 {
  kTFD_TIMER_ABSTIME = 01,
  kTFD_TIMER_CANCEL_ON_SET = 02,
};
LXSS_FLAGS(TfdFlag)
using TfdFlags = Flags<TfdFlag>;

enum class TfdCreateFlag : u32 {
  kTFD_CLOEXEC = 02000000,
  kTFD_NONBLOCK = 04000,
};
LXSS_FLAGS(TfdCreateFlag)
using TfdCreateFlags = Flags<TfdCreateFlag>;

inline constexpr u32 kTFD_IOC_SET_TICKS = 0x40085400;

// adjtimex(2)
struct Timex {
  u32 modes;
  u32 pad0;
  i64 offset;
  i64 freq;
  i64 maxerror;
  i64 esterror;
  i32 status;
  u32 pad1;
  i64 constant;
  i64 precision;
  i64 tolerance;
  Timeval time;
  i64 tick;
  i64 ppsfreq;
  i64 jitter;
  i32 shift;
  u32 pad2;
  i64 stabil;
  i64 jitcnt;
  i64 calcnt;
  i64 errcnt;
  i64 stbcnt;
  i32 tai;
  i32 pad3[11];
};
static_assert(sizeof(Timex) == 208);
static_assert(offsetof(Timex, time) == 72);
static_assert(offsetof(Timex, tai) == 160);
inline constexpr u32 kADJ_OFFSET = 0x1;
inline constexpr u32 kADJ_FREQUENCY = 0x2;
inline constexpr u32 kADJ_MAXERROR = 0x4;
inline constexpr u32 kADJ_ESTERROR = 0x8;
inline constexpr u32 kADJ_STATUS = 0x10;
inline constexpr u32 kADJ_TIMECONST = 0x20;
inline constexpr u32 kADJ_TAI = 0x80;
inline constexpr u32 kADJ_SETOFFSET = 0x100;
inline constexpr u32 kADJ_MICRO = 0x1000;
inline constexpr u32 kADJ_NANO = 0x2000;
inline constexpr u32 kADJ_TICK = 0x4000;
inline constexpr u32 kADJ_OFFSET_SINGLESHOT = 0x8001;
inline constexpr u32 kADJ_OFFSET_SS_READ = 0xa001;
inline constexpr i32 kSTA_PLL = 0x1;
inline constexpr i32 kSTA_PPSFREQ = 0x2;
inline constexpr i32 kSTA_PPSTIME = 0x4;
inline constexpr i32 kSTA_FLL = 0x8;
inline constexpr i32 kSTA_INS = 0x10;
inline constexpr i32 kSTA_DEL = 0x20;
inline constexpr i32 kSTA_UNSYNC = 0x40;
inline constexpr i32 kSTA_FREQHOLD = 0x80;
inline constexpr i32 kSTA_PPSSIGNAL = 0x100;
inline constexpr i32 kSTA_PPSJITTER = 0x200;
inline constexpr i32 kSTA_PPSWANDER = 0x400;
inline constexpr i32 kSTA_PPSERROR = 0x800;
inline constexpr i32 kSTA_CLOCKERR = 0x1000;
inline constexpr i32 kSTA_NANO = 0x2000;
inline constexpr i32 kSTA_MODE = 0x4000;
inline constexpr i32 kSTA_CLK = 0x8000;
inline constexpr i32 kTIME_OK = 0;
inline constexpr i32 kTIME_INS = 1;
inline constexpr i32 kTIME_DEL = 2;
inline constexpr i32 kTIME_OOP = 3;
inline constexpr i32 kTIME_WAIT = 4;
inline constexpr i32 kTIME_BAD = 5;
inline constexpr i32 kTIME_ERROR = 5;

}  // namespace lxss::abi
