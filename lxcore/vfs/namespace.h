// Making, removing and renaming directory entries: the checks that Linux makes for every file
// system, then the file system's own operation, then the dentry cache and inotify.
#pragma once

#include "lxcore/vfs/vfs.h"
#include "lxcore/vfs/walk.h"

namespace lxss::vfs {

/// EROFS, ENOENT (a removed directory), EACCES unless entries may be made in `directory`.
Result<> may_create(Task& task, const Path& directory);
/// Likewise to remove `victim` from it; EPERM for a sticky directory, EBUSY for a mount point,
/// EISDIR and ENOTDIR if it is not what `directory_wanted` says.
Result<> may_remove(Task& task, const Path& directory, const Dentry& victim, bool directory_wanted);

/// What a new inode in `directory` is to be: the task's file-system ids, or the group that a
/// set-group-ID directory hands on. The umask is applied to `mode`, which includes the type.
NewInode new_inode(Task& task, const Inode& directory, u32 mode, u64 rdev = 0);

/// Makes the entry that the negative `dentry` names, with the directory's entries_lock held.
Result<> create(Task& task, const Path& directory, Dentry& dentry, const NewInode& what);

/// The place of an entry that is to be made. Keeps others from making or removing entries of the
/// directory while it exists.
class NewEntry {
 public:
  /// EEXIST if there is something, also for "." and ".."; ENOENT for a trailing slash unless
  /// `for_directory`.
  Result<> find(Task& task, Fd directory, std::string_view path, bool for_directory);

  Path parent;
  RefPtr<Dentry> dentry;  ///< negative

 private:
  SleepLock::Held entries_;
};

/// `inode` lost a name. If it was the last, its watches hear of it (IN_DELETE_SELF) when the dentry
/// is no longer in use.
void tell_name_gone(Inode& inode);

Result<> make_directory(Task& task, Fd directory, std::string_view path, u32 mode);
Result<> make_symlink(Task& task, std::string_view target, Fd directory, std::string_view path);
Result<> link(Task& task, const Path& target, Fd directory, std::string_view path);
Result<> unlink(Task& task, Fd directory, std::string_view path);
Result<> remove_directory(Task& task, Fd directory, std::string_view path);
Result<> rename(Task& task, Fd old_directory, std::string_view old_path, Fd new_directory,
                std::string_view new_path, abi::RenameFlags flags);

}  // namespace lxss::vfs
