// tmpfs: a complete file system in memory. /tmp, /run, /dev/shm, devtmpfs and memfd_create.
#pragma once

#include <map>
#include <memory>

#include "abi/linux/magic.h"
#include "fs/tmpfs/contents.h"
#include "lxcore/vfs/file.h"

namespace lxss::tmpfs {

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

/// It lives as long as its inodes: whoever holds the root holds it.
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
  Options options_;
  Quota quota_;
  u64 max_inodes_;
  u64 inodes_ = 0;
  u64 next_number_ = 1;
  TmpInode* root_ = nullptr;
  /// Entries of directories that are being destroyed, so that deep trees need no deep stack.
  std::vector<RefPtr<TmpInode>> dying_;
  bool burying_ = false;
};

class TmpInode final : public Inode {
 public:
  TmpInode(TmpFileSystem& filesystem, u64 number, const NewInode& what);
  ~TmpInode() override;

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
  void set_unnamed() { links_ = 0; }
  Contents& contents() { return *contents_; }
  void list(u64 offset, DirectorySink& sink);
  /// Reading and writing set times.
  void accessed(const File& through);
  void modified();

  abi::SealFlags seals{static_cast<u32>(abi::SealFlag::kF_SEAL_SEAL)};
  bool mapped = false;    ///< at any time
  bool linkable = false;  ///< made by O_TMPFILE without O_EXCL: link may give it a name

 private:
  struct Entry {
    std::string name;
    RefPtr<TmpInode> inode;
    u64 position;
  };
  Result<> add(std::string_view name, TmpInode& inode);
  void remove(std::string_view name);
  void drop_link();
  Entry* find(std::string_view name);

  u32 links_;
  abi::Timespec accessed_, modified_, changed_, created_;
  u32 reads_ = 0;                       ///< that did not set accessed_
  std::unique_ptr<Contents> contents_;  ///< of regular files
  std::string target_;                  ///< of symbolic links
  TmpInode* parent_ = nullptr;          ///< of directories; the root's is itself
  std::map<u64, Entry> entries_;        ///< by position in the listing
  std::map<std::string_view, Entry*> names_;
  u64 next_position_ = 2;  ///< 0 and 1 are "." and ".."
  std::map<std::string, std::string, std::less<>> xattrs_;
};

class TmpFile final : public File {
 public:
  explicit TmpFile(bool seekable) : seekable_(seekable) {}
  bool seekable() const override { return seekable_; }
  Result<usize> read(Task&, IoBuffer& buffer, u64* offset) override;
  Result<usize> write(Task&, IoBuffer& buffer, u64* offset) override;
  Result<u64> seek(i64 offset, i32 whence) override;
  Result<> read_directory(Task&, u64 offset, DirectorySink& sink) override;
  Result<MapSource> map() override;
  Result<> sync(bool) override { return {}; }
  Result<> truncate(u64 size) override;
  Result<> allocate(i32 mode, u64 offset, u64 length) override;
  Result<u64> control(Task&, i32 command, u64 argument) override;

 private:
  TmpInode& node() const { return static_cast<TmpInode&>(inode()); }
  Result<u64> add_seals(abi::SealFlags seals);
  bool seekable_;
};

}  // namespace lxss::tmpfs
