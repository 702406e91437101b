// The mount tree: mounts, paths, and stepping into and out of mounts.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "abi/linux/mount.h"
#include "lxcore/vfs/dentry.h"

namespace lxss {

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

/// A path that is not counted: good inside a Reading, or as long as somebody holds it.
struct Place {
  Mount* mount = nullptr;
  Dentry* dentry = nullptr;

  explicit operator bool() const { return dentry != nullptr; }
  bool operator==(const Place&) const = default;
};

/// A path that many read and few change. Readers hold nothing.
class PublishedPath {
 public:
  PublishedPath() = default;
  /// Of the moment; good inside a Reading.
  Place place() const;
  Path get() const;
  void set(Path path);

 private:
  mutable Lock lock_{LockRank::kPaths};
  Path held_ LXSS_GUARDED_BY(lock_);
  Snapshot<Place> place_;  ///< written under lock_
};

/// References counted in several places, so that those of one hot object do not meet in one cache
/// line. Ups and downs only grow: if both sums are the same, the downs being read first, there was
/// a moment without references.
class SpreadCount {
 public:
  void up() { mine().ups.fetch_add(1, std::memory_order_seq_cst); }
  void down() { mine().downs.fetch_add(1, std::memory_order_seq_cst); }
  u64 sum() const;

 private:
  static constexpr usize kPlaces = 16;
  struct Counters {
    std::atomic<u64> ups{0}, downs{0};
    std::byte apart[64 - 2 * sizeof(u64)];  ///< the next lie in another cache line
  };
  Counters& mine();
  std::array<Counters, kPlaces> counters_;
};

/// One file system, or a subtree of one, in the mount tree. Every path holds one, so it is counted
/// by a SpreadCount; while it is in the tree nobody asks how often.
class Mount final : public Retirable, public ListNode<Mount>, public ReadTableNode<Mount> {
 public:
  Mount(RefPtr<FileSystem> filesystem, RefPtr<Dentry> root, std::string source,
        abi::MountFlags flags);
  ~Mount() override = default;

  FileSystem& filesystem() const { return *filesystem_; }
  Dentry& root() const { return *root_; }
  u32 id() const { return id_; }
  const std::string& source() const { return source_; }
  /// kMS_RDONLY, kMS_NOSUID, kMS_NODEV, kMS_NOEXEC, kMS_NOATIME, ...
  abi::MountFlags flags() const { return flags_.load(std::memory_order_relaxed); }
  /// It never ends: nobody counts it out.
  void keep_for_ever() { attached_.store(true, std::memory_order_seq_cst); }
  void set_flags(abi::MountFlags flags) { flags_.store(flags, std::memory_order_relaxed); }
  bool read_only() const { return flags().has(abi::MountFlag::kMS_RDONLY); }
  /// Where it is mounted; empty for the root of the tree and what was taken out of it.
  Path mountpoint() const { return mountpoint_.get(); }
  Place mountpoint_place() const { return mountpoint_.place(); }

  void ref() const { count_.up(); }
  void unref() const {
    count_.down();
    if (!attached_.load(std::memory_order_seq_cst)) [[unlikely]]
      end_if_unused();
  }
  /// False if it is on its way out.
  bool try_ref() const;
  u64 reference_count() const { return count_.sum(); }

 private:
  friend class MountTree;
  void end_if_unused() const;

  RefPtr<FileSystem> filesystem_;
  Dentry* const root_;  ///< counted until the mount ends
  const u32 id_;
  const std::string source_;
  std::atomic<abi::MountFlags> flags_;
  PublishedPath mountpoint_;
  mutable SpreadCount count_;
  /// In the tree, or just made. What is not ends with its last reference.
  std::atomic<bool> attached_{false};
  mutable std::atomic<bool> ended_{false};  ///< changed under the tree's lock
};

/// All mounts. Changes exclude each other by the lock; walks search without it.
class MountTree {
 public:
  /// The mount that covers `dentry` in `parent`, or null. Inside a Reading. Ask only if
  /// dentry.mount_count is not 0.
  Mount* at(const Mount& parent, const Dentry& dentry) const;
  /// In the order in which they were mounted.
  std::vector<RefPtr<Mount>> all();

  /// Puts it where `path` is, or moves it there.
  void attach(Mount& mount, const Path& path);
  void detach(Mount& mount);
  bool has_children(const Mount& mount);

 private:
  friend class Mount;
  static constexpr usize kBuckets = 1024;
  static u32 hash(const Mount& parent, const Dentry& dentry);

  Lock lock_{LockRank::kMounts};
  List<Mount> mounts_ LXSS_GUARDED_BY(lock_);
  ReadTable<Mount, kBuckets> table_;  ///< changed under lock_
};

namespace vfs {

/// As mount(), but of a subtree that is mounted elsewhere (MS_BIND).
Result<RefPtr<Mount>> bind(const Path& from, const Path& at, abi::MountFlags flags);
/// Moves a mount, given by its root (MS_MOVE). EINVAL, ELOOP.
Result<> move_mount(Mount& mount, const Path& to);
/// EBUSY while it is in use by others than the caller, who holds one reference; unless `detach`,
/// which leaves it to its users.
Result<> unmount(Mount& mount, bool detach);

}  // namespace vfs
}  // namespace lxss
