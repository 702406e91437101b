// Dentries: names in the tree and what they lead to, cached.
//
// The cache is searched without a lock. What makes that right:
// - A dentry's inode never goes from one to another nor away: a negative dentry gets its inode
//   once, and a removed name is a dentry taken out of the cache.
// - A dentry is found by (directory, name) only while both are whole: a rename first takes it out
//   and makes it match nothing.
// - Names are objects that do not change; a rename publishes another one.
// - A search that finds nothing proves nothing. Who must know takes the directory's entries_lock
//   (inode.h), under which names come and go, and looks again.
// Memory is freed by epochs (sync/epoch.h).
#pragma once

#include <string>
#include <string_view>

#include "base/list.h"
#include "lxcore/sync/read_table.h"
#include "lxcore/vfs/inode.h"

namespace lxss {

struct DentryLruTag;
struct DentrySiblingTag;
class DentryCache;
class DentryName;

/// A name in a directory. A dentry without an inode remembers that the name does not exist.
class Dentry final : public RefCounted,
                     public Retirable,
                     public ReadTableNode<Dentry>,
                     public ListNode<DentryLruTag>,
                     public ListNode<DentrySiblingTag> {
 public:
  Dentry(RefPtr<Dentry> parent, std::string_view name, RefPtr<Inode> inode);
  ~Dentry() override;

  /// Null for a root, and for a file that has no name (pipes, sockets: the name is shown). Good
  /// until the next rename, and inside a Reading.
  Dentry* parent() const { return parent_.load(std::memory_order_acquire); }
  /// Likewise.
  std::string_view name() const;
  /// Good as long as the dentry is held.
  Inode* inode() const { return inode_.load(std::memory_order_acquire); }
  bool is_negative() const { return !inode(); }
  /// The name was removed while the dentry is in use.
  bool unlinked() const { return unlinked_.load(std::memory_order_acquire); }
  /// Mounts that cover this dentry (in any parent mount).
  std::atomic<u32> mount_count{0};

 private:
  friend class DentryCache;
  std::atomic<Dentry*> parent_;             ///< counted; changed under the cache's lock
  std::atomic<const DentryName*> name_;     ///< owned; likewise
  std::atomic<Inode*> inode_;               ///< counted; set once
  std::atomic<Dentry*> found_in_{nullptr};  ///< the parent while a search may find it
  std::atomic<bool> unlinked_{false};
  std::atomic<bool> used_{false};  ///< since the cache last looked for something to forget
  // Under the cache's lock.
  bool hashed_ = false;                      ///< in the cache, which holds a reference
  bool keeps_parent_ = true;                 ///< the parent is counted, as long as the dentry is
  List<Dentry, DentrySiblingTag> children_;  ///< those in the cache

  /// Deep trees die without recursion.
  void last_unref() override;
};

/// The cache of names. A dentry that nothing else refers to stays until kMaxUnused others
/// were used since. A directory entry that the VFS makes, moves or removes is told to the cache
/// here, after the file system has done it and under the directory's entries_lock.
class DentryCache {
 public:
  static constexpr usize kBuckets = 65536;
  static constexpr usize kMaxUnused = 262144;

  /// The cached child, or null. Inside a Reading. Where dentries are not stable it may no longer
  /// be true.
  Dentry* find(const Dentry& directory, std::string_view name) const;
  /// The child of a directory that the caller holds: from the cache, or by its inode's lookup. A
  /// negative dentry when the name does not exist; an error when the lookup failed otherwise. With
  /// the entries_lock held.
  Result<RefPtr<Dentry>> lookup(Dentry& directory, std::string_view name);
  /// The same for who does not hold the entries_lock; EINTR if the task is to end.
  Result<RefPtr<Dentry>> lookup_unlocked(Task& task, Dentry& directory, std::string_view name);
  /// A directory entry came into being, or went (unlink, rmdir); renamed.
  void instantiate(Dentry& negative, RefPtr<Inode> inode);
  void remove(Dentry& dentry);
  void move(Dentry& dentry, Dentry& new_directory, std::string_view new_name);
  void exchange(Dentry& a, Dentry& b);
  /// Forgets unused children, recursively (umount, invalidation).
  void prune(Dentry& directory);
  /// Takes a name out of the cache: whoever uses the dentry keeps it, the next walk asks anew.
  void forget(Dentry& dentry);
  /// A dentry of a file without a name (O_TMPFILE) in a directory; shown as deleted.
  static RefPtr<Dentry> unnamed(Dentry& directory, std::string_view shown, RefPtr<Inode> inode);
  /// Changes with every rename: who read several parents and names can tell whether they belong
  /// together. Odd while one is being made.
  u32 renames() const { return renames_.load(std::memory_order_acquire); }
  /// Keeps renames away.
  Lock& lock() LXSS_RETURN_CAPABILITY(lock_) { return lock_; }
  /// Held by renames between directories, which keeps it true who lies below whom.
  SleepLock rename_lock;

 private:
  friend class Dentry;
  /// Dentries that left the cache, to be let go of without the lock.
  class Forgotten;

  RefPtr<Dentry> find_held(const Dentry& directory, std::string_view name) const;
  void insert(Dentry& dentry, Forgotten& forgotten) LXSS_REQUIRES(lock_);
  void unhash(Dentry& dentry, Forgotten& forgotten) LXSS_REQUIRES(lock_);
  /// An unused one; false if it is in use.
  bool unhash_unused(Dentry& dentry, Forgotten& forgotten) LXSS_REQUIRES(lock_);
  void put_in(Dentry& dentry) LXSS_REQUIRES(lock_);
  void take_out(Dentry& dentry) LXSS_REQUIRES(lock_);
  void rekey(Dentry& dentry, Dentry& directory, std::string_view name, Forgotten& forgotten)
      LXSS_REQUIRES(lock_);
  void prune(Dentry& directory, Forgotten& forgotten) LXSS_REQUIRES(lock_);
  void shrink(Forgotten& forgotten) LXSS_REQUIRES(lock_);

  ReadTable<Dentry, kBuckets> table_;  ///< changed under lock_
  Lock lock_{LockRank::kDentries};
  std::atomic<u32> renames_{0};                               ///< changed under lock_
  List<Dentry, DentryLruTag> cached_ LXSS_GUARDED_BY(lock_);  ///< all hashed ones
  usize cached_count_ LXSS_GUARDED_BY(lock_) = 0;
};

}  // namespace lxss
