// poll and ppoll (man 2 poll).
#include "lxcore/syscalls/poll.h"

#include "lxcore/ipc/poller.h"
#include "lxcore/time/clocks.h"

namespace lxss::sys {

namespace {

/// So many cost no memory of the heap.
constexpr usize kFewFiles = 8;

/// Writes the results; ERESTARTSYS if interrupted.
Result<usize> poll_until(Task& task, UserAddr at, u32 count, host::Deadline deadline) {
  if (count > task.limit(abi::kRLIMIT_NOFILE)) return Errno::kEINVAL;
  CallArray<abi::PollFd, kFewFiles> fds(count);
  if (count != 0) TRY(copy_in(fds.data(), at, count * sizeof(abi::PollFd)));
  CallArray<PollRequest, kFewFiles> requests(count);
  usize invalid = 0;
  for (u32 i = 0; i < count; ++i) {
    if (fds[i].fd < 0) continue;
    auto file = task.file(Fd{fds[i].fd});
    if (file.ok()) {
      requests[i].file.emplace(std::move(*file));
      requests[i].wanted = PollEvents(static_cast<u16>(fds[i].events)) | kAlwaysPolled;
    } else {
      requests[i].ready = abi::PollFlag::kPOLLNVAL;
      ++invalid;
    }
    if (i % 1024 == 1023 && signals::killed(task)) return Errno::kEINTR;
  }
  usize ready = invalid + TRY(poll_files(task, requests, invalid ? host::Deadline(0) : deadline));
  for (u32 i = 0; i < count; ++i) {
    const UserAddr result = at + i * sizeof(abi::PollFd) + offsetof(abi::PollFd, revents);
    TRY(UserOut<u16>{result}.write(requests[i].ready.raw()));
    if (i % 1024 == 1023 && signals::killed(task)) return Errno::kEINTR;
  }
  return ready;
}

/// Interrupted, a poll goes on with its deadline unless a handler runs.
Result<usize> poll_restartable(Task& task, UserAddr fds, u32 count, host::Deadline deadline) {
  auto ready = poll_until(task, fds, count, deadline);
  if (!ready.is(Errno::kERESTARTSYS)) return ready;
  task.restart = {.deadline = clocks::to_timespec(deadline.value_or(clocks::kMaxTime)),
                  .remaining = {},
                  .kind = Task::Restart::Kind::kPoll,
                  .arguments = {fds.value, count}};
  return Errno::kERESTART_RESTARTBLOCK;
}

}  // namespace

Result<usize> poll(UnlockedTask task, UserAddr fds, u32 count, i32 timeout_ms) {
  u64 timeout = timeout_ms < 0 ? clocks::kMaxTime : u64(timeout_ms) * 1'000'000;
  return poll_restartable(task, fds, count, clocks::poll_deadline(timeout));
}

Result<usize> restart_poll(Task& task, const Task::Restart& restart) {
  u64 deadline = TRY(clocks::to_ns(restart.deadline));
  return poll_restartable(task, UserAddr{restart.arguments[0]},
                          static_cast<u32>(restart.arguments[1]),
                          deadline == clocks::kMaxTime ? host::Deadline() : deadline);
}

Result<usize> ppoll(UnlockedTask task, UserAddr fds, u32 count, UserInOut<abi::Timespec> timeout,
                    UserIn<abi::SigSet> mask, usize mask_size) {
  host::Deadline deadline;
  if (timeout) deadline = clocks::poll_deadline(TRY(clocks::to_ns(TRY(timeout.read()))));
  TemporaryMask temporary(task, TRY(TemporaryMask::read(mask, mask_size)));
  auto ready = poll_until(task, fds, count, deadline);
  const bool interrupted = ready.is(Errno::kERESTARTSYS);
  if (interrupted) temporary.leave_to_handler();
  if (timeout && deadline) {
    // Linux: a restart takes the time left from here; where it cannot stand, none happens.
    bool written = timeout.write(clocks::to_timespec(clocks::time_left(*deadline))).ok();
    if (interrupted && !written) return Errno::kEINTR;
  }
  if (interrupted) return Errno::kERESTARTNOHAND;
  return ready;
}

}  // namespace lxss::sys
