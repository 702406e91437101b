// A mounted drive and its inodes. Internal to fs/drivefs.
#pragma once

#include <string>

#include "fs/drivefs/folded_names.h"
#include "fs/host_tree/host_file.h"
#include "lxcore/control/protocol.h"

namespace lxss::drivefs {

class DriveFile;
class DriveInode;

class Drive final : public HostTree {
 public:
  Drive(host::Fd root, u64 root_device, const control::Boot::Drive& options, std::string host_path);

  Result<RefPtr<Inode>> root() override;
  Result<abi::Statfs> statistics() override;
  Result<> sync() override;
  bool dentries_are_stable() const override { return false; }
  bool honours_devices() const override { return false; }
  std::string options() override;

  const control::Boot::Drive& drive() const { return drive_; }
  /// Permission bits that the guest does not see.
  u32 hidden_permissions(bool directory) const {
    return (drive_.umask | (directory ? drive_.dmask : drive_.fmask)) & abi::kS_IRWXUGO;
  }
  /// The mode that the guest sees.
  u32 shown_mode(const abi::Stat& status) const;
  u64 shown_number(const abi::Stat& status) const;

  /// The inode object of what `status` describes.
  RefPtr<DriveInode> inode_of(const abi::Stat& status);

  /// Absolute targets of the host's symbolic links lead below the mount point, and back. A
  /// guest's target that the host has no path for is EPERM.
  std::string shown_target(std::string host_target) const;
  Result<std::string> host_target(std::string_view guest_target) const;

 private:
  control::Boot::Drive drive_;
  std::string host_path_;  ///< of the root, without a final '/'; unknown: no value
  bool host_path_known_;
  std::string mount_point_;
};

class DriveInode final : public HostInode {
 public:
  DriveInode(Drive& drive, const abi::Stat& status);

  Drive& drive() const { return static_cast<Drive&>(tree()); }
  /// Takes over what the host says now.
  void update(const abi::Stat& status);
  bool is_same_file(const abi::Stat& status) const {
    return id_of(status) == id() && (status.st_mode & abi::kS_IFMT) == type();
  }

  Result<Attributes> attributes() override;
  Result<> set_attributes(const AttributeChange& change) override;
  Result<std::string> read_link() override;
  bool still_named(Inode& directory, std::string_view name) override;
  Result<RefPtr<File>> open(Task& task, abi::OpenFlags flags) override;

  Result<RefPtr<Inode>> lookup(std::string_view name) override;
  Result<RefPtr<Inode>> create(std::string_view name, const NewInode& what) override;
  Result<> link(std::string_view name, Inode& target) override;
  Result<> unlink(std::string_view name, Inode& victim) override;
  Result<> remove_directory(std::string_view name, Inode& victim) override;
  Result<> rename(std::string_view name, Inode& moved, Inode& new_directory,
                  std::string_view new_name, Inode* replaced, abi::RenameFlags flags) override;

  /// Not on a host's pseudo file system: they are no files of a drive. EACCES.
  Result<> check_filesystem(host::Fd file, u64 device) const;

 private:
  friend class DriveFile;
  struct Entry {
    std::string name;  ///< the host's
    abi::Stat status;
  };
  struct Place {
    HostHandle directory;
    std::string name;
    abi::Stat status;
  };
  Result<> opened(host::Fd directory) override;
  /// A name that the host still has for it. ENOENT.
  Result<Place> place();
  /// The host's status, by an open file or by name.
  Result<abi::Stat> status();
  Result<host::UniqueFd> open_for_attributes();
  Result<> change_permissions(u32 permissions);
  void note_name(DriveInode& directory, std::string_view name, u64 links);
  /// What the host has under the guest's name. ENOENT.
  static Result<Entry> find_entry(host::Fd directory, std::string_view guest_name);
  /// The host's name for one that is to be created. EINVAL if a drive cannot have it; EEXIST
  /// if one that differs only in case is there, apart from `except`.
  Result<std::string> new_name(host::Fd directory, std::string_view guest_name,
                               std::string_view except = {});

  List<DriveFile> files_;  ///< open ones
  FoldedNames folded_;     ///< of a directory
};

}  // namespace lxss::drivefs
