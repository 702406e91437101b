#include "lxcore/ipc/timerfd.h"

#include "base/text.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/task/process.h"

namespace lxss {

TimerFd::~TimerFd() {
  KernelLock::Held held;
  timer_.stop();
}

void TimerFd::Expiry::expired(u64 times) {
  Lock::Held held(file_.lock_);
  file_.expirations_.fetch_add(times, std::memory_order_relaxed);
  file_.expired_.wake(kReadable);
}

abi::Itimerspec TimerFd::set(u64 value_ns, u64 interval_ns, bool absolute) {
  KernelLock::Held held;
  const abi::Itimerspec before = setting();
  {
    Lock::Held count(lock_);
    expirations_ = 0;
  }
  if (value_ns == 0) {
    timer_.stop();
  } else {
    timer_.start(value_ns, interval_ns, absolute);
  }
  return before;
}

abi::Itimerspec TimerFd::setting() const {
  KernelLock::Held held;
  return {clocks::to_timespec(timer_.interval_ns()), clocks::to_timespec(timer_.remaining_ns())};
}

Result<usize> TimerFd::read(Task& task, IoBuffer& buffer, u64*) {
  u64 count;
  if (buffer.size() < sizeof count) return Errno::kEINVAL;
  {
    Lock::Held held(lock_);
    if (expirations_ == 0) {
      if (nonblocking()) return Errno::kEAGAIN;
      TRY(wait_until(task, lock_, expired_, [this] { return expirations_ != 0; }));
    }
    count = expirations_.exchange(0, std::memory_order_relaxed);
  }
  TRY(buffer.put(&count, sizeof count));
  return sizeof count;
}

PollEvents TimerFd::poll(PollRegistration* registration) {
  if (registration) registration->on(expired_);
  return expirations_ != 0 ? abi::PollFlag::kPOLLIN : PollEvents{};
}

std::string TimerFd::fdinfo() {
  auto print = [](TextBuilder& text, const char* name, const abi::Timespec& time) {
    text << name << ": (" << time.tv_sec << ", " << time.tv_nsec << ")\n";
  };
  const abi::Itimerspec now = setting();
  TextBuilder text;
  text << "clockid: " << clock_ << "\nticks: " << expirations_.load() << "\nsettime flags: 00\n";
  print(text, "it_value", now.it_value);
  print(text, "it_interval", now.it_interval);
  return text.take();
}

}  // namespace lxss
