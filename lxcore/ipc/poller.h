// Waiting for any of several files: what poll and select share, and the signal mask that
// ppoll, pselect6 and epoll_pwait put in force meanwhile.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lxcore/task/process.h"

namespace lxss {

/// Readiness as man 2 poll groups it.
inline constexpr PollEvents kReadable = abi::PollFlag::kPOLLIN | abi::PollFlag::kPOLLRDNORM;
inline constexpr PollEvents kWritable = abi::PollFlag::kPOLLOUT | abi::PollFlag::kPOLLWRNORM;
/// What is reported whether asked for or not.
inline constexpr PollEvents kAlwaysPolled = abi::PollFlag::kPOLLERR | abi::PollFlag::kPOLLHUP;

/// Room for `size` elements for the length of a call: few lie on the stack, many in the heap.
template <typename T, usize kFew>
class CallArray {
 public:
  explicit CallArray(usize size) : size_(size) {
    if (size > kFew) many_ = std::make_unique<T[]>(size);
  }
  T* data() { return many_ ? many_.get() : few_; }
  const T* data() const { return many_ ? many_.get() : few_; }
  usize size() const { return size_; }
  T& operator[](usize index) { return data()[index]; }
  const T& operator[](usize index) const { return data()[index]; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  operator std::span<T>() { return {data(), size_}; }

 private:
  T few_[kFew] = {};
  std::unique_ptr<T[]> many_;
  usize size_;
};

struct PollRequest {
  std::optional<FileRef> file;  ///< none: never ready
  PollEvents wanted;
  PollEvents ready{};  ///< the result, within `wanted`
};

/// Waits until a file is ready: the number of them. 0 at the deadline (one in the past: only
/// looks); ERESTARTSYS if interrupted while none is.
Result<usize> poll_files(Task& task, std::span<PollRequest> requests, host::Deadline deadline);

/// Queues the current task on what it registers with, until destroyed. The first entries are the
/// task's own, further ones come from the heap. (Not its wait_entry: who is asked whether it is
/// ready may have to wait for a SleepLock.)
class TaskRegistration final : public PollRegistration {
 public:
  explicit TaskRegistration(Task& task) : task_(task) {}
  ~TaskRegistration() override;
  void on(WaitQueue& queue) override;

 private:
  static constexpr usize kOwn = 8, kChunk = 64;
  TaskWaitEntry* next_entry();

  Task& task_;
  std::vector<std::unique_ptr<TaskWaitEntry[]>> chunks_;
  usize used_ = 0;  ///< in all
};

/// A signal mask for the length of a call.
class TemporaryMask {
 public:
  /// EFAULT; EINVAL unless `size` is that of a SigSet. A null `mask` changes nothing.
  static Result<std::optional<abi::SigSet>> read(UserIn<abi::SigSet> mask, usize size);

  TemporaryMask(Task& task, std::optional<abi::SigSet> mask);
  ~TemporaryMask();
  TemporaryMask(const TemporaryMask&) = delete;
  TemporaryMask& operator=(const TemporaryMask&) = delete;
  /// A signal ended the call: its handler runs with the temporary mask, and the old one comes
  /// back with the handler's return, or at once if none runs.
  void leave_to_handler();

 private:
  Task& task_;
  bool active_;
  abi::SigSet old_{};
};

}  // namespace lxss
