#include "lxcore/time/timer.h"

#include "lxcore/kernel.h"

namespace lxss {

void Timer::arm(u64 deadline_ns) {
  cancel();
  auto& timers = kernel().timers.timers_;
  const bool earliest = timers.empty() || deadline_ns < timers.begin()->first;
  timers.emplace(deadline_ns, this);
  deadline_ns_ = deadline_ns;
  armed_ = true;
  if (earliest) wake_monitor();
}

void Timer::cancel() {
  if (!armed_) return;
  armed_ = false;
  auto& timers = kernel().timers.timers_;
  auto at = timers.lower_bound(deadline_ns_);
  while (at->second != this) ++at;
  timers.erase(at);
}

u64 TimerQueue::run(u64 now_ns) {
  while (!timers_.empty() && timers_.begin()->first <= now_ns) {
    Timer& timer = *timers_.begin()->second;
    timers_.erase(timers_.begin());
    timer.armed_ = false;
    timer.fire();
  }
  return timers_.empty() ? 0 : timers_.begin()->first;
}

}  // namespace lxss
