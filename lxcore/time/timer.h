// Kernel timers: something happens at a time of the monotonic clock. The first process
// (the monitor) sleeps until the earliest deadline and fires what is due.
#pragma once

#include <map>

#include "base/types.h"

namespace lxss {

class TimerQueue;

/// Owned by whoever arms it; cancelled when destroyed. Guarded by the kernel lock.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() { cancel(); }
  /// Called by the monitor under the kernel lock, once per arm().
  virtual void fire() = 0;
  /// At `deadline_ns` of the monotonic clock; replaces an earlier arming.
  void arm(u64 deadline_ns);
  void cancel();
  bool armed() const { return armed_; }
  u64 deadline_ns() const { return deadline_ns_; }

 private:
  friend class TimerQueue;
  u64 deadline_ns_ = 0;
  bool armed_ = false;
};

class TimerQueue {
 public:
  /// Fires all that are due at `now_ns`; the next deadline, or 0 if there is none.
  u64 run(u64 now_ns);

 private:
  friend class Timer;
  std::multimap<u64, Timer*> timers_;
};

}  // namespace lxss
