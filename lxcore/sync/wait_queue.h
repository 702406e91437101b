// Blocking: the only way a task waits inside lxcore.
//
// An event source owns a WaitQueue. Waiters hang WaitEntry objects on it, which live in the arena
// (in the Task, or allocated), never on a kernel stack. A queue has a lock of its own, so it may be
// woken and joined under any lock or none.
//
// No wake-up is lost: a task begins a Wait, then looks at what it waits for, then sleeps. Whoever
// makes the condition true wakes afterwards, which changes the task's wait word, and a sleep on a
// word that has changed since the Wait began ends at once. A wake-up only says "look again".
#pragma once

#include <span>
#include <utility>

#include "abi/linux/poll.h"
#include "base/list.h"
#include "base/result.h"
#include "host/wait.h"
#include "lxcore/sync/lock.h"

namespace lxss {

class Task;
class WaitQueue;

/// What is or became ready.
using PollEvents = abi::PollFlags;
inline constexpr PollEvents kAllEvents{0xffff};

class WaitEntry : public ListNode<WaitEntry> {
 public:
  virtual ~WaitEntry() = default;
  /// Called under the queue's lock (kWaking) when the queue is woken. True if the waiter takes
  /// what happened for itself (for exclusive entries).
  virtual bool notify(PollEvents events) = 0;
  /// Leaves its queue, if it is on one: afterwards notify() is not called, nor running. The queue
  /// must exist until then, or be destroyed while nobody else touches the entry.
  void unlink();
  bool linked() const { return queue_ != nullptr; }
  /// The same by the monitor, of the entry of a task that the host has killed.
  void unlink_dead();

 private:
  friend class WaitQueue;
  WaitQueue* queue_ = nullptr;  ///< written by who owns the entry, and by a queue that goes
  bool exclusive_ = false;
};

struct EntryOfTask;

/// Wakes a task, which lists it: so it is taken off its queue when the host has killed the task.
class TaskWaitEntry final : public WaitEntry, public ListNode<EntryOfTask> {
 public:
  TaskWaitEntry() = default;
  explicit TaskWaitEntry(Task& task) { attach(task); }
  /// By the task itself, or before it runs.
  void attach(Task& task);
  bool notify(PollEvents events) override;
  using WaitEntry::linked;
  using WaitEntry::unlink;

 private:
  Task* task_ = nullptr;
};

class WaitQueue {
 public:
  WaitQueue() = default;
  ~WaitQueue();
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  void add(WaitEntry& entry);
  /// Behind the others; of the exclusive entries one that takes the wake-up is enough. Such a
  /// waiter that leaves without having used it wakes the queue again.
  void add_exclusive(WaitEntry& entry);
  /// Notifies the waiters; they look again at what they wait for. After the change was made, under
  /// the lock that guards it or later. Costs nothing when nobody waits.
  void wake(PollEvents events = kAllEvents);
  bool has_waiters() const { return waiting_.load(std::memory_order_relaxed) != 0; }

 private:
  friend class WaitEntry;
  /// Takes the lock; who finds that its last holder was killed mends the list.
  class Held;
  void mend() LXSS_REQUIRES(lock_);

  Lock lock_{LockRank::kWaking, AfterDeath::kAbandon};
  List<WaitEntry> entries_ LXSS_GUARDED_BY(lock_);
  std::atomic<u32> waiting_{0};  ///< entries; written under lock_
};

/// One look and sleep of a task (see above). On the stack of the task itself.
class [[nodiscard]] Wait {
 public:
  /// Begins: what happens from here on ends sleep().
  explicit Wait(Task& task);

  /// Sleeps until woken, interrupted or the deadline (monotonic, ns). The kernel lock is given up
  /// meanwhile; no other short lock is held. ERESTARTSYS if a signal (or exit, or stop) wants the
  /// task, ETIMEDOUT at the deadline.
  Result<> sleep(host::Deadline deadline);
  /// As sleep(), but only the task's end interrupts it (EINTR).
  Result<> sleep_killable();
  /// As sleep(), but only a wake-up ends it, or the deadline: false then.
  bool sleep_always(host::Deadline deadline = std::nullopt);
  /// As sleep(), and also ends when one of `host_fds` is ready: the number ready.
  Result<usize> sleep_on_host(std::span<abi::PollFd> host_fds, host::Deadline deadline);
  /// The same for an event set: the number of events taken, which an interruption never hides.
  Result<usize> sleep_on_events(host::Fd event_set, std::span<abi::EpollEvent> events,
                                host::Deadline deadline);

 private:
  bool woken() const;
  template <typename Call>
  Result<usize> block_in_host(Call call);

  /// False at the deadline. `ends` tells whether the task is not to sleep at all.
  template <typename Ends>
  bool block(host::Deadline deadline, Ends ends);

  Task& task_;
  u32 seen_;
};

/// A Wait of who holds the kernel lock, under which all its wake-ups are decided.
inline Result<> sleep(Task& task, host::Deadline deadline) { return Wait(task).sleep(deadline); }
inline Result<> sleep_killable(Task& task) { return Wait(task).sleep_killable(); }
inline Result<usize> sleep_on_host(Task& task, std::span<abi::PollFd> host_fds,
                                   host::Deadline deadline) {
  return Wait(task).sleep_on_host(host_fds, deadline);
}

/// Makes a task leave its sleep; the host call comes when the current task holds no short lock.
void wake_task(Task& task);

/// The entry inside a Task for the waits below.
TaskWaitEntry& wait_entry(Task& task);

/// Waits on one queue until `condition()` is true, which is evaluated under `lock`. The caller
/// holds `lock`, as again afterwards; it is given up while the task sleeps. What `condition` looks
/// at changes under `lock` only. EIO if that is broken (LockWord::abandoned()).
template <typename AnyLock, typename Condition>
Result<> wait_until(Task& task, AnyLock& lock, WaitQueue& queue, Condition condition,
                    host::Deadline deadline = std::nullopt) LXSS_NO_THREAD_SAFETY_ANALYSIS {
  if (condition()) return {};
  queue.add(wait_entry(task));
  Result<> result;
  for (;;) {
    Wait wait(task);
    // What happened before the task was on the queue.
    if (condition()) break;
    lock.unlock();
    result = wait.sleep(deadline);
    lock.lock();
    if (lock.abandoned()) {
      result = Errno::kEIO;
      break;
    }
    if (condition()) {
      result = {};
      break;
    }
    if (!result.ok()) break;
  }
  wait_entry(task).unlink();
  return result;
}

/// The same under the kernel lock.
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

/// A lock that may be held across host calls, guest copies and waits. What it guards is whole at
/// such places, so it is given up after its holder's death; where memory is changed under it that
/// no short lock guards, it is kStop, or its next holder looks (LockWord::abandoned()).
class LXSS_CAPABILITY("sleep lock") SleepLock : public LockWord {
 public:
  explicit SleepLock(LockRank rank = LockRank::kObject,
                     AfterDeath after_death = AfterDeath::kAbandon)
      : LockWord(rank, false, after_death) {}
  /// ERESTARTSYS if interrupted.
  Result<> lock(Task& task);
  /// EINTR if the task is to end.
  Result<> lock_killable(Task& task);
  /// Whatever happens.
  void lock() LXSS_ACQUIRE();
  bool try_lock() LXSS_TRY_ACQUIRE(true);
  void unlock() LXSS_RELEASE();
  /// By the monitor, of a lock that is kAbandon and whose holder is dead.
  void abandon(i32 dead);

  /// Holds a lock for a scope, once lock() succeeded.
  class Held;
  /// Holds a lock for a scope, whatever happens.
  class Guard;

 private:
  // What the analysis takes for granted elsewhere is made here, so it does not look.
  template <typename Sleep>
  Result<> acquire(Task& task, Sleep sleep) LXSS_NO_THREAD_SAFETY_ANALYSIS;
  /// By the monitor, which has waited for its patience: as if the holder's death had been told.
  void look_after_owner();

  WaitQueue waiters_;
};

class [[nodiscard]] LXSS_SCOPED_CAPABILITY SleepLock::Guard {
 public:
  explicit Guard(SleepLock& lock) LXSS_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
  ~Guard() LXSS_RELEASE() { lock_.unlock(); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  SleepLock& lock_;
};

class [[nodiscard]] SleepLock::Held {
 public:
  Held() = default;
  explicit Held(SleepLock& lock) : lock_(&lock) { lock.lock(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() { unlock(); }
  Result<> lock(Task& task, SleepLock& lock) {
    TRY(lock.lock(task));
    lock_ = &lock;
    return {};
  }
  Result<> lock_killable(Task& task, SleepLock& lock) {
    TRY(lock.lock_killable(task));
    lock_ = &lock;
    return {};
  }
  void unlock() LXSS_NO_THREAD_SAFETY_ANALYSIS {
    if (lock_) std::exchange(lock_, nullptr)->unlock();
  }

 private:
  SleepLock* lock_ = nullptr;
};

/// One of the waits below: the entry leaves its queue before the lock is taken again, which may
/// have to wait itself.
template <typename Condition>
Result<> wait_on(Task& task, SleepLock& lock, WaitQueue& queue, Condition condition,
                 host::Deadline deadline, bool exclusive) LXSS_NO_THREAD_SAFETY_ANALYSIS {
  while (!condition()) {
    Wait wait(task);
    if (exclusive) {
      queue.add_exclusive(wait_entry(task));
    } else {
      queue.add(wait_entry(task));
    }
    lock.unlock();
    auto slept = wait.sleep(deadline);
    wait_entry(task).unlink();
    lock.lock();
    if (!slept.ok() && !condition()) {
      // The wake-up that it may have been given is for the next.
      if (exclusive) queue.wake(PollEvents{});
      return slept;
    }
  }
  return {};
}

/// As above, under a SleepLock.
template <typename Condition>
Result<> wait_until(Task& task, SleepLock& lock, WaitQueue& queue, Condition condition,
                    host::Deadline deadline = std::nullopt) {
  return wait_on(task, lock, queue, std::move(condition), deadline, false);
}

/// The same for those of whom one is enough. Who has waited and leaves something for others wakes
/// the queue again.
template <typename Condition>
Result<> wait_exclusive(Task& task, SleepLock& lock, WaitQueue& queue, Condition condition,
                        host::Deadline deadline = std::nullopt) {
  return wait_on(task, lock, queue, std::move(condition), deadline, true);
}

}  // namespace lxss
