#include "lxcore/ipc/poller.h"

#include <algorithm>

namespace lxss {

namespace {

/// The files that the host is asked about, in one call, and their requests.
class HostFiles {
 public:
  explicit HostFiles(usize most) : fds_(most), requests_(most) {}

  void clear() { count_ = 0; }
  void add(host::Fd fd, PollRequest& request) {
    fds_[count_] = {fd.value, static_cast<i16>(request.wanted.raw()), 0};
    requests_[count_] = &request;
    ++count_;
  }
  std::span<abi::PollFd> fds() { return {fds_.data(), count_}; }
  /// Takes the host's answers over: how many more are ready.
  usize report() {
    usize ready = 0;
    for (usize i = 0; i < count_; ++i) {
      PollRequest& request = *requests_[i];
      const PollEvents events = PollEvents(static_cast<u16>(fds_[i].revents)) & request.wanted;
      if (events && !request.ready) ++ready;
      request.ready |= events;
    }
    return ready;
  }

 private:
  CallArray<abi::PollFd, 8> fds_;
  CallArray<PollRequest*, 8> requests_;
  usize count_ = 0;
};

usize count_host_files(std::span<PollRequest> requests) {
  usize count = 0;
  for (PollRequest& request : requests) {
    if (request.file && (*request.file)->host_poll_fd() != host::kNoFd) ++count;
  }
  return count;
}

/// Asks the files that know; the others are the host's. The number ready; EINTR if the task is to
/// end.
Result<usize> look(Task& task, std::span<PollRequest> requests, PollRegistration* registration) {
  constexpr usize kPatience = 1024;
  usize ready = 0, patience = kPatience;
  for (PollRequest& request : requests) {
    if (--patience == 0) {
      if (signals::killed(task)) return Errno::kEINTR;
      patience = kPatience;
    }
    if (!request.file) continue;
    File& file = **request.file;
    if (!file.has_own_events()) continue;
    KernelLock::HeldFor guard(file.locking());
    request.ready = file.poll(registration) & request.wanted;
    if (request.ready) ++ready;
  }
  return ready;
}

}  // namespace

Result<usize> poll_files(Task& task, std::span<PollRequest> requests, host::Deadline deadline) {
  usize ready = TRY(look(task, requests, nullptr));
  const bool only_looks = deadline && *deadline == 0;
  const bool waits = ready == 0 && !only_looks && !signals::interrupted(task);
  TaskRegistration registration(task);
  for (bool registered = false;; registered = true) {
    Wait wait(task);
    if (waits) ready = TRY(look(task, requests, registered ? nullptr : &registration));
    // An epoll set may have become one of the host's meanwhile.
    HostFiles host(count_host_files(requests));
    for (PollRequest& request : requests) {
      if (!request.file) continue;
      const host::Fd fd = (*request.file)->host_poll_fd();
      if (fd != host::kNoFd) host.add(fd, request);
    }
    const bool sleeps = waits && ready == 0;
    Result<> slept;
    if (host.fds().empty()) {
      if (sleeps) slept = wait.sleep(deadline);
    } else {
      auto result = sleeps ? wait.sleep_on_host(host.fds(), deadline) : host::poll(host.fds(), 0);
      if (result.ok()) ready += host.report();
      if (sleeps && !result.ok()) slept = result.error();
    }
    if (ready != 0) return ready;
    if (!waits) break;
    if (slept.ok()) continue;
    // The last look.
    ready = TRY(look(task, requests, nullptr));
    if (ready == 0 && !slept.is(Errno::kETIMEDOUT)) return slept.error();
    return ready;
  }
  // Linux: a signal that waits is told even if the call would not have blocked.
  if (signals::interrupted(task)) return Errno::kERESTARTSYS;
  return usize{0};
}

TaskRegistration::~TaskRegistration() {
  usize left = used_;
  auto leave = [&](std::unique_ptr<TaskWaitEntry[]>& entries, usize size) {
    for (usize i = 0; i < std::min(size, left); ++i) entries[i].unlink();
    left -= std::min(size, left);
  };
  leave(task_.poll_entries, kOwn);
  for (auto& chunk : chunks_) leave(chunk, kChunk);
}

TaskWaitEntry* TaskRegistration::next_entry() {
  const usize index = used_++;
  if (index < kOwn) {
    if (!task_.poll_entries) task_.poll_entries = std::make_unique<TaskWaitEntry[]>(kOwn);
    return &task_.poll_entries[index];
  }
  const usize beyond = index - kOwn;
  if (beyond % kChunk == 0) chunks_.push_back(std::make_unique<TaskWaitEntry[]>(kChunk));
  return &chunks_.back()[beyond % kChunk];
}

void TaskRegistration::on(WaitQueue& queue) {
  TaskWaitEntry* entry = next_entry();
  entry->attach(task_);
  queue.add(*entry);
}

Result<std::optional<abi::SigSet>> TemporaryMask::read(UserIn<abi::SigSet> mask, usize size) {
  if (!mask) return std::optional<abi::SigSet>();
  if (size != sizeof(abi::SigSet)) return Errno::kEINVAL;
  return std::optional<abi::SigSet>(TRY(mask.read()));
}

TemporaryMask::TemporaryMask(Task& task, std::optional<abi::SigSet> mask)
    : task_(task), active_(mask.has_value()) {
  if (!active_) return;
  old_ = task.blocked;
  KernelLock::Held held;
  signals::set_mask(task, mask->without(abi::kUnblockableSignals));
}

TemporaryMask::~TemporaryMask() {
  if (!active_) return;
  KernelLock::Held held;
  signals::set_mask(task_, old_);
}

void TemporaryMask::leave_to_handler() {
  if (!active_) return;
  active_ = false;
  task_.saved_mask = old_;
  task_.restore_saved_mask = true;
}

}  // namespace lxss
