// System calls of the group "file": descriptors and what is read and written through them.
#pragma once

#include "abi/linux/mman.h"
#include "abi/linux/uio.h"
#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

using Bytes = UserOut<std::byte>;
using ConstBytes = UserIn<std::byte>;
using IoVectors = UserIn<abi::IoVec>;

// open.cc
Result<Fd> open(UnlockedTask task, UserString path, abi::OpenFlags flags, u32 mode);
Result<Fd> openat(UnlockedTask task, Fd directory, UserString path, abi::OpenFlags flags, u32 mode);
Result<Fd> openat2(UnlockedTask task, Fd directory, UserString path, UserIn<abi::OpenHow> how,
                   usize size);
Result<Fd> creat(UnlockedTask task, UserString path, u32 mode);
Result<Fd> memfd_create(UnlockedTask task, UserString name, abi::MemfdFlags flags);
Result<> close(UnlockedTask task, Fd fd);
Result<> close_range(UnlockedTask task, u32 first, u32 last, abi::CloseRangeFlags flags);

// file_io.cc
Result<usize> read(UnlockedTask task, Fd fd, Bytes buffer, usize size);
Result<usize> write(UnlockedTask task, Fd fd, ConstBytes buffer, usize size);
Result<usize> readv(UnlockedTask task, Fd fd, IoVectors vectors, usize count);
Result<usize> writev(UnlockedTask task, Fd fd, IoVectors vectors, usize count);
Result<usize> pread64(UnlockedTask task, Fd fd, Bytes buffer, usize size, i64 offset);
Result<usize> pwrite64(UnlockedTask task, Fd fd, ConstBytes buffer, usize size, i64 offset);
Result<usize> preadv(UnlockedTask task, Fd fd, IoVectors vectors, usize count, i64 offset);
Result<usize> pwritev(UnlockedTask task, Fd fd, IoVectors vectors, usize count, i64 offset);
Result<usize> preadv2(UnlockedTask task, Fd fd, IoVectors vectors, usize count, i64 offset,
                      u64 offset_high, abi::RwfFlags flags);
Result<usize> pwritev2(UnlockedTask task, Fd fd, IoVectors vectors, usize count, i64 offset,
                       u64 offset_high, abi::RwfFlags flags);
Result<u64> lseek(UnlockedTask task, Fd fd, i64 offset, i32 whence);

// file_copy.cc
Result<usize> sendfile(UnlockedTask task, Fd to, Fd from, UserInOut<i64> offset, usize count);
Result<usize> copy_file_range(UnlockedTask task, Fd from, UserInOut<i64> from_offset, Fd to,
                              UserInOut<i64> to_offset, usize count, u32 flags);

// descriptors.cc
Result<Fd> dup(UnlockedTask task, Fd fd);
Result<Fd> dup2(UnlockedTask task, Fd from, Fd to);
Result<Fd> dup3(UnlockedTask task, Fd from, Fd to, abi::OpenFlags flags);

// fcntl.cc
Result<u64> fcntl(UnlockedTask task, Fd fd, i32 command, u64 argument);
Result<> flock(UnlockedTask task, Fd fd, abi::LockOps operation);

// ioctl.cc
Result<u64> ioctl(UnlockedTask task, Fd fd, u32 request, u64 argument);

// file_size.cc
Result<> truncate(Task& task, UserString path, i64 size);
Result<> ftruncate(UnlockedTask task, Fd fd, i64 size);
Result<> fallocate(UnlockedTask task, Fd fd, abi::FallocateFlags mode, i64 offset, i64 length);
Result<> fadvise64(UnlockedTask task, Fd fd, i64 offset, i64 length, i32 advice);
Result<> readahead(UnlockedTask task, Fd fd, i64 offset, usize count);

// file_sync.cc
Result<> fsync(UnlockedTask task, Fd fd);
Result<> fdatasync(UnlockedTask task, Fd fd);
Result<> sync(UnlockedTask task);
Result<> syncfs(UnlockedTask task, Fd fd);
Result<> sync_file_range(UnlockedTask task, Fd fd, i64 offset, i64 length,
                         abi::SyncFileRangeFlags flags);

// directory_entries.cc
Result<usize> getdents(UnlockedTask task, Fd fd, Bytes buffer, u32 size);
Result<usize> getdents64(UnlockedTask task, Fd fd, Bytes buffer, u32 size);

}  // namespace lxss::sys
