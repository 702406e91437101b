// Making directory entries.
#include "lxcore/kernel.h"
#include "lxcore/vfs/namespace.h"
#include "lxcore/vfs/notify.h"

namespace lxss::vfs {

Result<> may_create(Task& task, const Path& directory) {
  if (directory.mount->read_only()) return Errno::kEROFS;
  if (directory.dentry->unlinked()) return Errno::kENOENT;
  return check_access(*task.credentials, directory.inode(), Access::kWrite | Access::kExecute);
}

NewInode new_inode(Task& task, const Inode& directory, u32 mode, u64 rdev) {
  const Credentials& who = *task.credentials;
  NewInode result;
  result.mode = abi::is_symlink(mode) ? mode : mode & ~(task.fs->umask & abi::kS_IRWXUGO);
  result.uid = who.fsuid;
  result.gid = who.fsgid;
  result.rdev = rdev;
  if (directory.mode() & abi::kS_ISGID) {
    result.gid = directory.gid();
    constexpr u32 kRunsAsGroup = abi::kS_ISGID | abi::kS_IXGRP;
    if (abi::is_directory(mode)) {
      result.mode |= abi::kS_ISGID;
    } else if ((mode & kRunsAsGroup) == kRunsAsGroup && !who.in_group(result.gid) &&
               !who.has_capability(abi::kCAP_FSETID)) {
      result.mode &= ~abi::kS_ISGID;
    }
  }
  return result;
}

Result<> create(Task&, const Path& directory, Dentry& dentry, const NewInode& what) {
  Inode& parent = directory.inode();
  RefPtr<Inode> inode = TRY(parent.create(dentry.name(), what));
  // The file system may have given up the lock, and a lookup have found the entry already.
  if (dentry.is_negative()) kernel().dentries.instantiate(dentry, std::move(inode));
  abi::InotifyFlags event = kIN_CREATE;
  if (abi::is_directory(what.mode)) event |= kIN_ISDIR;
  notify_inode(parent, event, 0, dentry.name());
  return {};
}

Result<RefPtr<Dentry>> look_up_new(PathWalker& walker, bool for_directory) {
  if (walker.last().empty() || walker.last_is_dots()) return Errno::kEEXIST;
  RefPtr<Dentry> dentry = TRY(walker.look_up_last());
  if (!dentry->is_negative()) return Errno::kEEXIST;
  if (walker.trailing_slash() && !for_directory) return Errno::kENOENT;
  return dentry;
}

Result<Path> make_node(Task& task, Fd directory, std::string_view path, u32 mode, u64 rdev) {
  PathWalker walker(task);
  TRY(walker.begin(directory, path));
  TRY(walker.walk_to_parent());
  RefPtr<Dentry> dentry = TRY(look_up_new(walker, false));
  const Path parent = walker.path();
  TRY(may_create(task, parent));
  const bool is_device = abi::is_char_device(mode) || abi::is_block_device(mode);
  // Linux: device 0:0 is a whiteout, which anybody may make.
  if (is_device && !(abi::is_char_device(mode) && rdev == 0) &&
      !task.has_capability(abi::kCAP_MKNOD)) {
    return Errno::kEPERM;
  }
  TRY(create(task, parent, *dentry, new_inode(task, parent.inode(), mode, rdev)));
  return Path{parent.mount, std::move(dentry)};
}

Result<> make_directory(Task& task, Fd directory, std::string_view path, u32 mode) {
  PathWalker walker(task);
  TRY(walker.begin(directory, path));
  TRY(walker.walk_to_parent());
  RefPtr<Dentry> dentry = TRY(look_up_new(walker, true));
  const Path parent = walker.path();
  TRY(may_create(task, parent));
  mode = abi::kS_IFDIR | (mode & (abi::kS_IRWXUGO | abi::kS_ISVTX));
  return create(task, parent, *dentry, new_inode(task, parent.inode(), mode));
}

Result<> make_symlink(Task& task, std::string_view target, Fd directory, std::string_view path) {
  if (target.empty()) return Errno::kENOENT;
  PathWalker walker(task);
  TRY(walker.begin(directory, path));
  TRY(walker.walk_to_parent());
  RefPtr<Dentry> dentry = TRY(look_up_new(walker, false));
  const Path parent = walker.path();
  TRY(may_create(task, parent));
  NewInode what = new_inode(task, parent.inode(), abi::kS_IFLNK | abi::kS_IRWXUGO);
  what.symlink_target = target;
  return create(task, parent, *dentry, what);
}

Result<> link(Task& task, const Path& target, Fd directory, std::string_view path) {
  PathWalker walker(task);
  TRY(walker.begin(directory, path));
  TRY(walker.walk_to_parent());
  RefPtr<Dentry> dentry = TRY(look_up_new(walker, false));
  const Path parent = walker.path();
  // Linux: also between two mounts of one file system.
  if (parent.mount != target.mount) return Errno::kEXDEV;
  TRY(may_create(task, parent));
  RefPtr<Inode> inode(target.inode());
  if (inode->is_directory()) return Errno::kEPERM;
  TRY(parent.inode().link(dentry->name(), *inode));
  if (dentry->is_negative()) kernel().dentries.instantiate(*dentry, inode);
  notify_inode(*inode, kIN_ATTRIB);
  notify_inode(parent.inode(), kIN_CREATE, 0, dentry->name());
  return {};
}

}  // namespace lxss::vfs
