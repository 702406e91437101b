// Blocking: the only way a task waits inside lxcore.
//
// An event source owns a WaitQueue. Waiters hang WaitEntry objects on it, which
// live in the arena (in the Task, or allocated), never on a kernel stack. All of
// this is guarded by the kernel lock.
#pragma once

#include "abi/linux/poll.h"
#include "base/list.h"
#include "base/result.h"
#include "host/wait.h"

namespace lxss {

class Task;
class WaitQueue;

/// What is or became ready.
using PollEvents = abi::PollFlags;
inline constexpr PollEvents kAllEvents{0xffff};

class WaitEntry : public ListNode<WaitEntry> {
 public:
  virtual ~WaitEntry() = default;
  /// Called under the kernel lock when the queue is woken.
  virtual void notify(PollEvents events) = 0;
};

/// Wakes a task.
class TaskWaitEntry final : public WaitEntry {
 public:
  TaskWaitEntry() = default;
  explicit TaskWaitEntry(Task& task) : task_(&task) {}
  void attach(Task& task) { task_ = &task; }
  void notify(PollEvents events) override;

 private:
  Task* task_ = nullptr;
};

class WaitQueue {
 public:
  void add(WaitEntry& entry) { entries_.push_back(entry); }
  /// Notifies every waiter; they look again at what they wait for.
  void wake(PollEvents events = kAllEvents) {
    for (WaitEntry& entry : entries_) entry.notify(events);
  }
  bool has_waiters() { return !entries_.empty(); }

 private:
  List<WaitEntry> entries_;
};

/// Sleeps once until notified, interrupted or the deadline (monotonic, ns). The caller has
/// queued its entries; the kernel lock is dropped meanwhile. ERESTARTSYS if a signal (or
/// exit, or stop) wants the task, ETIMEDOUT at the deadline.
Result<> sleep(Task& task, host::Deadline deadline);
/// As sleep(), but only the task's end interrupts it (EINTR).
Result<> sleep_killable(Task& task);

/// As sleep(), and also ends when one of `host_fds` is ready: the number ready.
Result<usize> sleep_on_host(Task& task, std::span<abi::PollFd> host_fds, host::Deadline deadline);

/// Makes a task leave sleep(); its host call comes when the kernel lock is given up.
void wake_task(Task& task);

/// The entry inside a Task for the wait below.
TaskWaitEntry& wait_entry(Task& task);

/// Waits on one queue until `condition()` is true (evaluated under the kernel lock).
template <typename Condition>
Result<> wait_until(Task& task, WaitQueue& queue, Condition condition,
                    host::Deadline deadline = std::nullopt) {
  while (!condition()) {
    queue.add(wait_entry(task));
    auto slept = sleep(task, deadline);
    wait_entry(task).unlink();
    if (!slept.ok()) {
      if (condition()) return {};
      return slept.error();
    }
  }
  return {};
}

/// A lock that is held across blocking operations, without the kernel lock.
class SleepLock {
 public:
  /// ERESTARTSYS if interrupted.
  Result<> lock(Task& task) {
    TRY(wait_until(task, waiters_, [this] { return !held_; }));
    held_ = true;
    return {};
  }
  void unlock() {
    held_ = false;
    waiters_.wake();
  }

 private:
  bool held_ = false;
  WaitQueue waiters_;
};

}  // namespace lxss
