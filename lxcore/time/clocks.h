// Linux's clocks, and conversions between its time structures and nanoseconds.
//
// Times are u64 ns; kMaxTime stands for everything later (292 years).
#pragma once

#include "abi/linux/time.h"
#include "base/ref_ptr.h"
#include "base/result.h"
#include "host/wait.h"

namespace lxss {

class Process;
class Task;

namespace clocks {

inline constexpr u64 kSecond = abi::kNSEC_PER_SEC;
inline constexpr u64 kMaxTime = ~u64{0} >> 1;

/// EINVAL for a negative or not normalised time; later ones than kMaxTime become kMaxTime.
Result<u64> to_ns(const abi::Timespec& time);
Result<u64> to_ns(const abi::Timeval& time);
abi::Timespec to_timespec(u64 ns);
abi::Timeval to_timeval(u64 ns);

/// a + b, at most kMaxTime.
constexpr u64 add(u64 a, u64 b) { return a > kMaxTime || b > kMaxTime - a ? kMaxTime : a + b; }
/// The monotonic time `timeout_ns` from now; never for kMaxTime.
host::Deadline deadline_after(u64 timeout_ns);
/// The same for poll_files and Epoll::wait, where a deadline of 0 says: only look.
host::Deadline poll_deadline(u64 timeout_ns);
/// Time left until a deadline; 0 behind it.
u64 time_left(u64 deadline_ns);

/// What a clock id of the guest names.
struct Clock {
  enum class Kind : u8 { kHost, kProcessCpu, kThreadCpu } kind = Kind::kHost;
  i32 id = 0;                 ///< kHost: Linux's clock id
  RefPtr<Process> process{};  ///< kProcessCpu
  i32 host_thread = 0;        ///< kThreadCpu: of the caller's process
};
/// EINVAL if there is no such clock, process or thread. Without locks.
Result<Clock> find(Task& task, i32 clock_id);
/// A clock's time.
Result<u64> now(const Clock& clock);

/// CPU time used by all threads, also those that ended. The host does not tell user from
/// system time of what runs in a pico process: it is one sum. Without locks.
u64 process_cpu_ns(const Process& process);

/// The monotonic deadline at which a host clock, left alone, will show `time_ns`.
u64 to_monotonic(i32 host_clock, u64 time_ns);

/// True for the clocks that can be slept on. Others are EOPNOTSUPP: the coarse and raw variants,
/// and the alarm clocks, as on a machine without a clock that could wake it.
constexpr bool has_timers(i32 host_clock) {
  return host_clock == abi::kCLOCK_REALTIME || host_clock == abi::kCLOCK_MONOTONIC ||
         host_clock == abi::kCLOCK_BOOTTIME || host_clock == abi::kCLOCK_TAI;
}

}  // namespace clocks
}  // namespace lxss
