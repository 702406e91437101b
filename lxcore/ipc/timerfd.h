// A timer as a file (man 2 timerfd_create).
#pragma once

#include "lxcore/time/interval_timer.h"
#include "lxcore/vfs/file.h"

namespace lxss {

class TimerFd final : public File {
 public:
  static constexpr char kKind = 0;
  explicit TimerFd(i32 clock) : File(Locking::kOwn), clock_(clock), timer_(*this, clock) {}
  ~TimerFd() override;
  const void* kind() const override { return &kKind; }

  /// The setting before.
  abi::Itimerspec set(u64 value_ns, u64 interval_ns, bool absolute);
  abi::Itimerspec setting() const;
  Result<usize> read(Task& task, IoBuffer& buffer, u64* offset) override;
  PollEvents poll(PollRegistration* registration) override;
  std::string fdinfo() override;

 private:
  class Expiry final : public IntervalTimer {
   public:
    Expiry(TimerFd& file, i32 clock) : IntervalTimer(clock), file_(file) {}

   private:
    void expired(u64 times) override;
    TimerFd& file_;
  };

  const i32 clock_;
  Lock lock_{LockRank::kObject};
  std::atomic<u64> expirations_{0};  ///< since the last read; changed under lock_
  WaitQueue expired_;
  Expiry timer_;  ///< guarded by the kernel lock, as all timers
};

}  // namespace lxss
