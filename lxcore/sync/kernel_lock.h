// The kernel lock: one per instance. It guards processes, threads, groups, sessions, credentials of
// others, signals and timers, and what has no lock of its own.
//
// The outermost of the short locks. It may be taken again by its holder, and is given up by who
// waits or calls the host (Released, which does nothing for who does not hold it): so code that
// wants it need not know whether its caller has it. Held at entry by handlers that take Task&.
// Order: an AddressSpace's mutex before the kernel lock; the heap's locks last.
#pragma once

#include <atomic>

#include "lxcore/sync/lock.h"

namespace lxss {

/// Whether a class has locks of its own, or is called under the kernel lock.
enum class Locking : u8 { kKernel, kOwn };

class LXSS_CAPABILITY("kernel lock") KernelLock {
 public:
  void lock() LXSS_ACQUIRE();
  void unlock() LXSS_RELEASE();
  bool held_by_current() const { return lock_.held_by_current(); }
  /// Never: with its holder the instance stops.
  static constexpr bool abandoned() { return false; }

  /// Holds the lock for a scope.
  class Held;
  /// Holds it for what has no locks of its own.
  class HeldFor;
  /// Gives the lock up for a scope, however often the task has taken it.
  class Released;

 private:
  Lock lock_{LockRank::kKernel};
};

/// The instance's lock.
KernelLock& kernel_lock();

class [[nodiscard]] LXSS_SCOPED_CAPABILITY KernelLock::Held {
 public:
  Held() LXSS_ACQUIRE(kernel_lock()) { kernel_lock().lock(); }
  ~Held() LXSS_RELEASE() { kernel_lock().unlock(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
};

class [[nodiscard]] KernelLock::HeldFor {
 public:
  explicit HeldFor(Locking locking) : needed_(locking == Locking::kKernel) {
    if (needed_) [[unlikely]]
      take();
  }
  ~HeldFor() {
    if (needed_) [[unlikely]]
      give();
  }
  HeldFor(const HeldFor&) = delete;
  HeldFor& operator=(const HeldFor&) = delete;

 private:
  static void take() LXSS_NO_THREAD_SAFETY_ANALYSIS { kernel_lock().lock(); }
  static void give() LXSS_NO_THREAD_SAFETY_ANALYSIS { kernel_lock().unlock(); }
  bool needed_;
};

class [[nodiscard]] KernelLock::Released {
 public:
  Released();
  ~Released();
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

 private:
  u32 depth_;
};

/// A lock in the arena for who may have no Task yet; not recorded in one, held across host calls by
/// the address spaces, innermost of all in the heap. The monitor stops the instance when it meets
/// one whose holder the host has killed.
class Mutex {
 public:
  void lock();
  void unlock();
  /// 0 if free.
  i32 owner() const { return static_cast<i32>(word_.load(std::memory_order_relaxed) & ~kWaiters); }
  /// By the monitor: takes it from its holder, who is dead. What it guarded has been dealt with.
  void abandon();

 private:
  static constexpr u32 kWaiters = 1u << 31;
  std::atomic<u32> word_{0};  ///< owner's host thread id | kWaiters
};

class [[nodiscard]] MutexHeld {
 public:
  explicit MutexHeld(Mutex& mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexHeld() { mutex_.unlock(); }
  MutexHeld(const MutexHeld&) = delete;
  MutexHeld& operator=(const MutexHeld&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace lxss
