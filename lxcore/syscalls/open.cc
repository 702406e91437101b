// Opening and closing.
#include "lxcore/kernel.h"
#include "lxcore/syscalls/file.h"
#include "lxcore/syscalls/path_argument.h"
#include "lxcore/vfs/memory_file.h"
#include "lxcore/vfs/notify.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::sys {

using abi::OpenFlag;
using abi::OpenFlags;

namespace {

constexpr u32 kModeMask = abi::kS_IALLUGO;

Result<Fd> open_and_install(Task& task, Fd directory, std::string_view path, OpenFlags flags,
                            u32 mode, abi::ResolveFlags restrictions = {}) {
  RefPtr<File> file = TRY(vfs::open(task, directory, path, flags, mode, restrictions));
  return task.files->install(std::move(file), flags.has(OpenFlag::kO_CLOEXEC),
                             task.limit(abi::kRLIMIT_NOFILE));
}

/// What openat2 accepts; open and openat ignore what they do not know.
constexpr u64 kKnownFlags =
    abi::kO_ACCMODE |
    (OpenFlag::kO_CREAT | OpenFlag::kO_EXCL | OpenFlag::kO_NOCTTY | OpenFlag::kO_TRUNC |
     OpenFlag::kO_APPEND | OpenFlag::kO_NONBLOCK | OpenFlag::kO_SYNC | OpenFlag::kFASYNC |
     OpenFlag::kO_DIRECT | OpenFlag::kO_LARGEFILE | OpenFlag::kO_DIRECTORY | OpenFlag::kO_NOFOLLOW |
     OpenFlag::kO_NOATIME | OpenFlag::kO_CLOEXEC | OpenFlag::kO_PATH | OpenFlag::kO_TMPFILE)
        .raw();

}  // namespace

Result<Fd> open(UnlockedTask task, UserString path, OpenFlags flags, u32 mode) {
  return openat(task, Fd{abi::kAT_FDCWD}, path, flags, mode);
}

Result<Fd> openat(UnlockedTask task, Fd directory, UserString path, OpenFlags flags, u32 mode) {
  flags = OpenFlags(flags.raw() & static_cast<u32>(kKnownFlags));
  TRY_PATH(text, path);
  return open_and_install(task, directory, text, flags, mode & kModeMask);
}

Result<Fd> openat2(UnlockedTask task, Fd directory, UserString path, UserIn<abi::OpenHow> how_at,
                   usize size) {
  if (size < sizeof(abi::OpenHow)) return Errno::kEINVAL;
  if (size > kPageSize) return Errno::kE2BIG;
  // A longer structure is one from the future: what is beyond must not matter.
  for (usize at = sizeof(abi::OpenHow); at < size; ++at) {
    u8 byte;
    TRY(copy_in(&byte, how_at.address + at, 1));
    if (byte != 0) return Errno::kE2BIG;
  }
  const abi::OpenHow how = TRY(how_at.read());
  using abi::ResolveFlag;
  const abi::ResolveFlags restrictions(how.resolve);
  if ((how.flags & ~kKnownFlags) ||
      !restrictions.within(ResolveFlag::kRESOLVE_NO_XDEV | ResolveFlag::kRESOLVE_NO_MAGICLINKS |
                           ResolveFlag::kRESOLVE_NO_SYMLINKS | ResolveFlag::kRESOLVE_BENEATH |
                           ResolveFlag::kRESOLVE_IN_ROOT | ResolveFlag::kRESOLVE_CACHED) ||
      (restrictions.has(ResolveFlag::kRESOLVE_BENEATH) &&
       restrictions.has(ResolveFlag::kRESOLVE_IN_ROOT))) {
    return Errno::kEINVAL;
  }
  const OpenFlags flags(static_cast<u32>(how.flags));
  const bool creates = flags.has(OpenFlag::kO_CREAT) || flags.has(OpenFlag::k__O_TMPFILE);
  if (creates ? (how.mode & ~u64{kModeMask}) != 0 : how.mode != 0) return Errno::kEINVAL;
  if (flags.has(OpenFlag::kO_PATH) && !flags.within(OpenFlag::kO_PATH | OpenFlag::kO_DIRECTORY |
                                                    OpenFlag::kO_NOFOLLOW | OpenFlag::kO_CLOEXEC)) {
    return Errno::kEINVAL;
  }
  // Whether a walk would have to ask the host is not known beforehand.
  if (restrictions.has(ResolveFlag::kRESOLVE_CACHED)) return Errno::kEAGAIN;
  TRY_PATH(text, path);
  return open_and_install(task, directory, text, flags, static_cast<u32>(how.mode), restrictions);
}

Result<Fd> creat(UnlockedTask task, UserString path, u32 mode) {
  return open(task, path, OpenFlag::kO_CREAT | OpenFlag::kO_WRONLY | OpenFlag::kO_TRUNC, mode);
}

Result<Fd> memfd_create(UnlockedTask task, UserString name, abi::MemfdFlags flags) {
  using abi::MemfdFlag;
  if (!flags.within(MemfdFlag::kMFD_CLOEXEC | MemfdFlag::kMFD_ALLOW_SEALING |
                    MemfdFlag::kMFD_NOEXEC_SEAL | MemfdFlag::kMFD_EXEC) ||
      (flags.has(MemfdFlag::kMFD_EXEC) && flags.has(MemfdFlag::kMFD_NOEXEC_SEAL))) {
    return Errno::kEINVAL;
  }
  constexpr usize kMaxName = 249;
  auto text = name.read(kMaxName);
  if (text.is(Errno::kENAMETOOLONG)) return Errno::kEINVAL;
  const std::string shown = TRY(std::move(text));
  RefPtr<File> file = TRY(create_memory_file(task, shown, flags));
  return task->files->install(std::move(file), flags.has(MemfdFlag::kMFD_CLOEXEC),
                              task->limit(abi::kRLIMIT_NOFILE));
}

Result<> close(UnlockedTask task, Fd fd) {
  RefPtr<File> file = TRY(task->files->remove(fd));
  return {};
}

Result<> close_range(UnlockedTask task, u32 first, u32 last, abi::CloseRangeFlags flags) {
  using abi::CloseRangeFlag;
  if (!flags.within(CloseRangeFlag::kCLOSE_RANGE_UNSHARE | CloseRangeFlag::kCLOSE_RANGE_CLOEXEC) ||
      first > last) {
    return Errno::kEINVAL;
  }
  if (flags.has(CloseRangeFlag::kCLOSE_RANGE_UNSHARE) && task->files->is_shared()) {
    unshare_files(task);
  }
  constexpr u32 kLast = FdTable::kMaxDescriptors;
  RefPtr<FdTable> files = task->files;
  for (i32 at = first <= kLast ? files->next_used(static_cast<i32>(first)) : -1;
       at >= 0 && static_cast<u32>(at) <= last; at = files->next_used(at + 1)) {
    const Fd fd{at};
    if (flags.has(CloseRangeFlag::kCLOSE_RANGE_CLOEXEC)) {
      (void)files->set_close_on_exec(fd, true);
    } else {
      (void)files->remove(fd);
    }
  }
  return {};
}

}  // namespace lxss::sys
