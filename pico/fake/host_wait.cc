// host/wait.h for unit tests, in place of host/linux/wait.cc: a sleep lets the test act, and one
// that nothing could end fails the test; or it is a sleep of the calling host thread.
#include "host/wait.h"

#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "base/assert.h"
#include "host/clock.h"
#include "host/event_set.h"
#include "pico/fake/backend.h"

namespace lxss::host {

namespace {

u32 load(const u32* word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }

/// Whether there was somebody to act.
bool let_others_act() {
  pico::Thread* self = fake::Backend::current();
  const bool acted = fake::Backend::on_sleep()();
  LXSS_ASSERT(fake::Backend::current() == self);
  return acted;
}

timespec time_left(u64 deadline_ns) {
  const u64 now = monotonic_ns();
  const u64 left = deadline_ns > now ? deadline_ns - now : 0;
  return {static_cast<time_t>(left / 1'000'000'000), static_cast<long>(left % 1'000'000'000)};
}

Result<> sleep_on(const u32* word, u32 expected, Deadline deadline) {
  timespec timeout{};
  if (deadline) timeout = time_left(*deadline);
  if (syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, deadline ? &timeout : nullptr, nullptr,
              0) == 0) {
    return {};
  }
  return static_cast<Errno>(errno);
}

/// In slices, after each of which an interruption is seen.
Result<usize> poll_in_slices(std::span<abi::PollFd> fds, Deadline deadline) {
  const pico::Thread& self = *fake::Backend::current();
  for (;;) {
    if (fake::Backend::take_interruption(self)) return Errno::kEINTR;
    const int ready = ::poll(reinterpret_cast<pollfd*>(fds.data()), fds.size(), 1);
    if (ready > 0) return static_cast<usize>(ready);
    if (deadline && monotonic_ns() >= *deadline) return usize{0};
  }
}

}  // namespace

Result<> wait_word(const u32* word, u32 expected, Deadline deadline) {
  if (load(word) != expected) return Errno::kEAGAIN;
  if (!fake::Backend::on_sleep()) return sleep_on(word, expected, deadline);
  let_others_act();
  if (load(word) != expected) return {};
  if (deadline) return Errno::kETIMEDOUT;
  LXSS_PANIC("the task would sleep for ever");
}

void wake_word(const u32* word, u32 count) {
  if (fake::Backend::on_sleep()) return;
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count > INT_MAX ? INT_MAX : count, nullptr, nullptr,
          0);
}

Result<usize> poll(std::span<abi::PollFd> fds, Deadline deadline) {
  int ready = ::poll(reinterpret_cast<pollfd*>(fds.data()), fds.size(), 0);
  if (ready > 0) return static_cast<usize>(ready);
  if (!fake::Backend::on_sleep()) return poll_in_slices(fds, deadline);
  if (!let_others_act() && !deadline) LXSS_PANIC("the task would poll for ever");
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
