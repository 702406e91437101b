// tmpfs: a complete file system in memory. /tmp, /run, /dev/shm, devtmpfs and memfd_create.
#pragma once

#include <map>
#include <memory>

#include "abi/linux/magic.h"
#include "fs/tmpfs/contents.h"
#include "lxcore/vfs/file.h"

namespace lxss::tmpfs {

class TmpFile;
class TmpInode;

/// What the `data` of mount(2) may say.
struct Options {
  static constexpr u32 kDefaultMode = 01777;
  u64 size = 0;    ///< bytes; 0: half of the machine's memory
  u64 inodes = 0;  ///< 0: as many as half of the memory has pages
  u32 mode = kDefaultMode;
  u32 uid = 0, gid = 0;
  std::string shown{};  ///< for /proc/mounts
  /// EINVAL for what it does not know.
  static Result<Options> parse(std::string_view text);
  /// Those that differ from the defaults, as Linux shows them.
  std::string text() const;
};

/// It lives as long as its inodes: whoever holds the root holds it, and only who does may ask for
/// the root again.
class TmpFileSystem final : public FileSystem {
 public:
  explicit TmpFileSystem(const Options& options, const char* type = "tmpfs");

  Result<RefPtr<Inode>> root() override;
  Result<abi::Statfs> statistics() override;
  std::string options() override { return options_.shown; }

  /// ENOSPC at the limit of inodes.
  Result<RefPtr<TmpInode>> new_inode(const NewInode& what);
  Quota& quota() { return quota_; }

 private:
  friend class TmpInode;
  const Options options_;
  Quota quota_;
  const u64 max_inodes_;
  std::atomic<u64> inodes_{0};
  std::atomic<u64> next_number_{1};
  std::atomic<TmpInode*> root_{nullptr};
  Lock burial_{LockRank::kFileSystem};
  /// Entries of directories that are being destroyed, so that deep trees need no deep stack.
  std::vector<RefPtr<TmpInode>> dying_ LXSS_GUARDED_BY(burial_);
  bool burying_ LXSS_GUARDED_BY(burial_) = false;  ///< somebody destroys dying_
};

/// Its lock guards attributes and entries. The VFS lets creations, removals and renames come one at
/// a time in each directory; lookups, listings and attributes come at any time. A directory that
/// was removed has no links, and takes no entries any more.
class TmpInode final : public Inode {
 public:
  /// One of `filesystem`'s count of inodes was taken for it.
  TmpInode(TmpFileSystem& filesystem, u64 number, const NewInode& what);

  Result<Attributes> attributes() override;
  Result<> set_attributes(const AttributeChange& change) override;
  Result<RefPtr<Inode>> lookup(std::string_view name) override;
  Result<RefPtr<Inode>> create(std::string_view name, const NewInode& what) override;
  Result<RefPtr<Inode>> create_unnamed(const NewInode& what) override;
  Result<> link(std::string_view name, Inode& target) override;
  Result<> unlink(std::string_view name, Inode& victim) override;
  Result<> remove_directory(std::string_view name, Inode& victim) override;
  Result<> rename(std::string_view name, Inode& moved, Inode& new_directory,
                  std::string_view new_name, Inode* replaced, abi::RenameFlags flags) override;
  Result<std::string> read_link() override;
  Result<RefPtr<File>> open(Task& task, abi::OpenFlags flags) override;
  Result<std::string> get_xattr(std::string_view name) override;
  Result<> set_xattr(std::string_view name, std::string_view value, abi::XattrFlags flags) override;
  Result<> remove_xattr(std::string_view name) override;
  Result<std::string> list_xattrs() override;

  TmpFileSystem& tmpfs() const { return static_cast<TmpFileSystem&>(filesystem()); }
  /// No name leads to it, nor ever will.
  void set_unnamed();
  Contents& contents() { return *contents_; }
  void list(u64 offset, DirectorySink& sink);
  /// Reading and writing set times.
  void accessed(const TmpFile& through);
  void modified();
  abi::SealFlags seals() const { return seals_.load(std::memory_order_acquire); }
  /// Under change_lock, so that no write is going on.
  void set_seals(abi::SealFlags seals) { seals_.store(seals, std::memory_order_release); }

  /// Held across each change of the contents, and of the seals.
  SleepLock change_lock;
  std::atomic<bool> mapped{false};  ///< at any time

 private:
  void released() override;
  struct Entry {
    std::string name;
    RefPtr<TmpInode> inode;
    u64 position;
  };
  /// The text of an extended attribute; shared, so that it is copied without the lock.
  struct Value final : RefCounted {
    explicit Value(std::string_view text) : text(text) {}
    const std::string text;
  };
  class Batch;

  /// Puts `inode` under a name, in the place of the one that had it. ENOENT in a removed directory.
  /// What comes back is to be let go without the lock.
  Result<RefPtr<TmpInode>> put(std::string name, TmpInode& inode) LXSS_REQUIRES(lock_);
  RefPtr<TmpInode> take(std::string_view name) LXSS_REQUIRES(lock_);
  Entry* find(std::string_view name) LXSS_REQUIRES(lock_);
  void set_modified(const abi::Timespec& time) LXSS_REQUIRES(lock_);
  /// It lost a name.
  void drop_link();
  /// Makes an empty directory take no entries any more; ENOTEMPTY.
  Result<> close_directory();
  void fill(Batch& batch, u64 offset) LXSS_EXCLUDES(lock_);

  Lock lock_{LockRank::kInode};
  u32 links_ LXSS_GUARDED_BY(lock_);
  abi::Timespec accessed_ LXSS_GUARDED_BY(lock_), modified_ LXSS_GUARDED_BY(lock_),
      changed_ LXSS_GUARDED_BY(lock_);
  const abi::Timespec created_;
  /// Made by O_TMPFILE without O_EXCL: link may give it a name.
  bool linkable_ LXSS_GUARDED_BY(lock_) = false;
  /// accessed_ is later than the other times: a read need not look (relatime). Written under lock_.
  std::atomic<bool> access_noted_{false};
  std::atomic<abi::SealFlags> seals_{abi::SealFlags(abi::SealFlag::kF_SEAL_SEAL)};
  std::unique_ptr<Contents> contents_;  ///< of regular files; goes when it is released
  const std::string target_;            ///< of symbolic links
  std::atomic<u64> parent_number_;      ///< of directories; the root's is its own
  std::map<u64, Entry> entries_ LXSS_GUARDED_BY(lock_);  ///< by position in the listing
  std::map<std::string_view, Entry*> names_ LXSS_GUARDED_BY(lock_);
  u64 next_position_ LXSS_GUARDED_BY(lock_) = 2;  ///< 0 and 1 are "." and ".."
  std::map<std::string, RefPtr<Value>, std::less<>> xattrs_ LXSS_GUARDED_BY(lock_);
};

class TmpFile final : public File {
 public:
  TmpFile() : File(Locking::kOwn) {}
  bool seekable() const override { return true; }
  Result<usize> read(Task&, IoBuffer& buffer, u64* offset) override;
  Result<usize> write(Task&, IoBuffer& buffer, u64* offset) override;
  Result<u64> seek(i64 offset, i32 whence) override;
  Result<> read_directory(Task&, u64 offset, DirectorySink& sink) override;
  Result<MapSource> map() override;
  Result<> sync(bool) override { return {}; }
  Result<> truncate(u64 size) override;
  Result<> allocate(i32 mode, u64 offset, u64 length) override;
  Result<u64> control(Task&, i32 command, u64 argument) override;

  /// True for one read in many, which then looks at the clock.
  bool looks_at_clock() {
    constexpr u32 kReadsPerLook = 256;
    const u32 count = reads_.load(std::memory_order_relaxed) + 1;
    reads_.store(count, std::memory_order_relaxed);
    return count % kReadsPerLook == 0;
  }

 private:
  TmpInode& node() const { return static_cast<TmpInode&>(inode()); }
  Result<u64> add_seals(abi::SealFlags seals);
  std::atomic<u32> reads_{0};  ///< a count that may miss some
};

}  // namespace lxss::tmpfs
