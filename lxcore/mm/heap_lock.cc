#include "lxcore/mm/heap_lock.h"

#include "host/clock.h"
#include "host/wait.h"

namespace lxss::heap {

namespace {

/// As of the kernel lock: about what it costs the host to put a thread to sleep and to wake it.
constexpr int kSpins = 1000;
/// Holds are far shorter, but the host may preempt a holder.
constexpr u64 kPatienceNs = 50'000'000;

}  // namespace

bool Lock::lock_slowly(Owner self) {
  for (int i = 0; i < kSpins; ++i) {
    __builtin_ia32_pause();
    u32 expected = 0;
    if (word_.load(std::memory_order_relaxed) == 0 &&
        word_.compare_exchange_weak(expected, self, std::memory_order_acquire)) {
      return true;
    }
  }
  for (;;) {
    u32 seen = word_.load(std::memory_order_relaxed);
    if (seen == 0) {
      // Others may sleep: who took the lock this way keeps the mark.
      if (word_.compare_exchange_weak(seen, self | kWaiters, std::memory_order_acquire))
        return true;
      continue;
    }
    if (!(seen & kWaiters) &&
        !word_.compare_exchange_weak(seen, seen | kWaiters, std::memory_order_relaxed)) {
      continue;
    }
    seen |= kWaiters;
    auto waited = host::wait_word(reinterpret_cast<const u32*>(&word_), seen,
                                  host::monotonic_ns() + kPatienceNs);
    if (waited.is(Errno::kETIMEDOUT) && owner_has_died(seen & ~kWaiters) &&
        word_.compare_exchange_strong(seen, self | kWaiters, std::memory_order_acquire)) {
      return false;
    }
  }
}

bool Lock::take_over(Owner dead, Owner self) {
  u32 seen = word_.load(std::memory_order_relaxed);
  while ((seen & ~kWaiters) == dead) {
    if (word_.compare_exchange_weak(seen, self | (seen & kWaiters), std::memory_order_acquire))
      return true;
  }
  return false;
}

void Lock::wake_one() { host::wake_word(reinterpret_cast<const u32*>(&word_), 1); }

}  // namespace lxss::heap
