#include "lxcore/ipc/eventfd.h"

#include "abi/linux/eventfd.h"
#include "base/text.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/task/process.h"

namespace lxss {

Result<usize> EventFd::read(Task& task, IoBuffer& buffer, u64*) {
  u64 value;
  if (buffer.size() < sizeof value) return Errno::kEINVAL;
  {
    Lock::Held held(lock_);
    if (count_ == 0) {
      if (nonblocking()) return Errno::kEAGAIN;
      TRY(wait_until(task, lock_, changed_, [this] { return count_ != 0; }));
    }
    value = semaphore_ ? 1 : count_.load(std::memory_order_relaxed);
    count_.fetch_sub(value, std::memory_order_relaxed);
    changed_.wake(kWritable);
  }
  TRY(buffer.put(&value, sizeof value));
  return sizeof value;
}

Result<usize> EventFd::write(Task& task, IoBuffer& buffer, u64*) {
  u64 value = 0;
  if (buffer.size() < sizeof value) return Errno::kEINVAL;
  if (TRY(buffer.take(&value, sizeof value)) != sizeof value) return Errno::kEFAULT;
  if (value > abi::kEventfdMax) return Errno::kEINVAL;
  Lock::Held held(lock_);
  if (value > abi::kEventfdMax - count_) {
    if (nonblocking()) return Errno::kEAGAIN;
    TRY(wait_until(task, lock_, changed_, [&] { return value <= abi::kEventfdMax - count_; }));
  }
  count_.fetch_add(value, std::memory_order_relaxed);
  changed_.wake(kReadable);
  return sizeof value;
}

PollEvents EventFd::poll(PollRegistration* registration) {
  if (registration) registration->on(changed_);
  const u64 count = count_.load(std::memory_order_seq_cst);
  PollEvents events{};
  if (count != 0) events |= abi::PollFlag::kPOLLIN;
  if (count < abi::kEventfdMax) events |= abi::PollFlag::kPOLLOUT;
  return events;
}

std::string EventFd::fdinfo() {
  TextBuilder count;
  count.hex(count_.load(std::memory_order_relaxed));
  TextBuilder text;
  text << "eventfd-count: " << std::string(16 - std::min<usize>(16, count.size()), ' ')
       << count.view() << "\neventfd-semaphore: " << (semaphore_ ? 1 : 0) << '\n';
  return text.take();
}

}  // namespace lxss
