// host/wait.h for unit tests, in place of host/linux/wait.cc: a sleep lets the test act, and
// one that nothing could end fails the test.
#include "host/wait.h"

#include <poll.h>

#include "host/clock.h"
#include "host/event_set.h"
#include "pico/fake/backend.h"

namespace lxss::host {

Result<> wait_word(const u32* word, u32 expected, Deadline deadline) {
  auto value = [&] { return __atomic_load_n(word, __ATOMIC_SEQ_CST); };
  if (value() != expected) return Errno::kEAGAIN;
  auto& on_block = fake::Backend::instance().on_block;
  if (on_block) {
    pico::Thread* self = fake::Backend::current();
    kernel_lock().lock();
    on_block();
    kernel_lock().unlock();
    LXSS_ASSERT(fake::Backend::current() == self);
  }
  if (value() != expected) return {};
  if (deadline) return Errno::kETIMEDOUT;
  LXSS_PANIC("the task would sleep for ever");
}

void wake_word(const u32*, u32) {}

Result<usize> poll(std::span<abi::PollFd> fds, Deadline deadline) {
  int ready = ::poll(reinterpret_cast<pollfd*>(fds.data()), fds.size(), 0);
  if (ready > 0) return static_cast<usize>(ready);
  if (!deadline && !fake::Backend::instance().on_block) LXSS_PANIC("the task would poll for ever");
  if (auto& on_block = fake::Backend::instance().on_block) {
    kernel_lock().lock();
    on_block();
    kernel_lock().unlock();
  }
  return usize{0};
}

Result<usize> wait_for_events(Fd set, std::span<abi::EpollEvent> events, Deadline deadline) {
  abi::PollFd member{set.value, POLLIN, 0};
  if (TRY(poll({&member, 1}, deadline)) == 0) return usize{0};
  return take_events(set, events);
}

Result<> sleep_until(i32, const abi::Timespec&) { return {}; }

Result<u64> user_futex(UserAddr, i32, u32, u64, UserAddr, u32) { return Errno::kENOSYS; }

}  // namespace lxss::host
