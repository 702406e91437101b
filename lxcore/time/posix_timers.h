// A process's timers that send signals: setitimer, alarm and timer_create.
//
// The PosixTimers object belongs to its Process, is made at first use and is not inherited by
// fork. Guarded by the kernel lock.
#pragma once

#include <map>
#include <memory>

#include "abi/linux/signal.h"
#include "lxcore/task/process.h"
#include "lxcore/time/interval_timer.h"

namespace lxss {

/// One of getitimer's three.
class SignalTimer final : public IntervalTimer {
 public:
  SignalTimer(Process& process, i32 signal, i32 host_clock)
      : IntervalTimer(host_clock), process_(process), signal_(signal) {}
  SignalTimer(Process& process, i32 signal)
      : IntervalTimer(process.pid), process_(process), signal_(signal) {}

 private:
  void expired(u64 times) override;
  Process& process_;
  i32 signal_;
};

/// RLIMIT_CPU (man 2 getrlimit): SIGXCPU at the soft limit and each second from then on,
/// SIGKILL at the hard limit.
class CpuLimitTimer final : public IntervalTimer {
 public:
  explicit CpuLimitTimer(Process& process) : IntervalTimer(process.pid), process_(process) {}

 private:
  void expired(u64 times) override;
  Process& process_;
};

/// Made by timer_create.
class PosixTimer final : public IntervalTimer {
 public:
  template <typename Clock>
  PosixTimer(Process& process, i32 id, const abi::SigEvent& event, Clock clock)
      : IntervalTimer(clock), process_(process), id_(id), event_(event) {}

  /// Expiries that the signal last delivered stands for, besides the first.
  i32 overrun() const { return overrun_; }
  /// Its signal is being delivered.
  void taken(abi::SigInfo& info);
  void restarted() {
    queued_ = false;
    waiting_ = 0;
  }

 private:
  void expired(u64 times) override;
  /// Where its signal goes, or null if that thread has gone.
  const PendingSignals* pending_at() const;

  Process& process_;
  i32 id_;
  abi::SigEvent event_;
  bool queued_ = false;  ///< its signal has been sent and not been seen delivered
  u64 waiting_ = 0;      ///< expiries since then
  i32 overrun_ = 0;
};

class PosixTimers final : public RefCounted {
 public:
  explicit PosixTimers(Process& process)
      : real(process, abi::kSIGALRM, abi::kCLOCK_MONOTONIC),
        virtual_time(process, abi::kSIGVTALRM),
        profiling(process, abi::kSIGPROF),
        cpu_limit(process) {}

  SignalTimer real, virtual_time, profiling;
  CpuLimitTimer cpu_limit;
  std::map<i32, std::unique_ptr<PosixTimer>> timers;
  i32 next_id = 0;

  /// getitimer's `which`; null if there is none such.
  SignalTimer* interval_timer(i32 which);
};

/// The process's timers, made if it has none.
PosixTimers& timers_of(Process& process);

/// RLIMIT_CPU was set, or inherited.
void arm_cpu_limit(Process& process);
/// exec: timers made by timer_create go, those of setitimer stay.
void timers_on_exec(Process& process);
void timers_on_exit(Process& process);
/// The signal code took this SI_TIMER signal to deliver it: its overrun count is filled in.
void timer_signal_taken(Process& process, abi::SigInfo& info);

}  // namespace lxss
