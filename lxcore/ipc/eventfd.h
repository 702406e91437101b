// A counter as a file (man 2 eventfd).
#pragma once

#include "lxcore/vfs/file.h"

namespace lxss {

class EventFd final : public File {
 public:
  EventFd(u64 count, bool semaphore) : File(Locking::kOwn), semaphore_(semaphore), count_(count) {}

  Result<usize> read(Task& task, IoBuffer& buffer, u64* offset) override;
  Result<usize> write(Task& task, IoBuffer& buffer, u64* offset) override;
  PollEvents poll(PollRegistration* registration) override;
  std::string fdinfo() override;

 private:
  const bool semaphore_;
  Lock lock_{LockRank::kObject};
  std::atomic<u64> count_;  ///< changed under lock_; poll reads it without
  WaitQueue changed_;
};

}  // namespace lxss
