// Locks that belong to what they guard, and their order.
//
// Two kinds. A Lock is *short*: under it nothing calls the host, copies to or from guest memory,
// or waits; who meets it held spins, then sleeps. A SleepLock (wait_queue.h) may be held across
// all of that; who waits for it can be interrupted. A sleep lock is never taken under a short one.
//
// Short locks are taken in the order of LockRank, which the debug kernel checks. Each holder is
// recorded in its Task, so that after a host kill it is known what was being changed.
#pragma once

#include <atomic>

#include "base/thread_annotations.h"
#include "base/types.h"

namespace lxss {

class Task;

/// The order: a lock is taken under locks of lower rank only. Locks of kWaking may nest: a wait
/// queue tells an epoll set, whose own queue tells the set above (which is never a circle).
enum class LockRank : u8 {
  kKernel,       ///< processes, signals, timers, System V objects (kernel_lock.h)
  kFileSystem,   ///< what one file system keeps of its own besides inodes
  kDescriptors,  ///< a descriptor table
  kDentries,     ///< changes of the dentry cache
  kMounts,       ///< changes of the mount tree
  kPaths,        ///< roots, working directories, mountpoints
  kObject,       ///< a pipe, socket, terminal, event descriptor
  kPeer,         ///< the other end of an object whose lock is held
  kInode,        ///< attributes and state of one inode
  kNames,        ///< tables of names and ids that objects enter and leave
  kWatches,      ///< who watches a file (inotify, epoll)
  kFileLocks,    ///< flock and record locks
  kTimers,
  kWaking,  ///< wait queues, lists of ready epoll items
  kLeaf,    ///< what calls nothing that locks
};

/// The holder of a lock, as recorded in its word: the host thread's id.
class LockWord {
 public:
  /// 0 if free.
  i32 owner() const { return static_cast<i32>(word_.load(std::memory_order_relaxed) & ~kWaiters); }
  bool held_by_current() const;
  LockRank rank() const { return rank_; }
  bool is_short() const { return short_; }

 protected:
  constexpr LockWord(LockRank rank, bool is_short) : rank_(rank), short_(is_short) {}
  static constexpr u32 kWaiters = 1u << 31;
  std::atomic<u32> word_{0};  ///< owner's host thread id | kWaiters

 private:
  LockRank rank_;
  bool short_;
};

class LXSS_CAPABILITY("lock") Lock : public LockWord {
 public:
  explicit constexpr Lock(LockRank rank) : LockWord(rank, true) {}
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  void lock() LXSS_ACQUIRE();
  bool try_lock() LXSS_TRY_ACQUIRE(true);
  /// With the last lock of the task given up, wakes the tasks whose wake-up was decided under it.
  void unlock() LXSS_RELEASE();

  /// Holds a lock for a scope.
  class Held;
  /// Gives a lock up for a scope.
  class Released;

 private:
  void acquire_slowly(u32 self);
  void wait_for_owner(u32 seen);
};

class [[nodiscard]] LXSS_SCOPED_CAPABILITY Lock::Held {
 public:
  explicit Held(Lock& lock) LXSS_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
  ~Held() LXSS_RELEASE() { lock_.unlock(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  Lock& lock_;
};

class [[nodiscard]] LXSS_SCOPED_CAPABILITY Lock::Released {
 public:
  explicit Released(Lock& lock) LXSS_RELEASE(lock) : lock_(lock) { lock_.unlock(); }
  ~Released() LXSS_ACQUIRE() { lock_.lock(); }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

 private:
  Lock& lock_;
};

/// What a task holds, and whom it is to wake when it holds nothing any more. Written by the task
/// itself; read by the monitor once the host has ended it.
struct HeldLocks {
  static constexpr usize kMost = 12;  ///< short locks and sleep locks at a time
  LockWord* locks[kMost] = {};
  u32 count = 0;
  u32 short_count = 0;
  u32 kernel_depth = 0;  ///< how often the kernel lock was taken (kernel_lock.h)
  Task* to_wake = nullptr;

  /// Before a lock is taken, so that no holder goes unrecorded.
  void enter(LockWord& lock);
  /// After it was given up.
  void leave(LockWord& lock);
};

/// Carries out the wake-ups that the current task has decided, if it holds no short lock.
void wake_decided();

/// In the debug kernel: panics if the current task holds a short lock of its own, where a host call
/// or a guest copy is about to be made.
#ifdef LXSS_DEBUG
void assert_no_short_lock();
#else
inline void assert_no_short_lock() {}
#endif

}  // namespace lxss
