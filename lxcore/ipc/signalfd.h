// Signals read from a file (man 2 signalfd): those of whoever reads.
#pragma once

#include <atomic>
#include <vector>

#include "abi/linux/signal.h"
#include "lxcore/vfs/file.h"

namespace lxss {

class SignalFd final : public File {
 public:
  static constexpr char kKind = 0;
  explicit SignalFd(abi::SigSet mask) : File(Locking::kOwn) { set_mask(mask); }
  ~SignalFd() override;
  const void* kind() const override { return &kKind; }

  /// SIGKILL and SIGSTOP are left out.
  void set_mask(abi::SigSet mask) { bits_ = mask.without(abi::kUnblockableSignals).bits; }
  Result<usize> read(Task& task, IoBuffer& buffer, u64* offset) override;
  PollEvents poll(PollRegistration* registration) override;
  std::string fdinfo() override;

 private:
  abi::SigSet mask() const { return abi::SigSet{bits_.load()}; }
  /// Under the kernel lock, as all about signals.
  bool pending(const Task& task) const;
  Result<> wait(Task& task);
  /// Who watches hangs on the queue of a process, which therefore has to stay.
  void keep(Process& process);

  std::atomic<u64> bits_{0};
  /// On whose queues somebody may hang. Guarded by the kernel lock.
  std::vector<RefPtr<Process>> watched_;
};

}  // namespace lxss
