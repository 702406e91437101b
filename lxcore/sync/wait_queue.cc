#include "lxcore/sync/wait_queue.h"

#include "lxcore/kernel.h"

namespace lxss {

TaskWaitEntry& wait_entry(Task& task) { return task.wait_entry; }

void wake_task(Task& task) {
  task.wait_word.fetch_add(1, std::memory_order_seq_cst);
  if (!task.sleeping.load(std::memory_order_seq_cst)) return;
  // Pending from an earlier decision: that waker has not made its host call yet and its
  // call serves this decision too.
  if (task.wake_pending.exchange(true)) return;
  HeldLocks& held = Task::current().held;
  task.ref();
  task.next_to_wake = held.to_wake;
  held.to_wake = &task;
  wake_decided();
}

void TaskWaitEntry::attach(Task& task) {
  task_ = &task;
  if (!ListNode<EntryOfTask>::linked()) task.wait_entries.push_back(*this);
}

bool TaskWaitEntry::notify(PollEvents) {
  wake_task(*task_);
  return true;
}

class LXSS_SCOPED_CAPABILITY WaitQueue::Held {
 public:
  explicit Held(WaitQueue& queue) LXSS_ACQUIRE(queue.lock_) : queue_(queue) {
    queue_.lock_.lock();
    if (queue_.lock_.abandoned()) [[unlikely]]
      queue_.mend();
  }
  ~Held() LXSS_RELEASE() { queue_.lock_.unlock(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  WaitQueue& queue_;
};

void WaitQueue::mend() {
  if (!lock_.take_abandoned()) return;
  waiting_.store(static_cast<u32>(entries_.repair()), std::memory_order_relaxed);
  // It may have died while it was waking them.
  for (WaitEntry& entry : entries_) (void)entry.notify(kAllEvents);
}

void WaitEntry::unlink() {
  if (!queue_) return;
  WaitQueue::Held held(*queue_);
  ListNode<WaitEntry>::unlink();
  queue_->waiting_.fetch_sub(1, std::memory_order_relaxed);
  queue_ = nullptr;
}

void WaitEntry::unlink_dead() {
  if (!queue_) return;
  {
    WaitQueue::Held held(*queue_);
    if (!queue_->entries_.contains(*this)) {
      // Killed on its way to the queue, or from it.
      List<WaitEntry>::disown(*this);
      queue_ = nullptr;
      return;
    }
  }
  unlink();
}

WaitQueue::~WaitQueue() {
  if (!has_waiters()) return;
  Held held(*this);
  while (!entries_.empty()) entries_.pop_front().queue_ = nullptr;
}

void WaitQueue::add(WaitEntry& entry) {
  Held held(*this);
  entry.queue_ = this;
  entry.exclusive_ = false;
  entries_.push_front(entry);
  waiting_.fetch_add(1, std::memory_order_seq_cst);
}

void WaitQueue::add_exclusive(WaitEntry& entry) {
  Held held(*this);
  entry.queue_ = this;
  entry.exclusive_ = true;
  entries_.push_back(entry);
  waiting_.fetch_add(1, std::memory_order_seq_cst);
}

void WaitQueue::wake(PollEvents events) {
  // Who adds itself afterwards looks at the condition afterwards.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!has_waiters()) return;
  Held held(*this);
  for (WaitEntry& entry : entries_) {
    const bool taken = entry.notify(events);
    if (taken && entry.exclusive_) break;
  }
}

Wait::Wait(Task& task) : task_(task), seen_(task.wait_word.load(std::memory_order_acquire)) {}

bool Wait::woken() const { return task_.wait_word.load(std::memory_order_seq_cst) != seen_; }

template <typename Ends>
bool Wait::block(host::Deadline deadline, Ends ends) {
  assert_no_short_lock();
  task_.sleeping.store(true, std::memory_order_seq_cst);
  bool in_time = true;
  if (!woken() && !ends()) {
    KernelLock::Released released;
    while (in_time && !woken()) {
      in_time = !host::wait_word(reinterpret_cast<const u32*>(&task_.wait_word), seen_, deadline)
                     .is(Errno::kETIMEDOUT);
    }
  }
  task_.sleeping.store(false, std::memory_order_relaxed);
  return in_time || woken();
}

Result<> Wait::sleep(host::Deadline deadline) {
  auto ends = [this] { return signals::interrupted(task_); };
  if (!block(deadline, ends)) return Errno::kETIMEDOUT;
  if (ends()) return Errno::kERESTARTSYS;
  return {};
}

Result<> Wait::sleep_killable() {
  auto ends = [this] { return signals::killed(task_); };
  block(std::nullopt, ends);
  if (ends()) return Errno::kEINTR;
  return {};
}

bool Wait::sleep_always(host::Deadline deadline) {
  return block(deadline, [] { return false; });
}

template <typename Call>
Result<usize> Wait::block_in_host(Call call) {
  assert_no_short_lock();
  task_.waits_in_host.store(true, std::memory_order_relaxed);
  task_.sleeping.store(true, std::memory_order_seq_cst);
  Result<usize> ready = usize{0};
  if (!woken() && !signals::interrupted(task_)) {
    KernelLock::Released released;
    ready = call();
  }
  task_.sleeping.store(false, std::memory_order_relaxed);
  task_.waits_in_host.store(false, std::memory_order_relaxed);
  return ready;
}

Result<usize> Wait::sleep_on_host(std::span<abi::PollFd> host_fds, host::Deadline deadline) {
  auto ready = block_in_host([&] { return host::poll(host_fds, deadline); });
  if (signals::interrupted(task_)) return Errno::kERESTARTSYS;
  if (ready.is(Errno::kEINTR)) return usize{0};
  if (ready.ok() && ready.value() == 0 && !woken() && deadline) return Errno::kETIMEDOUT;
  return ready;
}

Result<usize> Wait::sleep_on_events(host::Fd event_set, std::span<abi::EpollEvent> events,
                                    host::Deadline deadline) {
  auto taken = block_in_host([&] { return host::wait_for_events(event_set, events, deadline); });
  if (taken.ok() && taken.value() != 0) return taken;
  if (signals::interrupted(task_)) return Errno::kERESTARTSYS;
  if (taken.is(Errno::kEINTR)) return usize{0};
  if (taken.ok() && !woken() && deadline) return Errno::kETIMEDOUT;
  return taken;
}

bool SleepLock::try_lock() {
  Task& task = Task::current();
  task.held.enter(*this);
  u32 expected = 0;
  if (word_.compare_exchange_strong(expected, static_cast<u32>(task.host_thread),
                                    std::memory_order_acquire)) [[likely]] {
    return true;
  }
  task.held.leave(this, false);
  return false;
}

template <typename Sleep>
Result<> SleepLock::acquire(Task& task, Sleep sleep) {
  if (try_lock()) [[likely]]
    return {};
  const u32 self = static_cast<u32>(task.host_thread);
  Result<> result;
  waiters_.add_exclusive(task.lock_entry);
  for (;;) {
    Wait wait(task);
    u32 seen = word_.load(std::memory_order_relaxed);
    if (seen == 0) {
      task.held.enter(*this);
      if (word_.compare_exchange_strong(seen, self | kWaiters, std::memory_order_acquire)) break;
      task.held.leave(this, false);
      continue;
    }
    if (!(seen & kWaiters) &&
        !word_.compare_exchange_weak(seen, seen | kWaiters, std::memory_order_relaxed)) {
      continue;
    }
    result = sleep(wait);
    if (!result.ok()) break;
  }
  task.lock_entry.unlink();
  // The wake-up that it may have been given is for the next.
  if (!result.ok()) waiters_.wake();
  return result;
}

Result<> SleepLock::lock(Task& task) {
  return acquire(task, [](Wait& wait) { return wait.sleep(std::nullopt); });
}

Result<> SleepLock::lock_killable(Task& task) {
  return acquire(task, [](Wait& wait) { return wait.sleep_killable(); });
}

void SleepLock::lock() {
  (void)acquire(Task::current(), [this](Wait& wait) -> Result<> {
    const host::Deadline patience = monitor_patience();
    if (!wait.sleep_always(patience)) look_after_owner();
    return {};
  });
}

void SleepLock::look_after_owner() {
  if (after_death() == AfterDeath::kStop) return look_for_dead_owner({&word_, this});
  const u32 seen = word_.load(std::memory_order_relaxed);
  // The monitor waits: it cannot be told of the death before it has the lock.
  if (seen != 0 && pico::has_ended(owner()) && word_.load(std::memory_order_relaxed) == seen) {
    abandon(owner());
  }
}

void SleepLock::abandon(i32 dead) {
  if (LockWord::abandon(dead) & kWaiters) waiters_.wake();
}

void SleepLock::unlock() {
  const u32 old = word_.exchange(0, std::memory_order_seq_cst);
  Task::current().held.leave(this, false);
  if (old & kWaiters) waiters_.wake();
}

}  // namespace lxss
