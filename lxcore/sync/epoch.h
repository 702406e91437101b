// Reading without locks: memory that readers may still look at is freed only after they are done.
//
// A reader is inside an Epoch::Reading for as long as it uses pointers that it has not counted:
// dentries, inodes, mounts, names. Meanwhile it makes no host call, no guest copy, no allocation
// and no wait. Who takes such an object out of everything that leads to it retires it; its memory
// goes once every reader that was inside at that time has left. What an object holds besides its
// memory (references, descriptors) is given up when it is retired, not when it is freed.
//
// A task keeps what it has retired in a list of its own and frees it between system calls. The
// time is a number that moves on when every reader inside has seen it; an object retired at time t
// is freed at t + 2. A task that the host ended leaves its reading; the monitor does that.
#pragma once

#include <atomic>

#include "base/list.h"
#include "base/types.h"
#include "lxcore/sync/lock.h"

namespace lxss {

class Epoch;

/// An object whose memory may be read by readers that do not count references.
class Retirable {
 public:
  virtual ~Retirable() = default;

 protected:
  /// Frees the memory.
  virtual void free() { delete this; }

 private:
  friend class EpochReader;
  Retirable* next_retired_ = nullptr;  ///< the retiring task's
  u64 retired_at_ = 0;
};

/// A task's part: whether it is reading, and what it has retired.
class EpochReader : public ListNode<EpochReader> {
 public:
  EpochReader() = default;
  ~EpochReader();

  bool is_reading() const { return depth_ != 0; }
  /// Frees `object` when nobody can be reading it any more. By the task itself.
  void retire(Retirable& object);
  /// Frees what can be freed, if enough has come together. By the task itself, which holds no
  /// lock and is not reading.
  void reclaim() {
    if (retired_count_ >= kBatch) [[unlikely]]
      reclaim_now();
  }
  /// Frees all that can be freed.
  void drain();
  /// Of a task that has ended: others free what it has left.
  void leave();

 private:
  friend class Epoch;
  static constexpr u32 kBatch = 64;
  void reclaim_now();

  std::atomic<u64> inside_{0};  ///< the time when it entered, 0 outside; read by all
  u32 depth_ = 0;               ///< its task's, like all that follows
  u32 retired_count_ = 0;
  Retirable* oldest_ = nullptr;
  Retirable* newest_ = nullptr;
};

/// The instance's time, and its readers.
class Epoch {
 public:
  /// Inside for a scope. May nest.
  class Reading;

  void add(EpochReader& reader);

 private:
  friend class EpochReader;
  /// The time after trying to move it on.
  u64 advance();

  std::atomic<u64> now_{1};
  Lock lock_{LockRank::kLeaf};
  List<EpochReader> readers_ LXSS_GUARDED_BY(lock_);
  /// What ended tasks have retired, oldest first.
  Retirable* orphans_ LXSS_GUARDED_BY(lock_) = nullptr;
  Retirable* newest_orphan_ LXSS_GUARDED_BY(lock_) = nullptr;
};

class [[nodiscard]] Epoch::Reading {
 public:
  /// Enters at once, or with again().
  explicit Reading(bool now = true);
  ~Reading() { end(); }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  /// Leaves before the scope ends; again() enters anew.
  void end();
  void again();
  bool active() const { return active_; }

 private:
  EpochReader& reader_;
  bool active_ = false;
};

/// Retires an object of the current task's.
void retire(Retirable& object);

}  // namespace lxss
