// What files are, and what the caller may do to them.
#include "lxcore/kernel.h"
#include "lxcore/syscalls/path.h"
#include "lxcore/syscalls/path_argument.h"
#include "lxcore/vfs/walk.h"

namespace lxss::sys {

using abi::AtFlag;
using abi::StatxMask;
using vfs::Walk;
using vfs::WalkFlags;

namespace {

constexpr Fd kWorkingDirectory{abi::kAT_FDCWD};

WalkFlags walk_flags(abi::AtFlags flags) {
  WalkFlags walk;
  if (!flags.has(AtFlag::kAT_SYMLINK_NOFOLLOW)) walk |= Walk::kFollow;
  if (flags.has(AtFlag::kAT_EMPTY_PATH)) walk |= Walk::kEmptyPath;
  return walk;
}

Result<> stat_at(Task& task, Fd directory, UserString path, UserOut<abi::Stat> out,
                 abi::AtFlags flags) {
  [[gnu::uninitialized]] PathArgument text;
  if (flags.has(AtFlag::kAT_EMPTY_PATH)) {
    TRY(text.read_optional(path));
  } else {
    TRY(text.read(path));
  }
  return out.write(TRY(vfs::stat(task, directory, text, walk_flags(flags))));
}

abi::StatxTimestamp to_statx(const abi::Timespec& time) {
  return {time.tv_sec, static_cast<u32>(time.tv_nsec), 0};
}

Result<abi::Statx> statx_of(const Path& path) {
  Inode& inode = path.inode();
  const Attributes attributes = TRY(vfs::attributes(inode));
  const u64 device = inode.filesystem().device();
  abi::Statx result{};
  result.stx_mask = (StatxMask::kSTATX_BASIC_STATS | StatxMask::kSTATX_MNT_ID).raw();
  if (attributes.created.tv_sec != 0) {
    result.stx_mask |= static_cast<u32>(StatxMask::kSTATX_BTIME);
    result.stx_btime = to_statx(attributes.created);
  }
  result.stx_blksize = attributes.block_size;
  result.stx_nlink = attributes.links;
  result.stx_uid = attributes.uid;
  result.stx_gid = attributes.gid;
  result.stx_mode = static_cast<u16>(attributes.mode);
  result.stx_ino = attributes.number;
  result.stx_size = attributes.size;
  result.stx_blocks = attributes.blocks;
  result.stx_atime = to_statx(attributes.accessed);
  result.stx_mtime = to_statx(attributes.modified);
  result.stx_ctime = to_statx(attributes.changed);
  result.stx_rdev_major = abi::dev_major(attributes.rdev);
  result.stx_rdev_minor = abi::dev_minor(attributes.rdev);
  result.stx_dev_major = abi::dev_major(device);
  result.stx_dev_minor = abi::dev_minor(device);
  result.stx_mnt_id = path.mount->id();
  result.stx_attributes_mask = abi::kSTATX_ATTR_MOUNT_ROOT;
  if (&path.mount->root() == path.dentry.get()) {
    result.stx_attributes = abi::kSTATX_ATTR_MOUNT_ROOT;
  }
  return result;
}

Result<abi::Statfs> statfs_of(const Path& path) {
  FileSystem& filesystem = path.inode().filesystem();
  KernelLock::HeldFor guard(filesystem.locking());
  abi::Statfs result = TRY(filesystem.statistics());
  const u64 flags = path.mount->flags().raw();
  // The bits of mount(2) and of statfs(2) are the same, but for the last of these.
  using abi::MountFlag;
  constexpr u64 kSame = (MountFlag::kMS_RDONLY | MountFlag::kMS_NOSUID | MountFlag::kMS_NODEV |
                         MountFlag::kMS_NOEXEC | MountFlag::kMS_SYNCHRONOUS |
                         MountFlag::kMS_NOATIME | MountFlag::kMS_NODIRATIME)
                            .raw();
  result.f_flags = abi::kST_VALID | static_cast<i64>(flags & kSame);
  if (path.mount->flags().has(MountFlag::kMS_RELATIME)) result.f_flags |= abi::kST_RELATIME;
  if (path.mount->flags().has(MountFlag::kMS_NOSYMFOLLOW)) result.f_flags |= abi::kST_NOSYMFOLLOW;
  result.f_fsid = {{static_cast<i32>(filesystem.device()), 0}};
  return result;
}

/// Who the task is by its real ids, for access(2).
RefPtr<Credentials> real_ids(Task& task) {
  const Credentials& who = *task.credentials;
  const u64 effective = who.uid == 0 ? who.permitted : 0;
  if (who.fsuid == who.uid && who.fsgid == who.gid && who.effective == effective) {
    return task.credentials;
  }
  RefPtr<Credentials> real = who.copy();
  real->fsuid = who.uid;
  real->fsgid = who.gid;
  real->effective = effective;
  return real;
}

/// Inside a Reading, or of what the caller holds.
Result<> check(const Credentials& who, const Mount& mount, const Inode& inode, i32 mode) {
  const bool plain = inode.is_regular() || inode.is_directory() || inode.is_symlink();
  if ((mode & abi::kX_OK) && inode.is_regular() && mount.flags().has(abi::MountFlag::kMS_NOEXEC)) {
    return Errno::kEACCES;
  }
  TRY(vfs::check_access(who, inode, vfs::AccessMask(static_cast<u32>(mode))));
  if ((mode & abi::kW_OK) && plain && mount.read_only()) return Errno::kEROFS;
  return {};
}

Result<> access_at(Task& task, Fd directory, UserString path, i32 mode, abi::AtFlags flags) {
  if (mode & ~(abi::kR_OK | abi::kW_OK | abi::kX_OK)) return Errno::kEINVAL;
  if (!flags.within(AtFlag::kAT_EACCESS | AtFlag::kAT_SYMLINK_NOFOLLOW | AtFlag::kAT_EMPTY_PATH)) {
    return Errno::kEINVAL;
  }
  TRY_PATH(text, path);
  const RefPtr<Credentials> who =
      flags.has(AtFlag::kAT_EACCESS) ? task.credentials : real_ids(task);
  if (text.view().empty()) {
    const Path at = TRY(vfs::resolve(task, directory, text, walk_flags(flags)));
    return check(*who, *at.mount, at.inode(), mode);
  }
  vfs::PathWalker walker(task, {}, who.get());
  TRY(walker.begin(directory, text));
  TRY(walker.walk_unheld(!flags.has(AtFlag::kAT_SYMLINK_NOFOLLOW)));
  return check(*who, walker.mount(), walker.inode(), mode);
}

}  // namespace

Result<> stat(UnlockedTask task, UserString path, UserOut<abi::Stat> out) {
  return stat_at(task, kWorkingDirectory, path, out, {});
}

Result<> lstat(UnlockedTask task, UserString path, UserOut<abi::Stat> out) {
  return stat_at(task, kWorkingDirectory, path, out, AtFlag::kAT_SYMLINK_NOFOLLOW);
}

Result<> fstat(UnlockedTask task, Fd fd, UserOut<abi::Stat> out) {
  FileRef file = TRY(task->files->borrow(fd));
  if (!file->has_inode()) return Errno::kEBADF;
  return out.write(TRY(vfs::stat(file->path())));
}

Result<> newfstatat(UnlockedTask task, Fd directory, UserString path, UserOut<abi::Stat> out,
                    abi::AtFlags flags) {
  if (!flags.within(AtFlag::kAT_EMPTY_PATH | AtFlag::kAT_NO_AUTOMOUNT |
                    AtFlag::kAT_SYMLINK_NOFOLLOW | AtFlag::kAT_STATX_FORCE_SYNC |
                    AtFlag::kAT_STATX_DONT_SYNC)) {
    return Errno::kEINVAL;
  }
  return stat_at(task, directory, path, out, flags);
}

Result<> statx(UnlockedTask task, Fd directory, UserString path, abi::AtFlags flags,
               abi::StatxMasks mask, UserOut<abi::Statx> out) {
  if (mask.has(StatxMask::kSTATX__RESERVED)) return Errno::kEINVAL;
  if ((flags.raw() & abi::kAT_STATX_SYNC_TYPE) == abi::kAT_STATX_SYNC_TYPE) return Errno::kEINVAL;
  if (!flags.within(AtFlag::kAT_EMPTY_PATH | AtFlag::kAT_NO_AUTOMOUNT |
                    AtFlag::kAT_SYMLINK_NOFOLLOW | AtFlag::kAT_STATX_FORCE_SYNC |
                    AtFlag::kAT_STATX_DONT_SYNC)) {
    return Errno::kEINVAL;
  }
  [[gnu::uninitialized]] PathArgument text;
  if (flags.has(AtFlag::kAT_EMPTY_PATH)) {
    TRY(text.read_optional(path));
  } else {
    TRY(text.read(path));
  }
  const Path at = TRY(vfs::resolve(task, directory, text, walk_flags(flags)));
  return out.write(TRY(statx_of(at)));
}

Result<> statfs(UnlockedTask task, UserString path, UserOut<abi::Statfs> out) {
  TRY_PATH(text, path);
  const Path at = TRY(vfs::resolve(task, kWorkingDirectory, text, Walk::kFollow));
  return out.write(TRY(statfs_of(at)));
}

Result<> fstatfs(UnlockedTask task, Fd fd, UserOut<abi::Statfs> out) {
  FileRef file = TRY(task->files->borrow(fd));
  if (!file->has_inode()) return Errno::kEBADF;
  return out.write(TRY(statfs_of(file->path())));
}

Result<> access(UnlockedTask task, UserString path, i32 mode) {
  return access_at(task, kWorkingDirectory, path, mode, {});
}

Result<> faccessat(UnlockedTask task, Fd directory, UserString path, i32 mode) {
  return access_at(task, directory, path, mode, {});
}

Result<> faccessat2(UnlockedTask task, Fd directory, UserString path, i32 mode,
                    abi::AtFlags flags) {
  return access_at(task, directory, path, mode, flags);
}

}  // namespace lxss::sys
