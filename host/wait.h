// Blocking in the host. Only the kernel's wait primitives use this. Calls marked
// interruptible return EINTR when the pico backend interrupts the thread, also
// when the interruption came before the call began.
#pragma once

#include <optional>
#include <span>

#include "abi/linux/epoll.h"
#include "abi/linux/poll.h"
#include "abi/linux/time.h"
#include "base/result.h"
#include "host/fd.h"

namespace lxss::host {

/// An absolute time of the monotonic clock in ns, or never.
using Deadline = std::optional<u64>;

/// Sleeps while *word == expected; the word is in the arena. ETIMEDOUT, EAGAIN or EINTR
/// end it. Not interruptible: who wants to wake the sleeper changes the word.
Result<> wait_word(const u32* word, u32 expected, Deadline deadline);
/// Wakes up to `count` sleepers of a word in the arena.
void wake_word(const u32* word, u32 count);

/// Waits until one of `fds` is ready: the number ready, 0 at the deadline. Interruptible.
/// With a deadline in the past it only looks.
Result<usize> poll(std::span<abi::PollFd> fds, Deadline deadline);

/// Waits until an event set (host/event_set.h) has events and takes them: their number, 0 at the
/// deadline. Interruptible; an interruption takes none.
Result<usize> wait_for_events(Fd set, std::span<abi::EpollEvent> events, Deadline deadline);

/// Sleeps until the deadline on a Linux clock. Interruptible.
Result<> sleep_until(i32 clock, const abi::Timespec& deadline);

/// A futex operation on guest memory (man 2 futex), executed in the address space of the
/// caller. The words have been checked to be the guest's; a timeout is the address of the
/// kernel's own copy of the struct timespec, or 0. Waiting is interruptible; what is left of
/// a relative timeout is then the caller's to know. ENOSYS for the commands that are lxcore's:
/// priority inheritance would write host thread ids into guest memory.
Result<u64> user_futex(UserAddr word, i32 operation, u32 value, u64 timeout_or_value2,
                       UserAddr word2, u32 value3);

}  // namespace lxss::host
