// Dentries: names in the tree and what they lead to, cached. Mounts and paths.
#pragma once

#include <string>
#include <string_view>

#include "abi/linux/mount.h"
#include "base/list.h"
#include "lxcore/vfs/inode.h"

namespace lxss {

struct DentryLruTag;
struct DentryHashTag;
struct DentrySiblingTag;
class DentryCache;

/// A name in a directory. A dentry without an inode remembers that the name does not exist.
/// Guarded by the kernel lock.
class Dentry final : public RefCounted,
                     public ListNode<DentryLruTag>,
                     public ListNode<DentryHashTag>,
                     public ListNode<DentrySiblingTag> {
 public:
  Dentry(RefPtr<Dentry> parent, std::string_view name, RefPtr<Inode> inode)
      : parent_(std::move(parent)), name_(name), inode_(std::move(inode)) {}

  /// Null for a root, and for a file that has no name (pipes, sockets: the name is shown).
  Dentry* parent() const { return parent_.get(); }
  const std::string& name() const { return name_; }
  Inode* inode() const { return inode_.get(); }
  bool is_negative() const { return !inode_; }
  /// The name was removed while the dentry is in use.
  bool unlinked() const { return unlinked_; }
  /// Mounts that cover this dentry (in any parent mount).
  u32 mount_count = 0;

 private:
  friend class DentryCache;
  RefPtr<Dentry> parent_;
  std::string name_;
  RefPtr<Inode> inode_;
  bool unlinked_ = false;
  bool hashed_ = false;
  bool used_ = false;  ///< since the cache last looked for something to forget
  u32 hash_ = 0;
  Dentry* next_dead_ = nullptr;
  List<Dentry, DentrySiblingTag> children_;  ///< those in the cache

  /// Deep trees die without recursion.
  void last_unref() override;
};

class Mount;

struct Path {
  RefPtr<Mount> mount;
  RefPtr<Dentry> dentry;

  explicit operator bool() const { return bool(dentry); }
  Inode& inode() const { return *dentry->inode(); }
  bool operator==(const Path& other) const {
    return mount == other.mount && dentry == other.dentry;
  }
};

/// One file system, or a subtree of one, in the mount tree.
class Mount final : public RefCounted, public ListNode<Mount> {
 public:
  Mount(RefPtr<FileSystem> filesystem, RefPtr<Dentry> root, std::string source,
        abi::MountFlags flags);
  ~Mount() override;

  FileSystem& filesystem() const { return *filesystem_; }
  Dentry& root() const { return *root_; }
  u32 id() const { return id_; }
  const std::string& source() const { return source_; }
  abi::MountFlags flags;  ///< kMS_RDONLY, kMS_NOSUID, kMS_NODEV, kMS_NOEXEC, kMS_NOATIME, ...
  bool read_only() const { return flags.has(abi::MountFlag::kMS_RDONLY); }
  /// Where it is mounted; empty for the root of the tree.
  Path mountpoint;

 private:
  RefPtr<FileSystem> filesystem_;
  RefPtr<Dentry> root_;
  u32 id_;
  std::string source_;
};

/// The cache of names. A dentry that nothing else refers to stays until kMaxUnused others
/// were used since. A directory entry that the VFS makes, moves or removes is told to the cache
/// here, after the file system has done it.
class DentryCache {
 public:
  static constexpr usize kBuckets = 16384;
  static constexpr usize kMaxUnused = 65536;

  /// The child of a directory: from the cache, or by its inode's lookup. A negative dentry
  /// when the name does not exist; an error when the lookup failed otherwise. The caller holds
  /// `directory`.
  Result<RefPtr<Dentry>> lookup(Dentry& directory, std::string_view name);
  /// The cached child, or null. It stays as long as the kernel lock is held and nothing is
  /// looked up; where dentries are not stable it may no longer be true.
  Dentry* find(Dentry& directory, std::string_view name);
  /// A directory entry came into being, or went (unlink, rmdir); renamed.
  void instantiate(Dentry& negative, RefPtr<Inode> inode);
  void remove(Dentry& dentry);
  void move(Dentry& dentry, Dentry& new_directory, std::string_view new_name);
  void exchange(Dentry& a, Dentry& b);
  /// Forgets unused children, recursively (umount, invalidation).
  void prune(Dentry& directory);
  /// Takes a name out of the cache: whoever uses the dentry keeps it, the next walk asks anew.
  void forget(Dentry& dentry) { unhash(dentry); }
  /// A dentry of a file without a name (O_TMPFILE) in a directory; shown as deleted.
  static RefPtr<Dentry> unnamed(Dentry& directory, std::string_view shown, RefPtr<Inode> inode);

 private:
  friend class Dentry;
  using Bucket = List<Dentry, DentryHashTag>;
  Bucket& bucket(u32 hash) { return buckets_[hash % kBuckets]; }
  void insert(Dentry& dentry);
  void unhash(Dentry& dentry);
  void shrink();

  Bucket buckets_[kBuckets];
  List<Dentry, DentryLruTag> cached_;  ///< all hashed ones; holds one reference each
  usize cached_count_ = 0;
  Dentry* dead_ = nullptr;  ///< being destroyed
  bool burying_ = false;
};

}  // namespace lxss
