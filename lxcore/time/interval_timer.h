// A timer on one of the guest's clocks, single or periodic: what setitimer, timer_settime and
// timerfd have in common.
//
// The kernel's timers know the monotonic clock. Other host clocks are converted when armed, so
// a step of the real-time clock is noticed late, never early. CPU clocks are looked at: an
// expiry is seen at most kCpuPoll after it is due, and never early.
#pragma once

#include "lxcore/time/clocks.h"
#include "lxcore/time/timer.h"

namespace lxss {

class IntervalTimer : public Timer {
 public:
  static constexpr u64 kCpuPoll = 1'000'000;
  /// A period shorter than this is served at this pace, with the right count of expiries.
  static constexpr u64 kShortestPeriod = 100'000;

  /// A host clock.
  explicit IntervalTimer(i32 host_clock) : clock_(host_clock) {}
  /// The CPU clock of a process.
  explicit IntervalTimer(Pid process) : cpu_of_(process) {}

  /// Starts with the first expiry at or in `value_ns`, which is not 0, then each
  /// `interval_ns` unless that is 0.
  void start(u64 value_ns, u64 interval_ns, bool absolute);
  void stop();
  /// Time to the next expiry, 0 if stopped; never 0 while running.
  u64 remaining_ns() const;
  u64 interval_ns() const { return interval_ns_; }

 protected:
  /// It expired `times` times since it was last called or started. Under the kernel lock.
  virtual void expired(u64 times) = 0;

 private:
  void fire() final;
  u64 now() const;
  void arm_next(u64 not_before);

  i32 clock_ = 0;
  Pid cpu_of_;       ///< 0: a host clock
  u64 next_ns_ = 0;  ///< on its clock; 0 if stopped
  u64 interval_ns_ = 0;
};

}  // namespace lxss
