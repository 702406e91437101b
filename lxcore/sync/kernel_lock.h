// The kernel lock: one per instance, shared by all pico processes, adaptive.
//
// Held at entry by every handler that takes Task& (see syscalls/arguments.h).
// It is dropped while blocking (WaitQueue) and around host calls that may take
// long (KernelLock::Released). Holds are meant to stay under a microsecond.
// Order: an AddressSpace's mutex before the kernel lock; the heap's lock last.
#pragma once

#include <atomic>

#include "base/types.h"

namespace lxss {

class KernelLock {
 public:
  void lock();
  /// Unlocks, then wakes the tasks whose wake-up was decided under the lock.
  void unlock();
  bool held_by_current() const;
  /// The host thread that holds the lock, 0 if free.
  i32 owner() const { return static_cast<i32>(word_.load() & ~kWaiters); }

  /// Holds the lock for a scope.
  class Held;
  /// Gives the lock up for a scope.
  class Released;

 private:
  void wait_for_owner(u32 seen);

  static constexpr u32 kWaiters = 1u << 31;
  std::atomic<u32> word_{0};  ///< owner's host thread id | kWaiters
};

/// The instance's lock.
KernelLock& kernel_lock();

class [[nodiscard]] KernelLock::Held {
 public:
  Held() { kernel_lock().lock(); }
  ~Held() { kernel_lock().unlock(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
};

class [[nodiscard]] KernelLock::Released {
 public:
  Released() { kernel_lock().unlock(); }
  ~Released() { kernel_lock().lock(); }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;
};

/// A short lock of its own in the arena, for data that the kernel lock does not guard.
class Mutex {
 public:
  void lock();
  void unlock();

 private:
  std::atomic<u32> word_{0};  ///< 0 free, 1 held, 2 held with waiters
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
