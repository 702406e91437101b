// The mounted VolFs tree and its inodes. Internal to fs/volfs.
#pragma once

#include <optional>

#include "fs/host_tree/host_file.h"
#include "fs/volfs/format.h"

namespace lxss::volfs {

class VolInode;
struct UnsyncedTag;

class Volume final : public HostTree {
 public:
  Volume(host::Fd root, u64 root_device, usize max_open);

  Result<RefPtr<Inode>> root() override;
  Result<abi::Statfs> statistics() override;
  Result<> sync() override;

  /// The inode of an entry; ENOENT if there is none or it has no record.
  Result<RefPtr<VolInode>> find_entry(VolInode& directory, host::Fd directory_fd,
                                      std::string_view name);
  /// Makes a host call that creates `name`. If something is there that has no record, it is
  /// removed and the call made again; EEXIST if an entry is there.
  template <typename Create>
  auto create_over_leftover(host::Fd directory, std::string_view name, Create create)
      -> decltype(create()) {
    auto created = create();
    if (!created.is(Errno::kEEXIST)) return created;
    TRY(remove_leftover(directory, name));
    return create();
  }
  /// Empties a directory that has no entry from what creations left that did not finish.
  /// ENOTEMPTY if an entry is there.
  Result<> remove_leftovers(VolInode& directory);

  /// Makes every creation until now durable.
  Result<> sync_creations();

 private:
  friend class VolInode;
  static constexpr usize kSyncOneByOne = 8;
  Result<> remove_leftover(host::Fd directory, std::string_view name);
  void take_unsynced(VolInode& inode) LXSS_REQUIRES(unsynced_lock_);
  void forget_unsynced();

  Lock unsynced_lock_{LockRank::kNames};
  /// Inodes whose creation has not been synced: the host promises their names with a synced
  /// directory, but not their records and targets.
  List<VolInode, UnsyncedTag> unsynced_ LXSS_GUARDED_BY(unsynced_lock_);
  usize unsynced_count_ LXSS_GUARDED_BY(unsynced_lock_) = 0;
  bool unsynced_forgotten_ LXSS_GUARDED_BY(unsynced_lock_) = false;
};

/// The record of a host file, or nothing when it is no entry.
std::optional<InodeRecord> read_record(host::Fd directory, std::string_view name);
std::optional<InodeRecord> read_record(host::Fd file);
/// True if the record is that of a host file such as `status` describes.
bool fits(const InodeRecord& record, const abi::Stat& status);

class VolInode final : public HostInode, public ListNode<UnsyncedTag> {
 public:
  VolInode(Volume& volume, const InodeRecord& record, const abi::Stat& status);

  Volume& volume() const { return static_cast<Volume&>(tree()); }

  // inode.cc
  Result<Attributes> attributes() override;
  bool cached_attributes(Attributes& attributes) const override;
  Result<> set_attributes(const AttributeChange& change) override;
  Result<std::string> read_link() override;
  Result<std::string> get_xattr(std::string_view name) override;
  Result<> set_xattr(std::string_view name, std::string_view value, abi::XattrFlags flags) override;
  Result<> remove_xattr(std::string_view name) override;
  Result<std::string> list_xattrs() override;

  // directory.cc
  Result<RefPtr<Inode>> lookup(std::string_view name) override;
  Result<RefPtr<Inode>> create(std::string_view name, const NewInode& what) override;
  Result<RefPtr<Inode>> create_unnamed(const NewInode& what) override;
  Result<> link(std::string_view name, Inode& target) override;
  Result<> unlink(std::string_view name, Inode& victim) override;
  Result<> remove_directory(std::string_view name, Inode& victim) override;
  Result<> rename(std::string_view name, Inode& moved, Inode& new_directory,
                  std::string_view new_name, Inode* replaced, abi::RenameFlags flags) override;

  // file.cc
  Result<RefPtr<File>> open(Task& task, abi::OpenFlags flags) override;

  /// What the host knows of the file may have changed.
  void touch() { touches_.fetch_add(1, std::memory_order_release); }
  /// The host may have moved the time of access. Readers of one file do not meet here.
  void touch_by_reading() {
    if (known_at_.load(std::memory_order_relaxed) == touches_.load(std::memory_order_relaxed))
      touch();
  }
  /// A shared mapping may change times from now on without lxcore seeing it.
  void note_writable_mapping() { mapped_writable_.store(true, std::memory_order_relaxed); }

  bool is_unsynced() const { return is_unsynced_.load(std::memory_order_acquire); }
  void set_synced();

 private:
  friend class Volume;
  /// What the host told of the file, and how often it had been touched then.
  struct Known {
    u64 size = 0, blocks = 0;
    u32 block_size = 0, links = 0;
    abi::Timespec accessed{}, modified{}, changed{};
    u32 touches = 0;
  };
  static Known known_of(const abi::Stat& status, u32 touches);
  void fill(const Known& known, Attributes& attributes) const;
  Known known() const;
  Result<> refresh();
  Result<abi::Stat> host_status();
  Result<> change_record(const AttributeChange& change);
  void note_xattr_change();
  void change_links(i32 by);
  void released() override;
  Result<RefPtr<Inode>> finish_creation(host::UniqueFd made, const NewInode& what,
                                        std::string_view name);
  void lose_name(VolInode& directory, std::string_view name);
  Result<> link_in_host(host::Fd directory, std::string_view name);
  void set_unsynced();

  Snapshot<Known> known_;        ///< written under lock_
  std::atomic<u32> known_at_;    ///< touches of what is known; written under lock_
  std::atomic<u32> touches_{0};  ///< changes of what the host knows
  std::atomic<bool> mapped_writable_{false};
  std::atomic<bool> is_unsynced_{false};          ///< on the volume's list; written under its lock
  SleepLock changing_;                            ///< held while the record is written
  std::atomic<bool> no_xattrs_{false};            ///< known to have none; written under lock_
  u32 xattr_changes_ LXSS_GUARDED_BY(lock_) = 0;  ///< begun and ended
  std::string target_ LXSS_GUARDED_BY(lock_);     ///< of a symbolic link, once read
};

}  // namespace lxss::volfs
