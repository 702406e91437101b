// nanosleep and clock_nanosleep, and how calls that wait for a time go on after a stop.
#include <algorithm>

#include "host/clock.h"
#include "lxcore/syscalls/poll.h"
#include "lxcore/syscalls/time.h"
#include "lxcore/time/clocks.h"

namespace lxss::sys {

namespace {

using clocks::Clock;
using Kind = Task::Restart::Kind;

/// A clock that can be set is looked at this often.
constexpr u64 kLookAgain = 10 * clocks::kSecond;

u64 time_until(const Clock& clock, u64 deadline) {
  auto now = clocks::now(clock);
  return now.ok() && *now < deadline ? deadline - *now : 0;
}

/// Sleeps until the clock shows `deadline`; ERESTARTSYS if interrupted before.
Result<> sleep_until(Task& task, const Clock& clock, u64 deadline) {
  for (;;) {
    Wait wait(task);
    u64 left = time_until(clock, deadline);
    if (left == 0) return {};
    // CPU clocks advance no faster than all threads together.
    if (clock.kind != Clock::Kind::kHost) {
      left = std::max<u64>(left / std::max<u64>(1, task.process->thread_count), 1'000'000);
    } else if (clock.id != abi::kCLOCK_MONOTONIC && clock.id != abi::kCLOCK_BOOTTIME) {
      left = std::min(left, kLookAgain);
    }
    auto slept = wait.sleep(clocks::deadline_after(left));
    if (slept.is(Errno::kERESTARTSYS)) return slept;
  }
}

/// A relative sleep up to the deadline; when interrupted, restart_syscall goes on with it.
Result<> sleep_for(Task& task, i32 clock_id, const Clock& clock, u64 deadline,
                   UserOut<abi::Timespec> remaining) {
  auto slept = sleep_until(task, clock, deadline);
  if (slept.ok()) return {};
  u64 left = time_until(clock, deadline);
  if (left == 0) return {};
  if (remaining) TRY(remaining.write(clocks::to_timespec(left)));
  task.restart = {.clock = clock_id,
                  .deadline = clocks::to_timespec(deadline),
                  .remaining = remaining.address,
                  .kind = Kind::kSleep,
                  .arguments = {}};
  return Errno::kERESTART_RESTARTBLOCK;
}

/// The clock by which a relative sleep is measured: steps of the real-time clock do not count.
i32 measuring_clock(i32 clock) {
  return clock == abi::kCLOCK_REALTIME || clock == abi::kCLOCK_TAI ? abi::kCLOCK_MONOTONIC : clock;
}

Result<> sleep_relative(Task& task, i32 clock_id, u64 duration, UserOut<abi::Timespec> remaining) {
  clock_id = measuring_clock(clock_id);
  const Clock clock = TRY(clocks::find(task, clock_id));
  u64 deadline = clocks::add(TRY(clocks::now(clock)), duration);
  return sleep_for(task, clock_id, clock, deadline, remaining);
}

}  // namespace

Result<> nanosleep(UnlockedTask task, UserIn<abi::Timespec> request,
                   UserOut<abi::Timespec> remaining) {
  u64 duration = TRY(clocks::to_ns(TRY(request.read())));
  return sleep_relative(task, abi::kCLOCK_MONOTONIC, duration, remaining);
}

Result<> clock_nanosleep(UnlockedTask task, i32 clock_id, u32 flags, UserIn<abi::Timespec> request,
                         UserOut<abi::Timespec> remaining) {
  const Clock clock = TRY(clocks::find(task, clock_id));
  if (clock.kind == Clock::Kind::kHost && !clocks::has_timers(clock.id)) return Errno::kEOPNOTSUPP;
  // Linux: a thread's own CPU clock would never get there; the dynamic id of one is no clock.
  if (clock_id == abi::kCLOCK_THREAD_CPUTIME_ID) return Errno::kEOPNOTSUPP;
  if (clock.kind == Clock::Kind::kThreadCpu) return Errno::kEINVAL;
  u64 time = TRY(clocks::to_ns(TRY(request.read())));
  if (!abi::TimerFlags(flags).has(abi::TimerFlag::kTIMER_ABSTIME)) {
    return sleep_relative(task, clock_id, time, remaining);
  }
  if (!sleep_until(task, clock, time).ok()) return Errno::kERESTARTNOHAND;
  return {};
}

Result<u64> restart_syscall(UnlockedTask task) {
  const Task::Restart restart = std::exchange(task->restart, {});
  switch (restart.kind) {
    case Kind::kSleep: {
      const Clock clock = TRY(clocks::find(task, restart.clock));
      TRY(sleep_for(task, restart.clock, clock, TRY(clocks::to_ns(restart.deadline)),
                    UserOut<abi::Timespec>{restart.remaining}));
      return u64{0};
    }
    case Kind::kPoll: {
      KernelLock::Held held;
      return u64(TRY(restart_poll(task, restart)));
    }
    case Kind::kFutex:
    case Kind::kNone:
      break;
  }
  return Errno::kEINTR;
}

}  // namespace lxss::sys
