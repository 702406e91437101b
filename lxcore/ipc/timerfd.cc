#include "lxcore/ipc/timerfd.h"

#include "base/text.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/task/process.h"

namespace lxss {

void TimerFd::Expiry::expired(u64 times) {
  file_.expirations_ += times;
  file_.expired_.wake(kReadable);
}

void TimerFd::set(u64 value_ns, u64 interval_ns, bool absolute) {
  expirations_ = 0;
  if (value_ns == 0) {
    timer_.stop();
  } else {
    timer_.start(value_ns, interval_ns, absolute);
  }
}

abi::Itimerspec TimerFd::setting() const {
  return {clocks::to_timespec(timer_.interval_ns()), clocks::to_timespec(timer_.remaining_ns())};
}

Result<usize> TimerFd::read(Task& task, IoBuffer& buffer, u64*) {
  u64 count;
  if (buffer.size() < sizeof count) return Errno::kEINVAL;
  if (expirations_ == 0) {
    if (nonblocking()) return Errno::kEAGAIN;
    TRY(wait_until(task, expired_, [this] { return expirations_ != 0; }));
  }
  count = std::exchange(expirations_, 0);
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
  text << "clockid: " << clock_ << "\nticks: " << expirations_ << "\nsettime flags: 00\n";
  print(text, "it_value", now.it_value);
  print(text, "it_interval", now.it_interval);
  return text.take();
}

}  // namespace lxss
