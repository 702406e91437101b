// The size of files, and advice about their use.
#include "base/scope.h"
#include "lxcore/syscalls/file.h"
#include "lxcore/syscalls/file_access.h"
#include "lxcore/syscalls/path_argument.h"
#include "lxcore/vfs/notify.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::sys {

namespace {

/// set-user-ID bits go, as with a write.
Result<> drop_privileged_bits(Task& task, Inode& inode) {
  auto permissions = vfs::permissions_after_write(task, inode);
  if (!permissions) return {};
  AttributeChange change;
  change.permissions = permissions;
  return inode.set_attributes(change);
}

}  // namespace

Result<> truncate(Task& task, UserString path, i64 size) {
  if (size < 0) return Errno::kEINVAL;
  TRY_PATH(text, path);
  const Path at = TRY(vfs::resolve(task, Fd{abi::kAT_FDCWD}, text, vfs::Walk::kFollow));
  Inode& inode = at.inode();
  if (inode.is_directory()) return Errno::kEISDIR;
  if (!inode.is_regular()) return Errno::kEINVAL;
  if (at.mount->read_only()) return Errno::kEROFS;
  TRY(vfs::check_access(*task.credentials, inode, vfs::Access::kWrite));
  if (!inode.begin_writing()) return Errno::kETXTBSY;
  ScopeExit done([&] { inode.end_writing(); });
  SleepLock::Held held;
  TRY(held.lock(task, inode.write_lock));
  if (static_cast<u64>(size) > TRY(inode.attributes()).size) {
    TRY(file_access::check_size_limit(task, static_cast<u64>(size)));
  }
  texts::file_changes(inode);
  AttributeChange change;
  change.size = static_cast<u64>(size);
  change.permissions = vfs::permissions_after_write(task, inode);
  TRY(inode.set_attributes(change));
  vfs::notify(*at.dentry, vfs::kIN_MODIFY);
  return {};
}

Result<> ftruncate(UnlockedTask task, Fd fd, i64 size) {
  if (size < 0) return Errno::kEINVAL;
  FileRef file = TRY(task->file(fd));
  KernelLock::HeldFor guard(file->locking());
  if (!file->has_inode() || !file->inode().is_regular() || !file->writable()) {
    return Errno::kEINVAL;
  }
  Inode& inode = file->inode();
  SleepLock::Held held;
  TRY(held.lock(task, inode.write_lock));
  if (static_cast<u64>(size) > TRY(inode.attributes()).size) {
    TRY(file_access::check_size_limit(task, static_cast<u64>(size)));
  }
  TRY(drop_privileged_bits(task, inode));
  TRY(file->truncate(static_cast<u64>(size)));
  vfs::notify(*file->path().dentry, vfs::kIN_MODIFY);
  return {};
}

Result<> fallocate(UnlockedTask task, Fd fd, abi::FallocateFlags mode, i64 offset, i64 length) {
  using abi::FallocateFlag;
  FileRef file = TRY(task->file(fd));
  KernelLock::HeldFor guard(file->locking());
  if (offset < 0 || length <= 0) return Errno::kEINVAL;
  constexpr abi::FallocateFlags kSupported =
      FallocateFlag::kFALLOC_FL_KEEP_SIZE | FallocateFlag::kFALLOC_FL_PUNCH_HOLE |
      FallocateFlag::kFALLOC_FL_ZERO_RANGE | FallocateFlag::kFALLOC_FL_COLLAPSE_RANGE |
      FallocateFlag::kFALLOC_FL_INSERT_RANGE | FallocateFlag::kFALLOC_FL_UNSHARE_RANGE;
  if (!mode.within(kSupported)) return Errno::kEOPNOTSUPP;
  if (mode.has(FallocateFlag::kFALLOC_FL_PUNCH_HOLE) &&
      !mode.has(FallocateFlag::kFALLOC_FL_KEEP_SIZE)) {
    return Errno::kEOPNOTSUPP;
  }
  if (!file->writable()) return Errno::kEBADF;
  if (!file->has_inode() || file->inode().type() == abi::kS_IFIFO) return Errno::kESPIPE;
  Inode& inode = file->inode();
  if (inode.is_directory()) return Errno::kEISDIR;
  if (!inode.is_regular()) return Errno::kENODEV;
  i64 end;
  if (__builtin_add_overflow(offset, length, &end)) return Errno::kEFBIG;
  SleepLock::Held held;
  TRY(held.lock(task, inode.write_lock));
  if (!mode.has(FallocateFlag::kFALLOC_FL_KEEP_SIZE) &&
      static_cast<u64>(end) > TRY(inode.attributes()).size) {
    TRY(file_access::check_size_limit(task, static_cast<u64>(end)));
  }
  TRY(drop_privileged_bits(task, inode));
  TRY(file->allocate(static_cast<i32>(mode.raw()), static_cast<u64>(offset),
                     static_cast<u64>(length)));
  vfs::notify(*file->path().dentry, vfs::kIN_MODIFY);
  return {};
}

Result<> fadvise64(UnlockedTask task, Fd fd, i64, i64 length, i32 advice) {
  FileRef file = TRY(task->file(fd));
  if (file->has_inode() && file->inode().type() == abi::kS_IFIFO) return Errno::kESPIPE;
  if (length < 0 || advice < 0 || advice > abi::kPOSIX_FADV_NOREUSE) return Errno::kEINVAL;
  return {};  // the host's cache does well without
}

Result<> readahead(UnlockedTask task, Fd fd, i64, usize) {
  FileRef file = TRY(task->file(fd));
  if (!file->readable()) return Errno::kEBADF;
  if (!file->has_inode() || !file->inode().is_regular()) return Errno::kEINVAL;
  return {};
}

}  // namespace lxss::sys
