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

struct Setting {
  u64 value_ns, interval_ns;
};

/// What the interval timer said; set to `next` if there is one.
Result<abi::Itimerval> exchange(Task& task, i32 which, std::optional<Setting> next) {
  KernelLock::Held held;
  SignalTimer* timer = timers_of(*task.process).interval_timer(which);
  if (!timer) return Errno::kEINVAL;
  const abi::Itimerval old = interval_value(*timer);
  if (next) set(*timer, next->value_ns, next->interval_ns, false);
  return old;
}

/// Under the kernel lock.
Result<PosixTimer*> find_timer(Task& task, i32 id) {
  if (!task.process->timers) return Errno::kEINVAL;
  auto& timers = task.process->timers->timers;
  auto found = timers.find(id);
  if (found == timers.end()) return Errno::kEINVAL;
  return found->second.get();
}

/// Under the kernel lock: EINVAL unless the event says something that a timer can do.
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

/// Without an event: SIGALRM with the timer's id.
Result<i32> make_timer(Task& task, const clocks::Clock& clock, std::optional<abi::SigEvent> event) {
  KernelLock::Held held;
  Process& process = *task.process;
  PosixTimers& own = timers_of(process);
  if (own.timers.size() >= task.limit(abi::kRLIMIT_SIGPENDING)) return Errno::kEAGAIN;
  constexpr i32 kLast = std::numeric_limits<i32>::max();
  i32 id = own.next_id;
  while (own.timers.contains(id)) id = id == kLast ? 0 : id + 1;
  if (event) {
    TRY(check_event(task, *event));
  } else {
    event = abi::SigEvent{};
    event->notify = abi::kSIGEV_SIGNAL;
    event->signo = abi::kSIGALRM;
    event->value.sival_int = id;
  }
  auto timer = clock.kind == clocks::Clock::Kind::kHost
                   ? std::make_unique<PosixTimer>(process, id, *event, clock.id)
                   : std::make_unique<PosixTimer>(process, id, *event, clock.process->pid);
  own.timers.emplace(id, std::move(timer));
  own.next_id = id == kLast ? 0 : id + 1;
  return id;
}

}  // namespace

Result<> getitimer(UnlockedTask task, i32 which, UserOut<abi::Itimerval> out) {
  return out.write(TRY(exchange(task, which, std::nullopt)));
}

Result<> setitimer(UnlockedTask task, i32 which, UserIn<abi::Itimerval> value,
                   UserOut<abi::Itimerval> old_value) {
  // Linux: no new value stops the timer.
  abi::Itimerval setting{};
  if (value) setting = TRY(value.read());
  u64 first = TRY(clocks::to_ns(setting.it_value));
  u64 interval = TRY(clocks::to_ns(setting.it_interval));
  const abi::Itimerval old = TRY(exchange(task, which, Setting{first, interval}));
  if (old_value) TRY(old_value.write(old));
  return {};
}

Result<u32> alarm(UnlockedTask task, u32 seconds) {
  KernelLock::Held held;
  SignalTimer& timer = timers_of(*task->process).real;
  u64 left = timer.remaining_ns();
  set(timer, u64{seconds} * clocks::kSecond, 0, false);
  if (left == 0) return u32{0};
  // Linux rounds to the nearest second, but not to zero.
  return static_cast<u32>(std::max<u64>(1, (left + clocks::kSecond / 2) / clocks::kSecond));
}

Result<> timer_create(UnlockedTask task, i32 clock_id, UserIn<abi::SigEvent> event,
                      UserOut<i32> id) {
  const clocks::Clock clock = TRY(clocks::find(task, clock_id));
  if (clock.kind == clocks::Clock::Kind::kHost && !clocks::has_timers(clock.id)) {
    return Errno::kEOPNOTSUPP;
  }
  // The monitor cannot read the CPU clocks of single threads.
  if (clock.kind == clocks::Clock::Kind::kThreadCpu) return Errno::kEOPNOTSUPP;
  std::optional<abi::SigEvent> what;
  if (event) what = TRY(event.read());
  const i32 made = TRY(make_timer(task, clock, what));
  if (auto told = id.write(made); !told.ok()) {
    (void)timer_delete(task, made);
    return told;
  }
  return {};
}

Result<> timer_settime(UnlockedTask task, i32 id, i32 flags, UserIn<abi::Itimerspec> value,
                       UserOut<abi::Itimerspec> old_value) {
  if (!value) return Errno::kEINVAL;
  const abi::Itimerspec setting = TRY(value.read());
  u64 first = TRY(clocks::to_ns(setting.it_value));
  u64 interval = TRY(clocks::to_ns(setting.it_interval));
  kernel_lock().lock();
  auto timer = find_timer(task, id);
  abi::Itimerspec old{};
  if (timer.ok()) {
    old = interval_spec(**timer);
    (*timer)->restarted();
    set(**timer, first, interval,
        abi::TimerFlags(static_cast<u32>(flags)).has(abi::TimerFlag::kTIMER_ABSTIME));
  }
  kernel_lock().unlock();
  if (!timer.ok()) return timer.error();
  if (old_value) TRY(old_value.write(old));
  return {};
}

Result<> timer_gettime(UnlockedTask task, i32 id, UserOut<abi::Itimerspec> out) {
  auto look = [&]() -> Result<abi::Itimerspec> {
    KernelLock::Held held;
    return interval_spec(*TRY(find_timer(task, id)));
  };
  return out.write(TRY(look()));
}

Result<i32> timer_getoverrun(UnlockedTask task, i32 id) {
  KernelLock::Held held;
  PosixTimer* timer = TRY(find_timer(task, id));
  return timer->overrun();
}

Result<> timer_delete(UnlockedTask task, i32 id) {
  KernelLock::Held held;
  TRY(find_timer(task, id));
  task->process->timers->timers.erase(id);
  return {};
}

}  // namespace lxss::sys
