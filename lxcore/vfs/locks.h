// Advisory locks: flock(2), POSIX record locks and open file description locks (man 2 fcntl).
//
// Record locks belong to a descriptor table, the others to an open file description. Record and
// open file description locks exclude each other; flock's only each other. Guarded by the
// kernel lock.
#pragma once

#include <vector>

#include "abi/linux/fcntl.h"
#include "base/list.h"
#include "lxcore/vfs/file.h"

namespace lxss {

struct FileLock {
  enum class Kind : u8 { kFlock, kRecord, kOpenFile };
  Kind kind = Kind::kFlock;
  bool exclusive = false;
  const void* owner = nullptr;         ///< FdTable or File
  Pid pid{-1};                         ///< of a record lock; as F_GETLK reports it
  u64 begin = 0, last = ~u64{0} >> 1;  ///< both inclusive; `last` is the largest for "to the end"

  bool overlaps(const FileLock& other) const { return begin <= other.last && other.begin <= last; }
  bool conflicts_with(const FileLock& other) const {
    return owner != other.owner && (exclusive || other.exclusive) && overlaps(other) &&
           (kind == Kind::kFlock) == (other.kind == Kind::kFlock);
  }
};

/// The locks of one inode, and who waits for them. All are listed in Kernel::file_locks.
class FileLocks final : public ListNode<FileLocks> {
 public:
  explicit FileLocks(Inode& of) : inode(&of) {}
  Inode* inode;
  std::vector<FileLock> held;
  std::vector<FileLock> wanted;
  WaitQueue changed;
};

namespace locks {

/// Takes a lock, replacing what its owner holds in the range. EAGAIN if it conflicts and the
/// caller will not wait; EDEADLK for record locks that would wait in a circle; ERESTARTSYS.
Result<> acquire(Task& task, Inode& inode, const FileLock& lock, bool wait);
/// Gives up what its owner holds in the lock's range.
void release_range(Inode& inode, const FileLock& lock);
/// Gives up all that `owner` holds.
void release(Inode& inode, const void* owner);
/// A lock that stands in the way of `lock`, or null. Valid under this hold of the kernel lock.
const FileLock* conflict(const Inode& inode, const FileLock& lock);
/// The text of /proc/locks.
std::string list();

}  // namespace locks
}  // namespace lxss
