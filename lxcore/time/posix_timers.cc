#include "lxcore/time/posix_timers.h"

#include <algorithm>
#include <limits>

#include "lxcore/kernel.h"

namespace lxss {

void SignalTimer::expired(u64) { signals::send(process_, signals::kernel_info(signal_)); }

const PendingSignals* PosixTimer::pending_at() const {
  if (event_.notify != abi::kSIGEV_THREAD_ID) return &process_.pending;
  auto found = kernel().tasks.find(Pid{event_.tid});
  if (found == kernel().tasks.end() || found->second->process != &process_) return nullptr;
  return &found->second->pending;
}

void PosixTimer::expired(u64 times) {
  if (event_.notify == abi::kSIGEV_NONE) return;
  const PendingSignals* pending = pending_at();
  if (!pending) return;
  if (queued_ && pending->set().has(event_.signo)) {
    waiting_ += times;
    return;
  }
  queued_ = true;
  waiting_ = times - 1;
  overrun_ = static_cast<i32>(std::min<u64>(waiting_, std::numeric_limits<i32>::max()));
  abi::SigInfo info{};
  info.signo = event_.signo;
  info.code = abi::kSI_TIMER;
  info.timer.timerid = id_;
  info.timer.overrun = overrun_;
  info.timer.sigval = event_.value;
  if (event_.notify == abi::kSIGEV_THREAD_ID) {
    signals::send(*kernel().tasks.find(Pid{event_.tid})->second, info);
  } else {
    signals::send(process_, info);
  }
}

void PosixTimer::taken(abi::SigInfo& info) {
  if (!queued_) return;
  queued_ = false;
  overrun_ = static_cast<i32>(std::min<u64>(waiting_, std::numeric_limits<i32>::max()));
  waiting_ = 0;
  info.timer.overrun = overrun_;
}

SignalTimer* PosixTimers::interval_timer(i32 which) {
  switch (which) {
    case abi::kITIMER_REAL:
      return &real;
    case abi::kITIMER_VIRTUAL:
      return &virtual_time;
    case abi::kITIMER_PROF:
      return &profiling;
    default:
      return nullptr;
  }
}

PosixTimers& timers_of(Process& process) {
  if (!process.timers) process.timers = make_ref<PosixTimers>(process);
  return *process.timers;
}

void CpuLimitTimer::expired(u64) {
  const u64 hard = process_.limits[abi::kRLIMIT_CPU].rlim_max;
  const bool over =
      hard != abi::kRLIM_INFINITY && clocks::process_cpu_ns(process_) / clocks::kSecond >= hard;
  signals::send(process_, signals::kernel_info(over ? abi::kSIGKILL : abi::kSIGXCPU));
}

void arm_cpu_limit(Process& process) {
  const u64 seconds = process.limit(abi::kRLIMIT_CPU);
  if (seconds == abi::kRLIM_INFINITY) {
    if (process.timers) process.timers->cpu_limit.stop();
    return;
  }
  const u64 at = std::min(std::max<u64>(seconds, 1), clocks::kMaxTime / clocks::kSecond);
  timers_of(process).cpu_limit.start(at * clocks::kSecond, clocks::kSecond, true);
}

void timers_on_exec(Process& process) {
  if (process.timers) process.timers->timers.clear();
}

void timers_on_exit(Process& process) { process.timers = nullptr; }

void timer_signal_taken(Process& process, abi::SigInfo& info) {
  if (!process.timers) return;
  auto found = process.timers->timers.find(info.timer.timerid);
  if (found != process.timers->timers.end()) found->second->taken(info);
}

}  // namespace lxss
