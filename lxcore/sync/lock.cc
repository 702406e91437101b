#include "lxcore/sync/lock.h"

#include "host/wait.h"
#include "lxcore/kernel.h"
#include "lxcore/task/lifecycle.h"

namespace lxss {

namespace {

/// Some 30 microseconds: what it costs the host to put a thread to sleep and to wake it. Nearly
/// all holds are shorter.
constexpr int kSpins = 1000;

void wake(Task& task) {
  if (task.waits_in_host.load(std::memory_order_acquire)) {
    pico::interrupt(task);
  } else {
    host::wake_word(reinterpret_cast<const u32*>(&task.wait_word), 1);
  }
}

}  // namespace

bool LockWord::held_by_current() const { return owner() == pico::current().host_thread; }

void HeldLocks::enter(LockWord& lock) {
  LXSS_ASSERT(count < kMost);
#ifdef LXSS_DEBUG
  for (u32 i = 0; i < count; ++i) {
    LXSS_ASSERT(locks[i] != &lock);
    const LockRank held = locks[i]->rank();
    if (!locks[i]->is_short()) continue;
    if (lock.is_short()) {
      LXSS_ASSERT(held < lock.rank() || (held == LockRank::kWaking && lock.rank() == held));
    } else {
      // Who waits for a sleep lock gives the kernel lock up.
      LXSS_ASSERT(held == LockRank::kKernel);
    }
  }
#endif
  locks[count] = &lock;
  std::atomic_signal_fence(std::memory_order_release);
  ++count;
  if (lock.is_short()) ++short_count;
}

void HeldLocks::leave(const LockWord* lock, bool is_short) {
  u32 at = count - 1;
  while (locks[at] != lock) {
    LXSS_ASSERT(at != 0);
    --at;
  }
  locks[at] = locks[count - 1];
  --count;
  if (is_short) --short_count;
}

void Lock::lock() {
  Task& task = Task::current();
  task.held.enter(*this);
  const u32 self = static_cast<u32>(task.host_thread);
  u32 expected = 0;
  if (word_.compare_exchange_strong(expected, self, std::memory_order_acquire)) [[likely]]
    return;
  acquire_slowly(self);
}

bool Lock::try_lock() {
  Task& task = Task::current();
  task.held.enter(*this);
  u32 expected = 0;
  if (word_.compare_exchange_strong(expected, static_cast<u32>(task.host_thread),
                                    std::memory_order_acquire)) {
    return true;
  }
  task.held.leave(this, true);
  return false;
}

void Lock::acquire_slowly(u32 self) {
  for (int i = 0; i < kSpins; ++i) {
    __builtin_ia32_pause();
    u32 expected = 0;
    if (word_.load(std::memory_order_relaxed) == 0 &&
        word_.compare_exchange_weak(expected, self, std::memory_order_acquire)) {
      return;
    }
  }
  for (;;) {
    u32 seen = word_.load(std::memory_order_relaxed);
    if (seen == 0) {
      // Others may sleep: who took the lock this way keeps the mark.
      if (word_.compare_exchange_weak(seen, self | kWaiters, std::memory_order_acquire)) return;
      continue;
    }
    if (!(seen & kWaiters) &&
        !word_.compare_exchange_weak(seen, seen | kWaiters, std::memory_order_relaxed)) {
      continue;
    }
    wait_for_owner(word_, seen | kWaiters, this);
  }
}

host::Deadline monitor_patience() {
  constexpr u64 kPatience = 100'000'000;
  if (kernel().monitor.get() != &pico::current()) return std::nullopt;
  return host::monotonic_ns() + kPatience;
}

void look_for_dead_owner(LockWaits::Wait wait) {
  constexpr u32 kWaiters = 1u << 31;
  constexpr int kLongest = 32;
  for (int i = 0; wait.word && i < kLongest; ++i) {
    const u32 seen = wait.word->load(std::memory_order_relaxed);
    const auto owner = static_cast<i32>(seen & ~kWaiters);
    if (owner == 0) return;
    if (!pico::has_ended(owner)) {
      wait = kernel().lock_waits.find(owner);
      continue;
    }
    if (wait.word->load(std::memory_order_relaxed) != seen) return;
    if (wait.lock && wait.lock->is_short() && wait.lock->after_death() == AfterDeath::kAbandon) {
      ++kernel().deaths.broken_objects;
      return static_cast<Lock*>(wait.lock)->abandon(owner);
    }
    lifecycle::stop_instance(
        "The host killed a thread while it held a lock of the kernel's, which all processes share; "
        "the instance stops.");
  }
}

void wait_for_owner(const std::atomic<u32>& word, u32 seen, LockWord* lock) {
  const host::Deadline patience = monitor_patience();
  void* place = patience ? nullptr : kernel().lock_waits.begin(pico::caller(), {&word, lock});
  const auto waited = host::wait_word(reinterpret_cast<const u32*>(&word), seen, patience);
  if (place) kernel().lock_waits.end(place);
  // The monitor cannot look after what the dead held while it waits for it.
  if (waited.is(Errno::kETIMEDOUT)) look_for_dead_owner({&word, lock});
}

void* LockWaits::begin(i32 host_thread, Wait wait) {
  for (Place& place : places_) {
    i32 free = 0;
    // Taken first, so that nobody else writes the rest.
    if (place.host_thread.load(std::memory_order_relaxed) != 0 ||
        !place.host_thread.compare_exchange_strong(free, -1, std::memory_order_acquire)) {
      continue;
    }
    place.word.store(wait.word, std::memory_order_relaxed);
    place.lock.store(wait.lock, std::memory_order_relaxed);
    place.host_thread.store(host_thread, std::memory_order_release);
    return &place;
  }
  return nullptr;
}

void LockWaits::end(void* place) {
  static_cast<Place*>(place)->host_thread.store(0, std::memory_order_release);
}

LockWaits::Wait LockWaits::find(i32 host_thread) const {
  for (const Place& place : places_) {
    if (place.host_thread.load(std::memory_order_acquire) != host_thread) continue;
    return {place.word.load(std::memory_order_relaxed), place.lock.load(std::memory_order_relaxed)};
  }
  return {};
}

void LockWaits::forget(i32 host_thread) {
  for (Place& place : places_) {
    i32 seen = host_thread;
    place.host_thread.compare_exchange_strong(seen, 0, std::memory_order_release);
  }
}

u32 LockWord::abandon(i32 dead) {
  LXSS_ASSERT(owner() == dead);
  abandoned_.store(true, std::memory_order_relaxed);
  return word_.exchange(0, std::memory_order_seq_cst);
}

void Lock::abandon(i32 dead) {
  if (LockWord::abandon(dead) & kWaiters) {
    host::wake_word(reinterpret_cast<const u32*>(&word_), 1);
  }
}

void Lock::unlock() {
  Task& task = Task::current();
  const u32 old = word_.exchange(0, std::memory_order_release);
  task.held.leave(this, true);
  if (old & kWaiters) [[unlikely]]
    host::wake_word(reinterpret_cast<const u32*>(&word_), 1);
  if (task.held.to_wake && task.held.short_count == 0) [[unlikely]]
    wake_decided();
}

namespace {

/// At each instant the list, or `waking`, has whom the holder has yet to wake.
void wake_list(HeldLocks& held) {
  while (Task* task = held.to_wake) {
    held.waking = task;
    std::atomic_signal_fence(std::memory_order_release);
    held.to_wake = std::exchange(task->next_to_wake, nullptr);
    // Before the look at where it sleeps: who decides again relies on that look until here.
    task->wake_pending.exchange(false, std::memory_order_seq_cst);
    wake(*task);
    held.waking = nullptr;
    task->unref();
  }
}

}  // namespace

void wake_decided() {
  HeldLocks& held = Task::current().held;
  if (held.short_count == 0) wake_list(held);
}

void wake_decided_by(HeldLocks& dead) {
  // Perhaps it was woken, and perhaps it is still the list's first.
  if (dead.waking) wake(*dead.waking);
  wake_list(dead);
}

#ifdef LXSS_DEBUG
void assert_no_short_lock() {
  const HeldLocks& held = Task::current().held;
  for (u32 i = 0; i < held.count; ++i) {
    LXSS_ASSERT(!held.locks[i]->is_short() || held.locks[i]->rank() == LockRank::kKernel);
  }
}
#endif

}  // namespace lxss
