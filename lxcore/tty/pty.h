// Pseudo-terminals (man 7 pty): a Tty whose keyboard and display are another program, which
// holds the master.
#pragma once

#include "lxcore/tty/tty.h"

namespace lxss {

class Pty final : public Tty {
 public:
  /// What the master's program has and the slave's can no longer flush away (as on Linux,
  /// whose master has a queue of its own).
  static constexpr usize kTakenOutput = 4095;

  explicit Pty(const Credentials& owner);

  bool locked() const override { return locked_.load(std::memory_order_relaxed); }

  // The master's side.
  Result<usize> master_read(Task& task, IoBuffer& buffer, bool wait);
  Result<usize> master_write(Task& task, IoBuffer& buffer, bool wait);
  PollEvents master_poll(PollRegistration* registration);
  Result<u64> master_ioctl(Task& task, u32 request, u64 argument);
  /// The master is gone: the terminal hangs up for good.
  void master_closed();

 private:
  /// All who had the slave open have closed it.
  bool slave_closed() const LXSS_REQUIRES(lock_) { return was_opened_ && users_ == 0; }
  bool has_packet_event() const LXSS_REQUIRES(lock_) { return packet_mode_ && packet_events_ != 0; }
  bool master_readable() const LXSS_REQUIRES(lock_) {
    return !output_.empty() || has_packet_event() || slave_closed();
  }
  Result<> wait_for_room(Task& task, bool wait) LXSS_REQUIRES(lock_);
  Result<u64> open_peer(Task& task, abi::OpenFlags flags);

  void output_added() override LXSS_REQUIRES(lock_);
  void input_taken() override LXSS_REQUIRES(lock_);
  Result<> drain(Task&) override { return {}; }
  void notify_packet(u32 events) override LXSS_REQUIRES(lock_);
  void users_changed() override LXSS_REQUIRES(lock_);
  usize output_beyond_flush() const override { return kTakenOutput; }

  std::atomic<bool> locked_{true};
  bool was_opened_ LXSS_GUARDED_BY(lock_) = false;
  bool packet_mode_ LXSS_GUARDED_BY(lock_) = false;
  u32 packet_events_ LXSS_GUARDED_BY(lock_) = 0;
  WaitQueue master_events_;
};

/// The open master. There is one per Pty, however many descriptors.
class PtyMasterFile final : public File {
 public:
  static constexpr char kKind = 0;
  explicit PtyMasterFile(RefPtr<Pty> pty) : File(Locking::kOwn), pty_(std::move(pty)) {}
  ~PtyMasterFile() override { pty_->master_closed(); }

  const void* kind() const override { return &kKind; }
  Result<usize> read(Task& task, IoBuffer& buffer, u64*) override {
    return pty_->master_read(task, buffer, !nonblocking());
  }
  Result<usize> write(Task& task, IoBuffer& buffer, u64*) override {
    return pty_->master_write(task, buffer, !nonblocking());
  }
  Result<u64> seek(i64, i32) override { return Errno::kESPIPE; }
  PollEvents poll(PollRegistration* registration) override {
    return pty_->master_poll(registration);
  }
  Result<u64> ioctl(Task& task, u32 request, u64 argument) override {
    return pty_->master_ioctl(task, request, argument);
  }
  std::string fdinfo() override;

 private:
  const RefPtr<Pty> pty_;
};

}  // namespace lxss
