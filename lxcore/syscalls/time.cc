// Reading clocks. They are the host's; nothing here sets one: EPERM, as without CAP_SYS_TIME.
#include "lxcore/syscalls/time.h"

#include "host/clock.h"
#include "lxcore/time/clocks.h"

namespace lxss::sys {

namespace {

constexpr u64 kNsPerTick = clocks::kSecond / abi::kUSER_HZ;

i64 ticks(u64 ns) { return static_cast<i64>(ns / kNsPerTick); }

}  // namespace

Result<> clock_gettime(Task& task, i32 clock, UserOut<abi::Timespec> out) {
  const auto found = TRY(clocks::find(task, clock));
  return out.write(clocks::to_timespec(TRY(clocks::now(found))));
}

Result<> clock_getres(Task& task, i32 clock, UserOut<abi::Timespec> out) {
  const auto found = TRY(clocks::find(task, clock));
  abi::Timespec resolution{0, 1};
  if (found.kind == clocks::Clock::Kind::kHost) resolution = TRY(host::clock_resolution(found.id));
  if (out) TRY(out.write(resolution));
  return {};
}

Result<> clock_settime(Task& task, i32 clock, UserIn<abi::Timespec> time) {
  // Linux: no other clock can be set at all.
  const auto found = TRY(clocks::find(task, clock));
  if (found.kind != clocks::Clock::Kind::kHost || found.id != abi::kCLOCK_REALTIME) {
    return Errno::kEINVAL;
  }
  TRY(clocks::to_ns(TRY(time.read())));
  return Errno::kEPERM;
}

Result<> gettimeofday(UnlockedTask, UserOut<abi::Timeval> out, UserOut<abi::Timezone> zone) {
  if (out) TRY(out.write(clocks::to_timeval(host::realtime_ns())));
  if (zone) TRY(zone.write({}));
  return {};
}

Result<> settimeofday(Task&, UserIn<abi::Timeval> time, UserIn<abi::Timezone> zone) {
  if (time) TRY(clocks::to_ns(TRY(time.read())));
  if (zone) TRY(zone.read());
  return Errno::kEPERM;
}

Result<i64> time(UnlockedTask, UserOut<i64> out) {
  i64 seconds = static_cast<i64>(host::realtime_ns() / clocks::kSecond);
  if (out) TRY(out.write(seconds));
  return seconds;
}

Result<i64> times(Task& task, UserOut<abi::Tms> out) {
  const Process& process = *task.process;
  if (out) {
    const abi::Rusage use = host::usage(abi::kRUSAGE_SELF);
    TRY(out.write({ticks(TRY(clocks::to_ns(use.ru_utime))), ticks(TRY(clocks::to_ns(use.ru_stime))),
                   ticks(process.children_user_ns), ticks(process.children_system_ns)}));
  }
  return ticks(host::boottime_ns());
}

Result<i32> clock_adjtime(Task& task, i32 clock, UserInOut<abi::Timex> timex) {
  abi::Timex values = TRY(timex.read());
  const auto found = TRY(clocks::find(task, clock));
  if (found.kind != clocks::Clock::Kind::kHost || found.id != abi::kCLOCK_REALTIME) {
    return Errno::kEOPNOTSUPP;
  }
  if (values.modes != 0 && values.modes != abi::kADJ_OFFSET_SS_READ) return Errno::kEPERM;
  // The host's clock discipline is not the guest's business: a clock without one.
  constexpr i64 kUnknownError = 16'000'000;
  values.offset = values.freq = 0;
  values.maxerror = values.esterror = kUnknownError;
  values.status = abi::kSTA_UNSYNC;
  values.constant = 2;
  values.precision = 1;
  values.tolerance = 32'768'000;
  values.tick = abi::kUSEC_PER_SEC / abi::kUSER_HZ;
  values.time = clocks::to_timeval(host::realtime_ns());
  values.ppsfreq = values.jitter = values.stabil = 0;
  values.jitcnt = values.calcnt = values.errcnt = values.stbcnt = 0;
  values.shift = values.tai = 0;
  TRY(timex.write(values));
  return abi::kTIME_ERROR;
}

Result<i32> adjtimex(Task& task, UserInOut<abi::Timex> timex) {
  return clock_adjtime(task, abi::kCLOCK_REALTIME, timex);
}

}  // namespace lxss::sys
