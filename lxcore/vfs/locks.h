// Advisory locks: flock(2), POSIX record locks and open file description locks (man 2 fcntl).
//
// Record locks belong to a descriptor table, the others to an open file description. Record and
// open file description locks exclude each other; flock's only each other.
//
// Each inode's locks have a Lock. Who gives a lock up hands what it held on to those who wait, in
// the order in which they came, so that nobody wakes up in vain. One table tells which owner of
// record locks waits for which, so that none ever waits for itself.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "abi/linux/fcntl.h"
#include "base/list.h"
#include "lxcore/vfs/file.h"

namespace lxss {

struct FileLock {
  enum class Kind : u8 { kFlock, kRecord, kOpenFile };
  Kind kind = Kind::kFlock;
  bool exclusive = false;
  const void* owner = nullptr;         ///< FdTable or File; only compared
  Pid pid{-1};                         ///< of a record lock; as F_GETLK reports it
  u64 begin = 0, last = ~u64{0} >> 1;  ///< both inclusive; `last` is the largest for "to the end"

  bool overlaps(const FileLock& other) const { return begin <= other.last && other.begin <= last; }
  bool conflicts_with(const FileLock& other) const {
    return owner != other.owner && (exclusive || other.exclusive) && overlaps(other) &&
           (kind == Kind::kFlock) == (other.kind == Kind::kFlock);
  }
};

/// A request that waits. On the heap; of the task that made it.
struct WaitingLock : public ListNode<WaitingLock> {
  enum class State : u8 { kWaits, kGranted, kWouldDeadlock };
  FileLock lock;
  State state = State::kWaits;  ///< under the FileLocks' lock
  WaitQueue changed;            ///< woken when it waits no more
  /// Who holds what it waits for, if both are owners of record locks: under the waits' lock.
  const void* blocker = nullptr;
};

/// Which owners of record locks wait for which: edges from the owner of a request to the owner of
/// the first lock that stands in its way.
class FileLockWaits {
 public:
  /// `blocker` null: for none. False, and none noted, if the blocker waits for the request's owner,
  /// by way of others too.
  bool note(WaitingLock& request, const void* blocker);

 private:
  bool leads_to(const void* from, const void* to) const LXSS_REQUIRES(lock_);

  Lock lock_{LockRank::kLeaf};
  std::multimap<const void*, WaitingLock*> by_owner_ LXSS_GUARDED_BY(lock_);
};

class FileLocks;

/// All of the instance; in the Kernel.
struct FileLockTable {
  Lock lock{LockRank::kNames};
  List<FileLocks> files LXSS_GUARDED_BY(lock);
  FileLockWaits waits;
};

/// The locks of one inode, and who waits for them. Made at first use, freed with the inode.
class FileLocks final : public ListNode<FileLocks> {
 public:
  explicit FileLocks(Inode& of);
  ~FileLocks();

  /// See locks::acquire().
  Result<> acquire(Task& task, const FileLock& lock, bool wait);
  void release_range(const FileLock& lock);
  void release(const void* owner);
  std::optional<FileLock> conflict(const FileLock& lock);

  /// Copies of what is held and wanted, for /proc/locks. False, and nothing more than fits, if
  /// `room` entries are too few.
  struct Shown {
    u64 device, inode;
    FileLock lock;
    bool waits;
  };
  bool show(std::vector<Shown>& out, usize room);

 private:
  const FileLock* find_conflict(const FileLock& lock) const LXSS_REQUIRES(lock_);
  /// Puts `lock` where its owner may hold others. True if it took some of those away.
  bool take(const FileLock& lock) LXSS_REQUIRES(lock_);
  /// Locks went: gives those who wait what they may have now.
  void hand_on() LXSS_REQUIRES(lock_);
  /// True if it waits no more.
  bool settle(WaitingLock& request) LXSS_REQUIRES(lock_);

  Inode& inode_;
  Lock lock_{LockRank::kFileLocks};
  std::vector<FileLock> held_ LXSS_GUARDED_BY(lock_);
  List<WaitingLock> waiting_ LXSS_GUARDED_BY(lock_);  ///< the oldest first
};

namespace locks {

/// Takes a lock, replacing what its owner holds in the range. EAGAIN if it conflicts and the
/// caller will not wait; EDEADLK for record locks that would wait in a circle; ERESTARTSYS.
Result<> acquire(Task& task, Inode& inode, const FileLock& lock, bool wait);
/// Gives up what its owner holds in the lock's range.
void release_range(Inode& inode, const FileLock& lock);
/// Gives up all that `owner` holds.
void release(Inode& inode, const void* owner);
/// A lock that stands in the way of `lock` at this moment.
std::optional<FileLock> conflict(Inode& inode, const FileLock& lock);
/// The text of /proc/locks.
std::string list();

}  // namespace locks
}  // namespace lxss
