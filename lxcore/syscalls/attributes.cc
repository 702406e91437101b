// Modes, owners and times.
#include "lxcore/kernel.h"
#include "lxcore/syscalls/path.h"
#include "lxcore/syscalls/path_argument.h"
#include "lxcore/vfs/notify.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::sys {

using abi::AtFlag;
using vfs::Walk;

namespace {

constexpr Fd kWorkingDirectory{abi::kAT_FDCWD};
constexpr u32 kUnchanged = ~0u;

Result<Path> resolve_at(Task& task, Fd directory, std::string_view path, abi::AtFlags flags) {
  vfs::WalkFlags walk;
  if (!flags.has(AtFlag::kAT_SYMLINK_NOFOLLOW)) walk |= Walk::kFollow;
  if (flags.has(AtFlag::kAT_EMPTY_PATH)) walk |= Walk::kEmptyPath;
  return vfs::resolve(task, directory, path, walk);
}

Result<> apply(const Path& at, const AttributeChange& change) {
  RefPtr<Inode> inode(at.inode());
  KernelLock::HeldFor guard(inode->locking());
  TRY(inode->set_attributes(change));
  vfs::notify(*at.dentry, vfs::kIN_ATTRIB);
  return {};
}

Result<> change_mode(Task& task, const Path& at, u32 mode) {
  const Credentials& who = *task.credentials;
  Inode& inode = at.inode();
  if (at.mount->read_only()) return Errno::kEROFS;
  TRY(vfs::check_owner(who, inode));
  if (inode.is_symlink()) return Errno::kEOPNOTSUPP;
  mode &= abi::kS_IALLUGO;
  if ((mode & abi::kS_ISGID) && !who.in_group(inode.gid()) &&
      !who.has_capability(abi::kCAP_FSETID)) {
    mode &= ~abi::kS_ISGID;
  }
  AttributeChange change;
  change.permissions = mode;
  return apply(at, change);
}

Result<> change_owner(Task& task, const Path& at, u32 uid, u32 gid) {
  const Credentials& who = *task.credentials;
  Inode& inode = at.inode();
  if (at.mount->read_only()) return Errno::kEROFS;
  const bool any = who.has_capability(abi::kCAP_CHOWN);
  const bool owner = who.fsuid == inode.uid();
  if (uid != kUnchanged && !any && !(owner && uid == inode.uid())) return Errno::kEPERM;
  if (gid != kUnchanged && !any && !(owner && (gid == inode.gid() || who.in_group(gid)))) {
    return Errno::kEPERM;
  }
  AttributeChange change;
  if (uid != kUnchanged) change.uid = uid;
  if (gid != kUnchanged) change.gid = gid;
  // Linux: even for those who may keep the bits, and if nothing changes.
  if (!inode.is_directory() && !inode.is_symlink()) {
    u32 mode = inode.mode() & ~abi::kS_ISUID;
    if ((mode & abi::kS_IXGRP) ||
        (!who.in_group(inode.gid()) && !who.has_capability(abi::kCAP_FSETID))) {
      mode &= ~abi::kS_ISGID;
    }
    if (mode != inode.mode()) change.permissions = mode & abi::kS_IALLUGO;
  }
  return apply(at, change);
}

struct Times {
  abi::Timespec accessed{0, abi::kUTIME_NOW}, modified{0, abi::kUTIME_NOW};
};

bool is_valid(const abi::Timespec& time) {
  return time.tv_nsec == abi::kUTIME_NOW || time.tv_nsec == abi::kUTIME_OMIT ||
         (time.tv_nsec >= 0 && time.tv_nsec < abi::kNSEC_PER_SEC);
}

Result<> change_times(Task& task, const Path& at, const Times& times) {
  const bool omit_accessed = times.accessed.tv_nsec == abi::kUTIME_OMIT;
  const bool omit_modified = times.modified.tv_nsec == abi::kUTIME_OMIT;
  if (at.mount->read_only()) return Errno::kEROFS;
  const bool both_now =
      times.accessed.tv_nsec == abi::kUTIME_NOW && times.modified.tv_nsec == abi::kUTIME_NOW;
  auto owner = vfs::check_owner(*task.credentials, at.inode());
  if (!owner.ok()) {
    if (!both_now) return owner;
    TRY(vfs::check_access(*task.credentials, at.inode(), vfs::Access::kWrite));
  }
  AttributeChange change;
  if (!omit_accessed) change.accessed = times.accessed;
  if (!omit_modified) change.modified = times.modified;
  return apply(at, change);
}

/// utimensat: a null path means the descriptor itself.
Result<> change_times_at(Task& task, Fd directory, UserString path, const Times& times,
                         abi::AtFlags flags) {
  if (!path && directory != kWorkingDirectory) {
    if (flags) return Errno::kEINVAL;
    RefPtr<File> file = TRY(task.file(directory));
    if (!file->has_inode()) return Errno::kEBADF;
    return change_times(task, file->path(), times);
  }
  TRY_PATH(text, path);
  return change_times(task, TRY(resolve_at(task, directory, text, flags)), times);
}

Result<Times> read_times(UserIn<abi::Timeval> from) {
  if (!from) return Times{};
  const abi::Timeval accessed = TRY(from.read(0)), modified = TRY(from.read(1));
  for (const abi::Timeval& time : {accessed, modified}) {
    if (time.tv_usec < 0 || time.tv_usec >= abi::kUSEC_PER_SEC) return Errno::kEINVAL;
  }
  return Times{{accessed.tv_sec, accessed.tv_usec * abi::kNSEC_PER_USEC},
               {modified.tv_sec, modified.tv_usec * abi::kNSEC_PER_USEC}};
}

}  // namespace

Result<> chmod(UnlockedTask task, UserString path, u32 mode) {
  return fchmodat(task, kWorkingDirectory, path, mode);
}

Result<> fchmod(UnlockedTask task, Fd fd, u32 mode) {
  RefPtr<File> file = TRY(task->file(fd));
  if (!file->has_inode()) return Errno::kEBADF;
  return change_mode(task, file->path(), mode);
}

Result<> fchmodat(UnlockedTask task, Fd directory, UserString path, u32 mode) {
  return fchmodat2(task, directory, path, mode, {});
}

Result<> fchmodat2(UnlockedTask task, Fd directory, UserString path, u32 mode, abi::AtFlags flags) {
  if (!flags.within(AtFlag::kAT_SYMLINK_NOFOLLOW | AtFlag::kAT_EMPTY_PATH)) return Errno::kEINVAL;
  TRY_PATH(text, path);
  return change_mode(task, TRY(resolve_at(task, directory, text, flags)), mode);
}

Result<> chown(UnlockedTask task, UserString path, u32 uid, u32 gid) {
  return fchownat(task, kWorkingDirectory, path, uid, gid, {});
}

Result<> lchown(UnlockedTask task, UserString path, u32 uid, u32 gid) {
  return fchownat(task, kWorkingDirectory, path, uid, gid, AtFlag::kAT_SYMLINK_NOFOLLOW);
}

Result<> fchown(UnlockedTask task, Fd fd, u32 uid, u32 gid) {
  RefPtr<File> file = TRY(task->file(fd));
  if (!file->has_inode()) return Errno::kEBADF;
  return change_owner(task, file->path(), uid, gid);
}

Result<> fchownat(UnlockedTask task, Fd directory, UserString path, u32 uid, u32 gid,
                  abi::AtFlags flags) {
  if (!flags.within(AtFlag::kAT_SYMLINK_NOFOLLOW | AtFlag::kAT_EMPTY_PATH)) return Errno::kEINVAL;
  TRY_PATH(text, path);
  return change_owner(task, TRY(resolve_at(task, directory, text, flags)), uid, gid);
}

Result<> utime(UnlockedTask task, UserString path, UserIn<abi::Utimbuf> times) {
  Times given;
  if (times) {
    const abi::Utimbuf seconds = TRY(times.read());
    given = {{seconds.actime, 0}, {seconds.modtime, 0}};
  }
  TRY_PATH(text, path);
  return change_times(task, TRY(resolve_at(task, kWorkingDirectory, text, {})), given);
}

Result<> utimes(UnlockedTask task, UserString path, UserIn<abi::Timeval> times) {
  return futimesat(task, kWorkingDirectory, path, times);
}

Result<> futimesat(UnlockedTask task, Fd directory, UserString path, UserIn<abi::Timeval> times) {
  const Times given = TRY(read_times(times));
  return change_times_at(task, directory, path, given, {});
}

Result<> utimensat(UnlockedTask task, Fd directory, UserString path, UserIn<abi::Timespec> times,
                   abi::AtFlags flags) {
  Times given;
  if (times) {
    given = {TRY(times.read(0)), TRY(times.read(1))};
    if (given.accessed.tv_nsec == abi::kUTIME_OMIT && given.modified.tv_nsec == abi::kUTIME_OMIT) {
      return {};  // Linux: nothing is looked at
    }
    if (!is_valid(given.accessed) || !is_valid(given.modified)) return Errno::kEINVAL;
  }
  if (!flags.within(AtFlag::kAT_SYMLINK_NOFOLLOW | AtFlag::kAT_EMPTY_PATH)) return Errno::kEINVAL;
  return change_times_at(task, directory, path, given, flags);
}

}  // namespace lxss::sys
