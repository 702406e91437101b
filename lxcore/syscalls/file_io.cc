// read, write and their kin.
#include "lxcore/syscalls/file.h"
#include "lxcore/syscalls/file_access.h"

namespace lxss::sys {

using file_access::WriteOptions;

namespace {

Result<usize> read_at(Task& task, Fd fd, IoBuffer buffer, i64 offset) {
  RefPtr<File> file = TRY(task.file(fd));
  const u64 at = static_cast<u64>(offset);
  return file_access::read(task, *file, buffer, &at);
}

Result<usize> write_at(Task& task, Fd fd, IoBuffer buffer, i64 offset) {
  RefPtr<File> file = TRY(task.file(fd));
  const u64 at = static_cast<u64>(offset);
  return file_access::write(task, *file, buffer, &at);
}

}  // namespace

Result<usize> read(Task& task, Fd fd, Bytes buffer, usize size) {
  RefPtr<File> file = TRY(task.file(fd));
  if (!file->readable()) return Errno::kEBADF;
  IoBuffer to = TRY(IoBuffer::user(buffer.address, size));
  return file_access::read(task, *file, to, nullptr);
}

Result<usize> write(Task& task, Fd fd, ConstBytes buffer, usize size) {
  RefPtr<File> file = TRY(task.file(fd));
  if (!file->writable()) return Errno::kEBADF;
  IoBuffer from = TRY(IoBuffer::user(buffer.address, size));
  return file_access::write(task, *file, from, nullptr);
}

Result<usize> readv(Task& task, Fd fd, IoVectors vectors, usize count) {
  RefPtr<File> file = TRY(task.file(fd));
  if (!file->readable()) return Errno::kEBADF;
  IoBuffer to = TRY(IoBuffer::user_vector(vectors.address, count));
  return file_access::read(task, *file, to, nullptr);
}

Result<usize> writev(Task& task, Fd fd, IoVectors vectors, usize count) {
  RefPtr<File> file = TRY(task.file(fd));
  if (!file->writable()) return Errno::kEBADF;
  IoBuffer from = TRY(IoBuffer::user_vector(vectors.address, count));
  return file_access::write(task, *file, from, nullptr);
}

Result<usize> pread64(Task& task, Fd fd, Bytes buffer, usize size, i64 offset) {
  if (offset < 0) return Errno::kEINVAL;
  TRY(task.file(fd));
  return read_at(task, fd, TRY(IoBuffer::user(buffer.address, size)), offset);
}

Result<usize> pwrite64(Task& task, Fd fd, ConstBytes buffer, usize size, i64 offset) {
  if (offset < 0) return Errno::kEINVAL;
  TRY(task.file(fd));
  return write_at(task, fd, TRY(IoBuffer::user(buffer.address, size)), offset);
}

Result<usize> preadv(Task& task, Fd fd, IoVectors vectors, usize count, i64 offset) {
  if (offset < 0) return Errno::kEINVAL;
  TRY(task.file(fd));
  return read_at(task, fd, TRY(IoBuffer::user_vector(vectors.address, count)), offset);
}

Result<usize> pwritev(Task& task, Fd fd, IoVectors vectors, usize count, i64 offset) {
  if (offset < 0) return Errno::kEINVAL;
  TRY(task.file(fd));
  return write_at(task, fd, TRY(IoBuffer::user_vector(vectors.address, count)), offset);
}

Result<usize> preadv2(Task& task, Fd fd, IoVectors vectors, usize count, i64 offset, u64,
                      abi::RwfFlags flags) {
  using abi::RwfFlag;
  if (offset < -1) return Errno::kEINVAL;
  RefPtr<File> file = TRY(task.file(fd));
  IoBuffer to = TRY(IoBuffer::user_vector(vectors.address, count));
  if (!file->readable()) return Errno::kEBADF;
  // Nothing tells what the host would have to wait for: RWF_NOWAIT is not offered.
  if (!flags.within(RwfFlag::kRWF_HIPRI | RwfFlag::kRWF_DSYNC | RwfFlag::kRWF_SYNC)) {
    return Errno::kEOPNOTSUPP;
  }
  const u64 at = static_cast<u64>(offset);
  return file_access::read(task, *file, to, offset == -1 ? nullptr : &at);
}

Result<usize> pwritev2(Task& task, Fd fd, IoVectors vectors, usize count, i64 offset, u64,
                       abi::RwfFlags flags) {
  using abi::RwfFlag;
  if (offset < -1) return Errno::kEINVAL;
  RefPtr<File> file = TRY(task.file(fd));
  IoBuffer from = TRY(IoBuffer::user_vector(vectors.address, count));
  if (!file->writable()) return Errno::kEBADF;
  if (!flags.within(RwfFlag::kRWF_HIPRI | RwfFlag::kRWF_DSYNC | RwfFlag::kRWF_SYNC |
                    RwfFlag::kRWF_APPEND | RwfFlag::kRWF_NOAPPEND)) {
    return Errno::kEOPNOTSUPP;
  }
  if (flags.has(RwfFlag::kRWF_APPEND) && flags.has(RwfFlag::kRWF_NOAPPEND)) return Errno::kEINVAL;
  WriteOptions options;
  options.append = flags.has(RwfFlag::kRWF_APPEND);
  options.no_append = flags.has(RwfFlag::kRWF_NOAPPEND);
  options.sync = flags.has(RwfFlag::kRWF_SYNC);
  options.data_sync = flags.has(RwfFlag::kRWF_DSYNC);
  const u64 at = static_cast<u64>(offset);
  return file_access::write(task, *file, from, offset == -1 ? nullptr : &at, options);
}

Result<u64> lseek(Task& task, Fd fd, i64 offset, i32 whence) {
  RefPtr<File> file = TRY(task.file(fd));
  if (whence < 0 || whence > abi::kSEEK_HOLE) return Errno::kEINVAL;
  if (!file->seekable()) return Errno::kESPIPE;
  file_access::SleepLockHeld held;
  TRY(held.lock(task, file->position_lock));
  file->position = TRY(file->seek(offset, whence));
  return file->position;
}

}  // namespace lxss::sys
