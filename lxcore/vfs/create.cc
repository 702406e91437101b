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
  KernelLock::HeldFor guard(parent.locking());
  RefPtr<Inode> inode = TRY(parent.create(dentry.name(), what));
  kernel().dentries.instantiate(dentry, std::move(inode));
  abi::InotifyFlags event = kIN_CREATE;
  if (abi::is_directory(what.mode)) event |= kIN_ISDIR;
  notify_inode(parent, event, 0, dentry.name());
  return {};
}

Result<> NewEntry::find(Task& task, Fd directory, std::string_view path, bool for_directory) {
  PathWalker walker(task);
  TRY(walker.begin(directory, path));
  TRY(walker.walk_to_parent());
  if (walker.last().empty() || walker.last_is_dots()) return Errno::kEEXIST;
  parent = walker.path();
  TRY(entries_.lock_killable(task, parent.inode().entries_lock));
  if (walker.last().size() > abi::kNAME_MAX) return Errno::kENAMETOOLONG;
  dentry = TRY(kernel().dentries.lookup(*parent.dentry, walker.last()));
  if (!dentry->is_negative()) return Errno::kEEXIST;
  if (walker.trailing_slash() && !for_directory) return Errno::kENOENT;
  return {};
}

Result<Path> make_node(Task& task, Fd directory, std::string_view path, u32 mode, u64 rdev) {
  NewEntry entry;
  TRY(entry.find(task, directory, path, false));
  TRY(may_create(task, entry.parent));
  const bool is_device = abi::is_char_device(mode) || abi::is_block_device(mode);
  // Linux: device 0:0 is a whiteout, which anybody may make.
  if (is_device && !(abi::is_char_device(mode) && rdev == 0) &&
      !task.has_capability(abi::kCAP_MKNOD)) {
    return Errno::kEPERM;
  }
  const NewInode what = new_inode(task, entry.parent.inode(), mode, rdev);
  TRY(create(task, entry.parent, *entry.dentry, what));
  return Path{entry.parent.mount, entry.dentry};
}

Result<> make_directory(Task& task, Fd directory, std::string_view path, u32 mode) {
  NewEntry entry;
  TRY(entry.find(task, directory, path, true));
  TRY(may_create(task, entry.parent));
  mode = abi::kS_IFDIR | (mode & (abi::kS_IRWXUGO | abi::kS_ISVTX));
  return create(task, entry.parent, *entry.dentry, new_inode(task, entry.parent.inode(), mode));
}

Result<> make_symlink(Task& task, std::string_view target, Fd directory, std::string_view path) {
  if (target.empty()) return Errno::kENOENT;
  NewEntry entry;
  TRY(entry.find(task, directory, path, false));
  TRY(may_create(task, entry.parent));
  NewInode what = new_inode(task, entry.parent.inode(), abi::kS_IFLNK | abi::kS_IRWXUGO);
  what.symlink_target = target;
  return create(task, entry.parent, *entry.dentry, what);
}

Result<> link(Task& task, const Path& target, Fd directory, std::string_view path) {
  NewEntry entry;
  TRY(entry.find(task, directory, path, false));
  // Linux: also between two mounts of one file system.
  if (entry.parent.mount != target.mount) return Errno::kEXDEV;
  TRY(may_create(task, entry.parent));
  RefPtr<Inode> inode(target.inode());
  Inode& parent = entry.parent.inode();
  if (inode->is_directory()) return Errno::kEPERM;
  KernelLock::HeldFor guard(parent.locking());
  TRY(parent.link(entry.dentry->name(), *inode));
  kernel().dentries.instantiate(*entry.dentry, inode);
  notify_inode(*inode, kIN_ATTRIB);
  notify_inode(parent, kIN_CREATE, 0, entry.dentry->name());
  return {};
}

}  // namespace lxss::vfs
