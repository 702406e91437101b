// File systems whose files are host files: one inode object for each, found by the host's
// identity, and a cache of host descriptors.
//
// An inode knows names under which the host has it, and is opened by one of them when it is
// needed. A HostHandle keeps it open; without handles the descriptor stays until there are too
// many or the host runs out, when those that were not used lately are closed. An inode that
// has lost its last known name keeps its descriptor to the end.
//
// Locks: an inode's own (Inode::lock_) guards its names; the tree's guards the table and the list
// of descriptors. Handles are counted without one: an inode that is open and in use, or that was
// open lately, costs one atomic step.
#pragma once

#include <array>
#include <set>
#include <string>

#include "base/list.h"
#include "host/file.h"
#include "lxcore/vfs/file.h"

namespace lxss {

/// Identity of a host file for as long as it exists.
struct HostId {
  u64 device = 0;
  u64 number = 0;
  bool operator==(const HostId&) const = default;
};
inline HostId id_of(const abi::Stat& status) { return {status.st_dev, status.st_ino}; }

class HostInode;
class HostTree;
struct HostTableTag;
struct HostOpenTag;

/// Keeps an inode, and its host descriptor, open. A class that moves only.
class HostHandle {
 public:
  HostHandle() = default;
  HostHandle(HostHandle&&) = default;
  HostHandle& operator=(HostHandle&& other) noexcept;
  ~HostHandle() { reset(); }

  host::Fd fd() const;
  HostInode& inode() const { return *inode_; }
  explicit operator bool() const { return bool(inode_); }
  void reset();

 private:
  friend class HostInode;
  /// Takes over a use that was counted.
  explicit HostHandle(HostInode& inode);
  RefPtr<HostInode> inode_;
};

class HostInode : public Inode, public ListNode<HostTableTag>, public ListNode<HostOpenTag> {
 public:
  ~HostInode() override = default;

  HostTree& tree() const;
  HostId id() const { return id_; }

  /// Opens it, and closed directories on the way to it, if need be. ENOENT when it has no name
  /// and no descriptor.
  Result<HostHandle> hold();
  /// The same if it is open already: nothing else is done.
  HostHandle hold_if_open();
  /// Takes a descriptor that was opened on the way; dropped if there is one.
  void adopt(host::UniqueFd descriptor);
  /// Gives it up again, if nobody holds it.
  host::UniqueFd take_descriptor();

  struct HostName {
    RefPtr<HostInode> directory;
    std::string name;  ///< as the host has it
    auto operator<=>(const HostName&) const = default;
  };
  /// One of the names known, if there is any; hard links may have more.
  std::optional<HostName> any_name() const;
  usize name_count() const;
  bool has_name() const { return name_count() != 0; }
  void add_name(HostInode& directory, std::string_view name);
  void remove_name(HostInode& directory, std::string_view name);
  void forget_names();

 protected:
  /// `status` tells the identity; `number` is what the guest sees.
  HostInode(HostTree& tree, const abi::Stat& status, u64 number, u32 mode, u32 uid, u32 gid,
            u64 rdev);
  virtual host::OpenMode open_mode() const {
    return is_directory() ? host::OpenMode::kDirectory : host::OpenMode::kReadWrite;
  }
  /// Called with what hold() has just opened; an error closes it again.
  virtual Result<> opened(host::Fd) { return {}; }
  /// Removes it from the table: the host has another file of this identity now.
  void forget_identity();
  void released() override;

 private:
  friend class HostHandle;
  friend class HostTree;
  static constexpr u32 kClosed = 1u << 31;

  bool try_use();
  /// Opens it and what is closed on the way. ENOENT or ESTALE if a name on it has changed.
  Result<HostHandle> open_from_above();
  /// Opens it by a name that it had when the tree's names had changed `seen` times.
  Result<HostHandle> open_in(host::Fd directory, std::string_view name, u64 seen);
  void install(host::UniqueFd descriptor);

  const HostId id_;
  bool is_root_ = false;  ///< its descriptor is the mounter's; set before others know it
  /// Handles, or kClosed. Leaves kClosed under opening_, gets it from 0 by whoever closes.
  std::atomic<u32> uses_{kClosed};
  std::atomic<i32> descriptor_{host::kNoFd.value};  ///< good while in use
  std::atomic<bool> used_lately_{false};
  SleepLock opening_;  ///< held while it is opened
  std::set<HostName> names_ LXSS_GUARDED_BY(lock_);
};

class HostTree : public FileSystem {
 public:
  /// Half of the smallest usual limit of descriptors.
  static constexpr usize kMaxOpenDescriptors = 2048;

  host::Fd root_descriptor() const { return root_; }
  u64 root_device() const { return root_device_; }

  /// The inode object of a host file, or null.
  RefPtr<HostInode> find(HostId id);
  /// What its inode object says of a host file, if there is one: its type.
  std::optional<u32> type_of(HostId id);

  /// Makes a host call that returns a descriptor; when the host has none left, idle ones are
  /// closed first.
  template <typename Open>
  auto with_room(Open open) -> decltype(open()) {
    auto opened = open();
    constexpr int kRounds = 64;
    for (int i = 0; i < kRounds && (opened.is(Errno::kEMFILE) || opened.is(Errno::kENFILE)) &&
                    close_idle(kEvictAtOnce);
         ++i) {
      opened = open();
    }
    return opened;
  }

  /// Inodes that have a descriptor.
  usize open_count() const { return open_count_.load(std::memory_order_relaxed); }

  /// Around each host call that takes a name from a file or gives it to another: who opens a file
  /// by a name at the same time makes sure that it is the right one.
  class NamesChange;
  /// For names_unchanged_since().
  u64 name_changes() const {
    return changing_names_.load() != 0 ? kChangingNow : name_changes_.load();
  }
  bool names_unchanged_since(u64 seen) const {
    return seen != kChangingNow && name_changes_.load() == seen;
  }

 protected:
  /// `root` stays the caller's and open.
  HostTree(const char* type, i64 magic, host::Fd root, u64 root_device, usize max_open,
           Locking locking);
  ~HostTree() override = default;
  /// Marks the inode of the root, made by the file system, before others know it.
  void set_root(HostInode& inode);
  /// Puts an inode where find() finds it, or hands back the one that is there already.
  RefPtr<HostInode> enter(RefPtr<HostInode> inode);
  /// Likewise that of a file just made.
  void enter_new(HostInode& inode);

 private:
  friend class HostInode;
  static constexpr usize kBuckets = 16384;
  static constexpr usize kEvictAtOnce = 64;
  static constexpr u64 kChangingNow = ~u64{0};

  List<HostInode, HostTableTag>& bucket(HostId id) LXSS_REQUIRES(lock_);
  /// True if there was one to close.
  bool close_idle(usize count);
  void note_open(HostInode& inode);

  const host::Fd root_;
  const u64 root_device_;
  const usize max_open_;
  std::atomic<usize> open_count_{0};
  std::atomic<u64> name_changes_{0};  ///< begun and ended
  std::atomic<u32> changing_names_{0};
  Lock lock_{LockRank::kFileSystem};
  List<HostInode, HostOpenTag> open_ LXSS_GUARDED_BY(lock_);  ///< with a descriptor, oldest first
  std::array<List<HostInode, HostTableTag>, kBuckets> table_ LXSS_GUARDED_BY(lock_);
};

class HostTree::NamesChange {
 public:
  explicit NamesChange(HostTree& tree) : tree_(tree) {
    tree_.changing_names_.fetch_add(1);
    tree_.name_changes_.fetch_add(1);
  }
  ~NamesChange() {
    tree_.name_changes_.fetch_add(1);
    tree_.changing_names_.fetch_sub(1);
  }
  NamesChange(const NamesChange&) = delete;
  NamesChange& operator=(const NamesChange&) = delete;

 private:
  HostTree& tree_;
};

}  // namespace lxss
