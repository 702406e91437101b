#include "lxcore/ipc/poller.h"

namespace lxss {

namespace {

usize look(std::span<PollRequest> requests, PollRegistration* registration) {
  usize ready = 0;
  for (PollRequest& request : requests) {
    if (!request.file) continue;
    request.ready = request.file->poll(registration) & request.wanted;
    if (request.ready) ++ready;
  }
  return ready;
}

std::vector<abi::PollFd> host_files(std::span<PollRequest> requests) {
  std::vector<abi::PollFd> fds;
  for (PollRequest& request : requests) {
    if (!request.file) continue;
    host::Fd fd = request.file->host_poll_fd();
    if (fd == host::kNoFd) continue;
    fds.push_back({fd.value, static_cast<i16>(request.wanted.raw()), 0});
  }
  return fds;
}

}  // namespace

Result<usize> poll_files(Task& task, std::span<PollRequest> requests, host::Deadline deadline) {
  usize ready = look(requests, nullptr);
  if (ready != 0) return ready;
  // Linux: a signal that waits is told even if the call would not have blocked.
  if (signals::interrupted(task)) return Errno::kERESTARTSYS;
  if (deadline && *deadline == 0) return usize{0};
  TaskRegistration registration(task);
  ready = look(requests, &registration);
  std::vector<abi::PollFd> host_fds = host_files(requests);
  while (ready == 0) {
    Result<> slept;
    if (host_fds.empty()) {
      slept = sleep(task, deadline);
    } else if (auto result = sleep_on_host(task, host_fds, deadline); !result.ok()) {
      slept = result.error();
    }
    ready = look(requests, nullptr);
    if (slept.ok()) continue;
    if (ready == 0 && !slept.is(Errno::kETIMEDOUT)) return slept.error();
    break;
  }
  return ready;
}

TaskRegistration::~TaskRegistration() { task_.wait_entry.unlink(); }

void TaskRegistration::on(WaitQueue& queue) {
  if (!task_.wait_entry.linked()) {
    queue.add(task_.wait_entry);
    return;
  }
  if (used_ == kChunk) {
    chunks_.push_back(std::make_unique<TaskWaitEntry[]>(kChunk));
    used_ = 0;
  }
  TaskWaitEntry& entry = chunks_.back()[used_++];
  entry.attach(task_);
  queue.add(entry);
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
  signals::set_mask(task, mask->without(abi::kUnblockableSignals));
}

TemporaryMask::~TemporaryMask() {
  if (active_) signals::set_mask(task_, old_);
}

void TemporaryMask::leave_to_handler() {
  if (!active_) return;
  active_ = false;
  task_.saved_mask = old_;
  task_.restore_saved_mask = true;
}

}  // namespace lxss
