// Making data safe.
#include <vector>

#include "lxcore/kernel.h"
#include "lxcore/syscalls/file.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::sys {

Result<> fsync(Task& task, Fd fd) {
  RefPtr<File> file = TRY(task.file(fd));
  return file->sync(false);
}

Result<> fdatasync(Task& task, Fd fd) {
  RefPtr<File> file = TRY(task.file(fd));
  return file->sync(true);
}

Result<> sync(Task&) {
  // Syncing gives up the lock, and mounts may change meanwhile.
  std::vector<RefPtr<FileSystem>> filesystems;
  for (const RefPtr<Mount>& mount : kernel().mounts.all()) {
    filesystems.emplace_back(mount->filesystem());
  }
  for (const RefPtr<FileSystem>& filesystem : filesystems) (void)filesystem->sync();
  return {};
}

Result<> syncfs(Task& task, Fd fd) {
  RefPtr<File> file = TRY(task.file(fd));
  if (!file->has_inode()) return {};
  return file->inode().filesystem().sync();
}

Result<> sync_file_range(Task& task, Fd fd, i64 offset, i64 length, abi::SyncFileRangeFlags flags) {
  using abi::SyncFileRangeFlag;
  RefPtr<File> file = TRY(task.file(fd));
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
  return file->sync(true);
}

}  // namespace lxss::sys
