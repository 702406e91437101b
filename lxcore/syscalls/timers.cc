// Timers that send signals: setitimer, alarm, timer_create and its kin.
#include <algorithm>
#include <limits>

#include "lxcore/syscalls/time.h"
#include "lxcore/time/posix_timers.h"

namespace lxss::sys {

namespace {

constexpr u64 kMicrosecond = abi::kNSEC_PER_USEC;

abi::Itimerval interval_value(const IntervalTimer& timer) {
  u64 left = timer.remaining_ns();
  // A running timer does not show as stopped.
  if (left != 0) left = std::max(left, kMicrosecond);
  return {clocks::to_timeval(timer.interval_ns()), clocks::to_timeval(left)};
}

abi::Itimerspec interval_spec(const IntervalTimer& timer) {
  return {clocks::to_timespec(timer.interval_ns()), clocks::to_timespec(timer.remaining_ns())};
}

void set(IntervalTimer& timer, u64 value, u64 interval, bool absolute) {
  if (value == 0) {
    timer.stop();
  } else {
    timer.start(value, interval, absolute);
  }
}

Result<PosixTimer*> find_timer(Task& task, i32 id) {
  if (!task.process->timers) return Errno::kEINVAL;
  auto& timers = task.process->timers->timers;
  auto found = timers.find(id);
  if (found == timers.end()) return Errno::kEINVAL;
  return found->second.get();
}

/// EINVAL unless the event says something that a timer can do.
Result<> check_event(Task& task, const abi::SigEvent& event) {
  switch (event.notify) {
    case abi::kSIGEV_NONE:
      return {};
    case abi::kSIGEV_THREAD_ID: {
      bool found = false;
      for (Task& thread : task.process->threads) found |= thread.tid.value == event.tid;
      if (!found) return Errno::kEINVAL;
      break;
    }
    case abi::kSIGEV_SIGNAL:
    case abi::kSIGEV_THREAD:
      break;
    default:
      return Errno::kEINVAL;
  }
  if (event.signo <= 0 || event.signo > kSignalCount) return Errno::kEINVAL;
  return {};
}

}  // namespace

Result<> getitimer(Task& task, i32 which, UserOut<abi::Itimerval> out) {
  SignalTimer* timer = timers_of(*task.process).interval_timer(which);
  if (!timer) return Errno::kEINVAL;
  return out.write(interval_value(*timer));
}

Result<> setitimer(Task& task, i32 which, UserIn<abi::Itimerval> value,
                   UserOut<abi::Itimerval> old_value) {
  // Linux: no new value stops the timer.
  abi::Itimerval setting{};
  if (value) setting = TRY(value.read());
  u64 first = TRY(clocks::to_ns(setting.it_value));
  u64 interval = TRY(clocks::to_ns(setting.it_interval));
  SignalTimer* timer = timers_of(*task.process).interval_timer(which);
  if (!timer) return Errno::kEINVAL;
  abi::Itimerval old = interval_value(*timer);
  set(*timer, first, interval, false);
  if (old_value) TRY(old_value.write(old));
  return {};
}

Result<u32> alarm(Task& task, u32 seconds) {
  SignalTimer& timer = timers_of(*task.process).real;
  u64 left = timer.remaining_ns();
  set(timer, u64{seconds} * clocks::kSecond, 0, false);
  if (left == 0) return u32{0};
  // Linux rounds to the nearest second, but not to zero.
  return static_cast<u32>(std::max<u64>(1, (left + clocks::kSecond / 2) / clocks::kSecond));
}

Result<> timer_create(Task& task, i32 clock_id, UserIn<abi::SigEvent> event, UserOut<i32> id) {
  const clocks::Clock clock = TRY(clocks::find(task, clock_id));
  if (clock.kind == clocks::Clock::Kind::kHost && !clocks::has_timers(clock.id)) {
    return Errno::kEOPNOTSUPP;
  }
  // The monitor cannot read the CPU clocks of single threads.
  if (clock.kind == clocks::Clock::Kind::kThreadCpu) return Errno::kEOPNOTSUPP;
  PosixTimers& own = timers_of(*task.process);
  if (own.timers.size() >= task.limit(abi::kRLIMIT_SIGPENDING)) return Errno::kEAGAIN;
  i32 next = own.next_id;
  while (own.timers.contains(next)) next = next == std::numeric_limits<i32>::max() ? 0 : next + 1;
  abi::SigEvent what{};
  if (event) {
    what = TRY(event.read());
    TRY(check_event(task, what));
  } else {
    what.notify = abi::kSIGEV_SIGNAL;
    what.signo = abi::kSIGALRM;
    what.value.sival_int = next;
  }
  TRY(id.write(next));
  auto timer = clock.kind == clocks::Clock::Kind::kHost
                   ? std::make_unique<PosixTimer>(*task.process, next, what, clock.id)
                   : std::make_unique<PosixTimer>(*task.process, next, what, clock.process->pid);
  own.timers.emplace(next, std::move(timer));
  own.next_id = next == std::numeric_limits<i32>::max() ? 0 : next + 1;
  return {};
}

Result<> timer_settime(Task& task, i32 id, i32 flags, UserIn<abi::Itimerspec> value,
                       UserOut<abi::Itimerspec> old_value) {
  if (!value) return Errno::kEINVAL;
  const abi::Itimerspec setting = TRY(value.read());
  u64 first = TRY(clocks::to_ns(setting.it_value));
  u64 interval = TRY(clocks::to_ns(setting.it_interval));
  PosixTimer* timer = TRY(find_timer(task, id));
  const abi::Itimerspec old = interval_spec(*timer);
  timer->restarted();
  set(*timer, first, interval,
      abi::TimerFlags(static_cast<u32>(flags)).has(abi::TimerFlag::kTIMER_ABSTIME));
  if (old_value) TRY(old_value.write(old));
  return {};
}

Result<> timer_gettime(Task& task, i32 id, UserOut<abi::Itimerspec> out) {
  return out.write(interval_spec(*TRY(find_timer(task, id))));
}

Result<i32> timer_getoverrun(Task& task, i32 id) { return TRY(find_timer(task, id))->overrun(); }

Result<> timer_delete(Task& task, i32 id) {
  TRY(find_timer(task, id));
  task.process->timers->timers.erase(id);
  return {};
}

}  // namespace lxss::sys
