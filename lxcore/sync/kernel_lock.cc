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
