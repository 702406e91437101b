#include "lxcore/time/interval_timer.h"

#include <algorithm>

#include "lxcore/kernel.h"

namespace lxss {

u64 IntervalTimer::now() const {
  if (cpu_of_.value == 0) return clocks::now(clocks::Clock{.id = clock_}).value_or(0);
  auto found = kernel().processes.find(cpu_of_);
  return found == kernel().processes.end() ? 0 : clocks::process_cpu_ns(*found->second);
}

void IntervalTimer::start(u64 value_ns, u64 interval_ns, bool absolute) {
  next_ns_ = absolute ? value_ns : clocks::add(now(), value_ns);
  interval_ns_ = interval_ns;
  if (cpu_of_.value == 0 && next_ns_ <= now()) {
    cancel();
    fire();
  } else {
    arm_next(0);
  }
}

void IntervalTimer::stop() {
  cancel();
  next_ns_ = interval_ns_ = 0;
}

u64 IntervalTimer::remaining_ns() const {
  if (next_ns_ == 0) return 0;
  u64 now_ns = now();
  return next_ns_ > now_ns ? next_ns_ - now_ns : 1;
}

void IntervalTimer::arm_next(u64 not_before) {
  u64 deadline;
  if (cpu_of_.value == 0) {
    deadline = clocks::to_monotonic(clock_, next_ns_);
  } else {
    u64 now_ns = now();
    u64 left = next_ns_ > now_ns ? next_ns_ - now_ns : 0;
    auto found = kernel().processes.find(cpu_of_);
    if (found == kernel().processes.end()) return;
    u64 threads = std::max<u64>(1, found->second->thread_count);
    deadline = clocks::add(host::monotonic_ns(), std::max(kCpuPoll, left / threads));
  }
  arm(std::max(deadline, not_before));
}

void IntervalTimer::fire() {
  u64 now_ns = now();
  if (now_ns < next_ns_) return arm_next(0);
  u64 times = 1;
  if (interval_ns_ == 0) {
    next_ns_ = 0;
  } else {
    times += (now_ns - next_ns_) / interval_ns_;
    next_ns_ = clocks::add(next_ns_, times * interval_ns_);
    arm_next(host::monotonic_ns() + kShortestPeriod);
  }
  expired(times);
}

}  // namespace lxss
