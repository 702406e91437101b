// epoll's system calls; the mechanism is in ipc/epoll.h.
#include <algorithm>
#include <limits>

#include "lxcore/ipc/epoll.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/syscalls/poll.h"
#include "lxcore/time/clocks.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::sys {

namespace {

u64 milliseconds(i32 timeout_ms) {
  return timeout_ms < 0 ? clocks::kMaxTime : u64(timeout_ms) * 1'000'000;
}

/// Never restarted: EINTR.
Result<usize> wait_for_events(Task& task, Fd epoll_fd, UserOut<abi::EpollEvent> events,
                              i32 max_events, host::Deadline deadline,
                              std::optional<abi::SigSet> mask) {
  constexpr i32 kMost = std::numeric_limits<i32>::max() / sizeof(abi::EpollEvent);
  if (max_events <= 0 || max_events > kMost) return Errno::kEINVAL;
  if (!pico::is_user_range(events.address.value, usize(max_events) * sizeof(abi::EpollEvent))) {
    return Errno::kEFAULT;
  }
  FileRef file = TRY(task.file(epoll_fd));
  Epoll* epoll = file_as<Epoll>(*file);
  if (!epoll) return Errno::kEINVAL;
  TemporaryMask temporary(task, mask);
  auto count = epoll->set().wait(task, events, static_cast<usize>(max_events), deadline);
  if (!count.is(Errno::kERESTARTSYS)) return count;
  temporary.leave_to_handler();
  return Errno::kEINTR;
}

/// Linux: what is always ready cannot be watched. /dev/null, zero and full are that too.
bool can_be_watched(const File& file) {
  if (!file.has_inode()) return true;
  const Inode& inode = file.inode();
  if (inode.type() == abi::kS_IFCHR) {
    const u64 rdev = inode.rdev();
    return rdev != abi::make_dev(1, 3) && rdev != abi::make_dev(1, 5) &&
           rdev != abi::make_dev(1, 7);
  }
  return !inode.is_regular() && !inode.is_directory();
}

}  // namespace

Result<Fd> epoll_create1(UnlockedTask task, abi::EpollCreateFlags flags) {
  if (!flags.within(abi::EpollCreateFlag::kEPOLL_CLOEXEC)) return Errno::kEINVAL;
  auto epoll = make_ref<Epoll>();
  vfs::initialise_anonymous(*epoll, "anon_inode:[eventpoll]", 0600, abi::OpenFlag::kO_RDWR);
  return task->files->install(std::move(epoll), bool(flags), task->limit(abi::kRLIMIT_NOFILE));
}

Result<Fd> epoll_create(UnlockedTask task, i32 size) {
  if (size <= 0) return Errno::kEINVAL;
  return epoll_create1(task, {});
}

Result<> epoll_ctl(UnlockedTask task, Fd epoll_fd, i32 operation, Fd fd,
                   UserIn<abi::EpollEvent> event) {
  abi::EpollEvent wanted{};
  if (operation != abi::kEPOLL_CTL_DEL) wanted = TRY(event.read());
  FileRef watcher = TRY(task->file(epoll_fd));
  FileRef target = TRY(task->file(fd));
  if (!can_be_watched(*target)) return Errno::kEPERM;
  Epoll* epoll = file_as<Epoll>(*watcher);
  if (!epoll || watcher.get() == target.get()) return Errno::kEINVAL;
  switch (operation) {
    case abi::kEPOLL_CTL_ADD:
      return epoll->set().add(fd, *target, wanted);
    case abi::kEPOLL_CTL_MOD:
      return epoll->set().modify(fd, *target, wanted);
    case abi::kEPOLL_CTL_DEL:
      return epoll->set().remove(fd, *target);
    default:
      return Errno::kEINVAL;
  }
}

Result<usize> epoll_wait(UnlockedTask task, Fd epoll, UserOut<abi::EpollEvent> events,
                         i32 max_events, i32 timeout_ms) {
  return wait_for_events(task, epoll, events, max_events,
                         clocks::poll_deadline(milliseconds(timeout_ms)), std::nullopt);
}

Result<usize> epoll_pwait(UnlockedTask task, Fd epoll, UserOut<abi::EpollEvent> events,
                          i32 max_events, i32 timeout_ms, UserIn<abi::SigSet> mask,
                          usize mask_size) {
  return wait_for_events(task, epoll, events, max_events,
                         clocks::poll_deadline(milliseconds(timeout_ms)),
                         TRY(TemporaryMask::read(mask, mask_size)));
}

Result<usize> epoll_pwait2(UnlockedTask task, Fd epoll, UserOut<abi::EpollEvent> events,
                           i32 max_events, UserIn<abi::Timespec> timeout, UserIn<abi::SigSet> mask,
                           usize mask_size) {
  host::Deadline deadline;
  if (timeout) deadline = clocks::poll_deadline(TRY(clocks::to_ns(TRY(timeout.read()))));
  return wait_for_events(task, epoll, events, max_events, deadline,
                         TRY(TemporaryMask::read(mask, mask_size)));
}

}  // namespace lxss::sys
