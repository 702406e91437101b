// File systems whose files are host files: one inode object for each, found by the host's
// identity, and a cache of host descriptors.
//
// An inode knows names under which the host has it, and is opened by one of them when it is
// needed. A HostHandle keeps it open; without handles the descriptor stays in a list of idle
// ones, whose oldest is closed when they become too many or the host runs out. An inode that
// has lost its last known name keeps its descriptor to the end. All under the kernel lock.
#pragma once

#include <array>
#include <string>
#include <vector>

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
struct HostIdleTag;

/// Keeps an inode, and its host descriptor, open. A class that moves only.
class HostHandle {
 public:
  HostHandle() = default;
  explicit HostHandle(HostInode& inode);
  HostHandle(HostHandle&&) = default;
  HostHandle& operator=(HostHandle&& other) noexcept;
  ~HostHandle() { reset(); }

  host::Fd fd() const;
  HostInode& inode() const { return *inode_; }
  explicit operator bool() const { return bool(inode_); }
  void reset();

 private:
  RefPtr<HostInode> inode_;
};

class HostInode : public Inode, public ListNode<HostTableTag>, public ListNode<HostIdleTag> {
 public:
  ~HostInode() override;

  HostTree& tree() const;
  HostId id() const { return id_; }

  /// Opens it, and closed directories on the way to it, if need be. ENOENT when it has no name
  /// and no descriptor.
  Result<HostHandle> hold();
  bool is_open() const { return bool(descriptor_); }
  /// The descriptor if there is one, without holding it.
  host::Fd descriptor() const { return descriptor_.get(); }
  /// Takes a descriptor that was opened on the way; dropped if there is one.
  void adopt(host::UniqueFd descriptor);
  /// Gives it up again; nobody may hold it.
  host::UniqueFd take_descriptor();

  struct HostName {
    RefPtr<HostInode> directory;
    std::string name;  ///< as the host has it
  };
  /// The names known; hard links may have more.
  const std::vector<HostName>& names() const { return names_; }
  bool has_name() const { return !names_.empty(); }
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
  void forget_identity() { ListNode<HostTableTag>::unlink(); }
  void last_unref() override;

 private:
  friend class HostHandle;
  friend class HostTree;
  void settle();

  HostId id_;
  host::UniqueFd descriptor_;
  u32 handles_ = 0;
  bool is_root_ = false;  ///< its descriptor is the mounter's
  std::vector<HostName> names_;
};

class HostTree : public FileSystem {
 public:
  /// Half of the smallest usual limit of descriptors.
  static constexpr usize kMaxIdleDescriptors = 2048;

  host::Fd root_descriptor() const { return root_; }
  u64 root_device() const { return root_device_; }

  /// The inode object of a host file, or null.
  HostInode* find(HostId id);

  /// Makes a host call that returns a descriptor; when the host has none left, idle ones are
  /// closed first.
  template <typename Open>
  auto with_room(Open open) -> decltype(open()) {
    auto opened = open();
    while ((opened.is(Errno::kEMFILE) || opened.is(Errno::kENFILE)) && close_idle(kEvictAtOnce)) {
      opened = open();
    }
    return opened;
  }

  usize idle_count() const { return idle_count_; }

 protected:
  /// `root` stays the caller's and open.
  HostTree(const char* type, i64 magic, host::Fd root, u64 root_device, usize max_idle);
  ~HostTree() override = default;
  /// Marks the inode of the root, made by the file system.
  void set_root(HostInode& inode);

 private:
  friend class HostInode;
  static constexpr usize kBuckets = 16384;
  static constexpr usize kEvictAtOnce = 64;

  List<HostInode, HostTableTag>& bucket(HostId id);
  /// True if there was one to close.
  bool close_idle(usize count);

  host::Fd root_;
  u64 root_device_;
  usize max_idle_;
  usize idle_count_ = 0;
  List<HostInode, HostIdleTag> idle_;  ///< the oldest first
  std::array<List<HostInode, HostTableTag>, kBuckets> table_;
};

}  // namespace lxss
