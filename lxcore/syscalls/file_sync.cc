// Making data safe.
#include <vector>

#include "lxcore/kernel.h"
#include "lxcore/syscalls/file.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::sys {

Result<> fsync(UnlockedTask task, Fd fd) {
  FileRef file = TRY(task->file(fd));
  KernelLock::HeldFor guard(file->locking());
  return file->sync(false);
}

Result<> fdatasync(UnlockedTask task, Fd fd) {
  FileRef file = TRY(task->file(fd));
  KernelLock::HeldFor guard(file->locking());
  return file->sync(true);
}

Result<> sync(UnlockedTask) {
  // Mounts may change meanwhile.
  std::vector<RefPtr<FileSystem>> filesystems;
  for (const RefPtr<Mount>& mount : kernel().mounts.all()) {
    filesystems.emplace_back(mount->filesystem());
  }
  for (const RefPtr<FileSystem>& filesystem : filesystems) {
    KernelLock::HeldFor guard(filesystem->locking());
    (void)filesystem->sync();
  }
  return {};
}

Result<> syncfs(UnlockedTask task, Fd fd) {
  FileRef file = TRY(task->file(fd));
  if (!file->has_inode()) return {};
  KernelLock::HeldFor guard(file->inode().locking());
  return file->inode().filesystem().sync();
}

Result<> sync_file_range(UnlockedTask task, Fd fd, i64 offset, i64 length,
                         abi::SyncFileRangeFlags flags) {
  using abi::SyncFileRangeFlag;
  FileRef file = TRY(task->file(fd));
  i64 end;
  if (!flags.within(SyncFileRangeFlag::kSYNC_FILE_RANGE_WAIT_BEFORE |
                    SyncFileRangeFlag::kSYNC_FILE_RANGE_WRITE |
                    SyncFileRangeFlag::kSYNC_FILE_RANGE_WAIT_AFTER) ||
      offset < 0 || length < 0 || __builtin_add_overflow(offset, length, &end)) {
    return Errno::kEINVAL;
  }
  if (!file->has_inode() || (!file->inode().is_regular() && !file->inode().is_directory())) {
    return Errno::kESPIPE;
  }
  // More than was asked for where it asks to wait; starting to write is the host's own habit.
  if (!flags.any(SyncFileRangeFlag::kSYNC_FILE_RANGE_WAIT_BEFORE |
                 SyncFileRangeFlag::kSYNC_FILE_RANGE_WAIT_AFTER)) {
    return {};
  }
  KernelLock::HeldFor guard(file->locking());
  return file->sync(true);
}

}  // namespace lxss::sys
