// read, write and their kin.
#include "lxcore/syscalls/file.h"
#include "lxcore/syscalls/file_access.h"

namespace lxss::sys {

using file_access::WriteOptions;

namespace {

// The memory of a call, which is looked at when the descriptor is known to be good.
struct Plain {
  UserAddr address;
  usize size;
  Result<IoBuffer> buffer() const { return IoBuffer::user(address, size); }
};
struct Scattered {
  UserAddr vectors;
  usize count;
  Result<IoBuffer> buffer() const { return IoBuffer::user_vector(vectors, count); }
};

template <typename Memory>
Result<usize> read_to(Task& task, Fd fd, Memory memory, const u64* offset = nullptr) {
  FileRef file = TRY(task.file(fd));
  if (offset && !file->seekable()) return Errno::kESPIPE;
  if (!file->readable()) return Errno::kEBADF;
  IoBuffer to = TRY(memory.buffer());
  return file_access::read(task, *file, to, offset);
}

template <typename Memory>
Result<usize> write_from(Task& task, Fd fd, Memory memory, const u64* offset = nullptr) {
  FileRef file = TRY(task.file(fd));
  if (offset && !file->seekable()) return Errno::kESPIPE;
  if (!file->writable()) return Errno::kEBADF;
  IoBuffer from = TRY(memory.buffer());
  return file_access::write(task, *file, from, offset);
}

/// An offset of the pread family; EINVAL.
Result<u64> position(i64 offset) {
  if (offset < 0) return Errno::kEINVAL;
  return static_cast<u64>(offset);
}

}  // namespace

Result<usize> read(UnlockedTask task, Fd fd, Bytes buffer, usize size) {
  return read_to(task, fd, Plain{buffer.address, size});
}

Result<usize> write(UnlockedTask task, Fd fd, ConstBytes buffer, usize size) {
  return write_from(task, fd, Plain{buffer.address, size});
}

Result<usize> readv(UnlockedTask task, Fd fd, IoVectors vectors, usize count) {
  return read_to(task, fd, Scattered{vectors.address, count});
}

Result<usize> writev(UnlockedTask task, Fd fd, IoVectors vectors, usize count) {
  return write_from(task, fd, Scattered{vectors.address, count});
}

Result<usize> pread64(UnlockedTask task, Fd fd, Bytes buffer, usize size, i64 offset) {
  const u64 at = TRY(position(offset));
  return read_to(task, fd, Plain{buffer.address, size}, &at);
}

Result<usize> pwrite64(UnlockedTask task, Fd fd, ConstBytes buffer, usize size, i64 offset) {
  const u64 at = TRY(position(offset));
  return write_from(task, fd, Plain{buffer.address, size}, &at);
}

Result<usize> preadv(UnlockedTask task, Fd fd, IoVectors vectors, usize count, i64 offset) {
  const u64 at = TRY(position(offset));
  return read_to(task, fd, Scattered{vectors.address, count}, &at);
}

Result<usize> pwritev(UnlockedTask task, Fd fd, IoVectors vectors, usize count, i64 offset) {
  const u64 at = TRY(position(offset));
  return write_from(task, fd, Scattered{vectors.address, count}, &at);
}

Result<usize> preadv2(UnlockedTask task, Fd fd, IoVectors vectors, usize count, i64 offset, u64,
                      abi::RwfFlags flags) {
  using abi::RwfFlag;
  if (offset < -1) return Errno::kEINVAL;
  FileRef file = TRY(task->file(fd));
  IoBuffer to = TRY(IoBuffer::user_vector(vectors.address, count));
  if (!file->readable()) return Errno::kEBADF;
  // Nothing tells what the host would have to wait for: RWF_NOWAIT is not offered.
  if (!flags.within(RwfFlag::kRWF_HIPRI | RwfFlag::kRWF_DSYNC | RwfFlag::kRWF_SYNC)) {
    return Errno::kEOPNOTSUPP;
  }
  const u64 at = static_cast<u64>(offset);
  return file_access::read(task, *file, to, offset == -1 ? nullptr : &at);
}

Result<usize> pwritev2(UnlockedTask task, Fd fd, IoVectors vectors, usize count, i64 offset, u64,
                       abi::RwfFlags flags) {
  using abi::RwfFlag;
  if (offset < -1) return Errno::kEINVAL;
  FileRef file = TRY(task->file(fd));
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

Result<u64> lseek(UnlockedTask task, Fd fd, i64 offset, i32 whence) {
  FileRef file = TRY(task->file(fd));
  if (whence < 0 || whence > abi::kSEEK_HOLE) return Errno::kEINVAL;
  if (!file->seekable()) return Errno::kESPIPE;
  KernelLock::HeldFor guard(file->locking());
  SleepLock::Held held;
  TRY(held.lock(task, file->position_lock));
  file->position = TRY(file->seek(offset, whence));
  return file->position;
}

}  // namespace lxss::sys
