// Signals read from a file (man 2 signalfd): those of whoever reads.
#pragma once

#include "abi/linux/signal.h"
#include "lxcore/vfs/file.h"

namespace lxss {

class SignalFd final : public File {
 public:
  static constexpr char kKind = 0;
  explicit SignalFd(abi::SigSet mask) { set_mask(mask); }
  const void* kind() const override { return &kKind; }

  /// SIGKILL and SIGSTOP are left out.
  void set_mask(abi::SigSet mask) { mask_ = mask.without(abi::kUnblockableSignals); }
  Result<usize> read(Task& task, IoBuffer& buffer, u64* offset) override;
  PollEvents poll(PollRegistration* registration) override;
  std::string fdinfo() override;

 private:
  bool pending(const Task& task) const;
  abi::SigSet mask_;
};

}  // namespace lxss
