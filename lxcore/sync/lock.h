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
#include "host/wait.h"

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

/// What becomes of a lock, and of what it guards, when the host has killed its holder.
enum class AfterDeath : u8 {
  kStop,     ///< what it guards is torn for all: the instance stops
  kAbandon,  ///< given up by the monitor and marked: see LockWord::abandoned()
};

/// The holder of a lock, as recorded in its word: the host thread's id.
class LockWord {
 public:
  /// 0 if free.
  i32 owner() const { return static_cast<i32>(word_.load(std::memory_order_relaxed) & ~kWaiters); }
  bool held_by_current() const;
  LockRank rank() const { return rank_; }
  bool is_short() const { return short_; }
  AfterDeath after_death() const { return after_death_; }

  /// The host killed a holder in the middle. An object that can be thrown away is broken from then
  /// on, for good: its operations look here once they have the lock, and fail (EIO, end of file,
  /// hang-up). What the host knows better is read again: take_abandoned().
  bool abandoned() const { return abandoned_.load(std::memory_order_relaxed); }
  /// True once after each death; by the holder, who then makes whole what the lock guards.
  bool take_abandoned() {
    return abandoned() && abandoned_.exchange(false, std::memory_order_relaxed);
  }

 protected:
  constexpr LockWord(LockRank rank, bool is_short, AfterDeath after_death)
      : rank_(rank), short_(is_short), after_death_(after_death) {}
  static constexpr u32 kWaiters = 1u << 31;
  /// Marks it and takes it from `dead`, who holds it: the old word.
  u32 abandon(i32 dead);
  std::atomic<u32> word_{0};  ///< owner's host thread id | kWaiters

 private:
  LockRank rank_;
  bool short_;
  AfterDeath after_death_;
  std::atomic<bool> abandoned_{false};
};

class LXSS_CAPABILITY("lock") Lock : public LockWord {
 public:
  explicit constexpr Lock(LockRank rank, AfterDeath after_death = AfterDeath::kStop)
      : LockWord(rank, true, after_death) {}
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  void lock() LXSS_ACQUIRE();
  bool try_lock() LXSS_TRY_ACQUIRE(true);
  /// With the last lock of the task given up, wakes the tasks whose wake-up was decided under it.
  void unlock() LXSS_RELEASE();
  /// By the monitor, of a lock that is kAbandon and whose holder is dead.
  void abandon(i32 dead);

  /// Holds a lock for a scope.
  class Held;
  /// Gives a lock up for a scope.
  class Released;

 private:
  void acquire_slowly(u32 self);
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

/// Who sleeps until a lock is free, for the monitor: where it waits for a lock whose holder waits
/// for another, it finds the one whose holder is dead. Of those who wait, as many as there is room
/// for.
class LockWaits {
 public:
  struct Wait {
    const std::atomic<u32>* word = nullptr;  ///< null: it does not wait
    LockWord* lock = nullptr;                ///< null for a Mutex
  };
  /// A place, or null if all are taken.
  void* begin(i32 host_thread, Wait wait);
  void end(void* place);
  Wait find(i32 host_thread) const;
  /// The host has killed it.
  void forget(i32 host_thread);

 private:
  struct Place {
    std::atomic<i32> host_thread{0};  ///< 0: free; written last
    std::atomic<const std::atomic<u32>*> word{nullptr};
    std::atomic<LockWord*> lock{nullptr};
  };
  Place places_[64];
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
  Task* waking = nullptr;  ///< taken off that list, its host call not made yet

  /// Before a lock is taken, so that no holder goes unrecorded.
  void enter(LockWord& lock);
  /// After it was given up: who took it next may have freed it by now.
  void leave(const LockWord* lock, bool is_short);
};

/// Carries out the wake-ups that the current task has decided, if it holds no short lock.
void wake_decided();

/// The same for what a dead task had decided. By the monitor.
void wake_decided_by(HeldLocks& dead);

/// How long the monitor waits for a lock before it looks whether the holder lives. Others wait
/// without end: the monitor ends their wait.
host::Deadline monitor_patience();
/// Sleeps until `word` is not `seen` any more, or for no reason. `lock` is its lock, if it is one.
void wait_for_owner(const std::atomic<u32>& word, u32 seen, LockWord* lock);
/// By the monitor, which has waited for its patience: where the host has killed the owner of the
/// lock, or of the one that the owner waits for, and so on, gives that lock up or stops the
/// instance.
void look_for_dead_owner(LockWaits::Wait wait);

/// In the debug kernel: panics if the current task holds a short lock of its own, where a host call
/// or a guest copy is about to be made.
#ifdef LXSS_DEBUG
void assert_no_short_lock();
#else
inline void assert_no_short_lock() {}
#endif

}  // namespace lxss
