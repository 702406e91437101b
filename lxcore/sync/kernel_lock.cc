#include "lxcore/sync/kernel_lock.h"

#include "host/wait.h"
#include "lxcore/kernel.h"

namespace lxss {

KernelLock& kernel_lock() { return kernel().lock; }

void KernelLock::lock() {
  HeldLocks& held = Task::current().held;
  if (held.kernel_depth == 0) lock_.lock();
  ++held.kernel_depth;
}

void KernelLock::unlock() {
  HeldLocks& held = Task::current().held;
  if (--held.kernel_depth == 0) lock_.unlock();
}

KernelLock::Released::Released() : depth_(Task::current().held.kernel_depth) {
  if (depth_ == 0) return;
  Task::current().held.kernel_depth = 1;
  kernel_lock().unlock();
}

KernelLock::Released::~Released() {
  if (depth_ == 0) return;
  kernel_lock().lock();
  Task::current().held.kernel_depth = depth_;
}

void Mutex::lock() {
  constexpr int kSpins = 1000;
  const auto self = static_cast<u32>(pico::caller());
  for (int i = 0; i < kSpins; ++i) {
    u32 expected = 0;
    if (word_.load(std::memory_order_relaxed) == 0 &&
        word_.compare_exchange_strong(expected, self, std::memory_order_acquire)) {
      return;
    }
    __builtin_ia32_pause();
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
    wait_for_owner(word_, seen | kWaiters, nullptr);
  }
}

void Mutex::unlock() {
  if (word_.exchange(0, std::memory_order_release) & kWaiters) {
    host::wake_word(reinterpret_cast<const u32*>(&word_), 1);
  }
}

void Mutex::abandon() {
  word_.store(0, std::memory_order_release);
  host::wake_word(reinterpret_cast<const u32*>(&word_), 1);
}

}  // namespace lxss
