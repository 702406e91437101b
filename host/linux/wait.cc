// Blocking in the host on Linux.
#include "host/wait.h"

#include <linux/futex.h>
#include <time.h>

#include <algorithm>
#include <limits>

#include "host/clock.h"
#include "host/linux/syscall.h"

namespace lxss::host {

using sys::call;
using sys::call_interruptible;
using sys::check;
using sys::check_void;

namespace {

constexpr u64 kSecond = abi::kNSEC_PER_SEC;

abi::Timespec to_timespec(u64 ns) {
  return {static_cast<i64>(ns / kSecond), static_cast<i64>(ns % kSecond)};
}

}  // namespace

Result<> wait_word(const u32* word, u32 expected, Deadline deadline) {
  const abi::Timespec until = to_timespec(deadline.value_or(0));
  return check_void(call(SYS_futex, word, FUTEX_WAIT_BITSET, expected, deadline ? &until : nullptr,
                         nullptr, FUTEX_BITSET_MATCH_ANY));
}

void wake_word(const u32* word, u32 count) {
  constexpr u32 kMost = std::numeric_limits<i32>::max();
  MUST(check(call(SYS_futex, word, FUTEX_WAKE, std::min(count, kMost))));
}

Result<usize> poll(std::span<abi::PollFd> fds, Deadline deadline) {
  const u64 now = deadline ? monotonic_ns() : 0;
  const abi::Timespec left = to_timespec(deadline && *deadline > now ? *deadline - now : 0);
  if (deadline && *deadline <= now) {
    return check(call(SYS_ppoll, fds.data(), fds.size(), &left, nullptr, 0));
  }
  return check(call_interruptible(SYS_ppoll, fds.data(), fds.size(), deadline ? &left : nullptr,
                                  nullptr, 0));
}

Result<usize> wait_for_events(Fd set, std::span<abi::EpollEvent> events, Deadline deadline) {
  constexpr u64 kMillisecond = 1'000'000;
  for (;;) {
    i64 whole_ms = -1;
    if (deadline) {
      const u64 now = monotonic_ns();
      const u64 left = *deadline > now ? *deadline - now : 0;
      whole_ms = static_cast<i64>(std::min<u64>(left / kMillisecond, 1'000'000));
    }
    if (whole_ms == 0) break;
    const usize taken = TRY(check(call_interruptible(SYS_epoll_pwait, set.value, events.data(),
                                                     events.size(), whole_ms, nullptr, 0)));
    if (taken != 0) return taken;
  }
  // The rest of a millisecond, which that call does not know.
  abi::PollFd member{set.value, static_cast<i16>(abi::PollFlag::kPOLLIN), 0};
  if (TRY(poll({&member, 1}, deadline)) == 0) return usize{0};
  return check(call(SYS_epoll_pwait, set.value, events.data(), events.size(), 0, nullptr, 0));
}

Result<> sleep_until(i32 clock, const abi::Timespec& deadline) {
  if (clock < 0) return Errno::kEINVAL;  // would name a host process
  return check_void(
      call_interruptible(SYS_clock_nanosleep, clock, TIMER_ABSTIME, &deadline, nullptr));
}

Result<u64> user_futex(UserAddr word, i32 operation, u32 value, u64 timeout_or_value2,
                       UserAddr word2, u32 value3) {
  switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
      return check(call_interruptible(SYS_futex, word.value, operation, value, timeout_or_value2,
                                      word2.value, value3));
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
    case FUTEX_WAKE_OP:
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
      return check(
          call(SYS_futex, word.value, operation, value, timeout_or_value2, word2.value, value3));
    default:
      return Errno::kENOSYS;
  }
}

}  // namespace lxss::host
