#include "lxcore/sync/kernel_lock.h"

#include "host/wait.h"
#include "lxcore/kernel.h"

namespace lxss {

namespace {

/// Some 30 microseconds: what it costs the host to put a thread to sleep and to wake it. Nearly
/// all holds are shorter.
constexpr int kSpins = 1000;

void wake(Task& task) {
  if (task.waits_in_host) {
    pico::interrupt(task);
  } else {
    host::wake_word(reinterpret_cast<const u32*>(&task.wait_word), 1);
  }
}

}  // namespace

KernelLock& kernel_lock() { return kernel().lock; }

void KernelLock::lock() {
  u32 self = static_cast<u32>(pico::current().host_thread);
  u32 expected = 0;
  if (word_.compare_exchange_strong(expected, self, std::memory_order_acquire)) [[likely]]
    return;
  for (int i = 0; i < kSpins; ++i) {
    __builtin_ia32_pause();
    expected = 0;
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
    wait_for_owner(seen | kWaiters);
  }
}

void KernelLock::wait_for_owner(u32 seen) {
  // The monitor looks whether the host has killed the owner: what the lock guards is torn then.
  const Task* monitor = kernel().monitor.get();
  const bool watches = monitor == &pico::current();
  constexpr u64 kPatience = 1'000'000'000;
  host::Deadline deadline;
  if (watches) deadline = host::monotonic_ns() + kPatience;
  auto waited = host::wait_word(reinterpret_cast<const u32*>(&word_), seen, deadline);
  if (watches && waited.is(Errno::kETIMEDOUT) && pico::has_ended(i32(seen & ~kWaiters)) &&
      word_.load(std::memory_order_relaxed) == seen) {
    LXSS_PANIC("the host has killed the owner of the kernel lock");
  }
}

void KernelLock::unlock() {
  Task* list = std::exchange(Task::current().tasks_to_wake, nullptr);
  u32 old = word_.exchange(0, std::memory_order_release);
  if (old & kWaiters) host::wake_word(reinterpret_cast<const u32*>(&word_), 1);
  while (list) {
    Task* task = list;
    list = std::exchange(task->next_to_wake, nullptr);
    task->wake_pending.store(false, std::memory_order_release);
    wake(*task);
    task->unref();
  }
}

bool KernelLock::held_by_current() const { return owner() == pico::current().host_thread; }

void Mutex::lock() {
  u32 expected = 0;
  if (word_.compare_exchange_strong(expected, 1, std::memory_order_acquire)) return;
  for (int i = 0; i < kSpins; ++i) {
    __builtin_ia32_pause();
    expected = 0;
    if (word_.compare_exchange_weak(expected, 1, std::memory_order_acquire)) return;
  }
  while (word_.exchange(2, std::memory_order_acquire) != 0) {
    (void)host::wait_word(reinterpret_cast<const u32*>(&word_), 2, std::nullopt);
  }
}

void Mutex::unlock() {
  if (word_.exchange(0, std::memory_order_release) == 2) {
    host::wake_word(reinterpret_cast<const u32*>(&word_), 1);
  }
}

}  // namespace lxss
