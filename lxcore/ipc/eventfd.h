// A counter as a file (man 2 eventfd).
#pragma once

#include "lxcore/vfs/file.h"

namespace lxss {

class EventFd final : public File {
 public:
  EventFd(u64 count, bool semaphore) : count_(count), semaphore_(semaphore) {}

  Result<usize> read(Task& task, IoBuffer& buffer, u64* offset) override;
  Result<usize> write(Task& task, IoBuffer& buffer, u64* offset) override;
  PollEvents poll(PollRegistration* registration) override;
  std::string fdinfo() override;

 private:
  u64 count_;
  bool semaphore_;
  WaitQueue changed_;
};

}  // namespace lxss
