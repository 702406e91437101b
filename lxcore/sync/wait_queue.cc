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

bool TaskWaitEntry::notify(PollEvents) {
  wake_task(*task_);
  return true;
}

void WaitEntry::unlink() {
  if (!queue_) return;
  Lock::Held held(queue_->lock_);
  ListNode<WaitEntry>::unlink();
  queue_->waiting_.fetch_sub(1, std::memory_order_relaxed);
  queue_ = nullptr;
}

WaitQueue::~WaitQueue() {
  if (!has_waiters()) return;
  Lock::Held held(lock_);
  while (!entries_.empty()) entries_.pop_front().queue_ = nullptr;
}

void WaitQueue::add(WaitEntry& entry) {
  Lock::Held held(lock_);
  entry.queue_ = this;
  entry.exclusive_ = false;
  entries_.push_front(entry);
  waiting_.fetch_add(1, std::memory_order_seq_cst);
}

void WaitQueue::add_exclusive(WaitEntry& entry) {
  Lock::Held held(lock_);
  entry.queue_ = this;
  entry.exclusive_ = true;
  entries_.push_back(entry);
  waiting_.fetch_add(1, std::memory_order_seq_cst);
}

void WaitQueue::wake(PollEvents events) {
  // Who adds itself afterwards looks at the condition afterwards.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!has_waiters()) return;
  Lock::Held held(lock_);
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

void Wait::sleep_always() {
  block(std::nullopt, [] { return false; });
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
  waiters_.add_exclusive(task.wait_entry);
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
  task.wait_entry.unlink();
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
  (void)acquire(Task::current(), [](Wait& wait) -> Result<> {
    wait.sleep_always();
    return {};
  });
}

void SleepLock::unlock() {
  const u32 old = word_.exchange(0, std::memory_order_seq_cst);
  Task::current().held.leave(this, false);
  if (old & kWaiters) waiters_.wake();
}

}  // namespace lxss
