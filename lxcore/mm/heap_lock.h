// The heap's locks: short, and the innermost of all - nothing else is locked while one is held, not
// even another of them.
//
// Each word names its owner, so that a death of one that held it is found: by the monitor when it
// has reaped the process (take_over), or by one that waits and may judge (owner_has_died). What the
// lock guards is then put in order by whoever got it that way.
#pragma once

#include <atomic>

#include "base/types.h"

namespace lxss::heap {

/// Who holds a lock: not 0, below 1 << 31, of one thread as long as anyone may ask.
using Owner = u32;

/// True if the thread has ended, for all that the caller can tell: only the monitor can. Asked by
/// one that has waited for long. heap.cc; tests have their own.
bool owner_has_died(Owner owner);

class Lock {
 public:
  /// False if the last owner died with it: what the lock guards is to be put in order.
  [[nodiscard]] bool lock(Owner self) {
    u32 expected = 0;
    if (word_.compare_exchange_strong(expected, self, std::memory_order_acquire)) [[likely]]
      return true;
    return lock_slowly(self);
  }
  void unlock() {
    if (word_.exchange(0, std::memory_order_release) & kWaiters) [[unlikely]]
      wake_one();
  }
  /// 0: nobody.
  Owner owner() const { return word_.load(std::memory_order_relaxed) & ~kWaiters; }
  /// Makes the lock the caller's if it is still held by `dead`.
  bool take_over(Owner dead, Owner self);

 private:
  bool lock_slowly(Owner self);
  void wake_one();

  static constexpr u32 kWaiters = 1u << 31;
  std::atomic<u32> word_{0};  ///< owner | kWaiters
};

}  // namespace lxss::heap
