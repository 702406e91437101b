// Copies between files inside the kernel.
#include <memory>

#include "lxcore/syscalls/file.h"
#include "lxcore/syscalls/file_access.h"

namespace lxss::sys {

namespace {

constexpr usize kChunk = 64 * 1024;

/// Moves up to `count` bytes from `from` at `from_offset`; `to_offset` null is the file's own
/// position. What was copied before an error counts.
Result<usize> copy(Task& task, File& from, u64 from_offset, File& to, const u64* to_offset,
                   usize count) {
  const auto chunk = std::make_unique_for_overwrite<std::byte[]>(std::min(count, kChunk));
  usize done = 0;
  while (done < count) {
    const u64 read_at = from_offset + done;
    IoBuffer in = IoBuffer::kernel(chunk.get(), std::min(count - done, kChunk));
    auto got = file_access::read(task, from, in, &read_at);
    if (!got.ok()) return done ? Result<usize>(done) : got.error();
    if (got.value() == 0) break;
    const u64 write_at = to_offset ? *to_offset + done : 0;
    IoBuffer out = IoBuffer::kernel(chunk.get(), got.value());
    auto put = file_access::write(task, to, out, to_offset ? &write_at : nullptr);
    if (!put.ok()) return done ? Result<usize>(done) : put.error();
    done += put.value();
    if (put.value() < got.value()) break;
  }
  return done;
}

}  // namespace

Result<usize> sendfile(Task& task, Fd to_fd, Fd from_fd, UserInOut<i64> offset, usize count) {
  const i64 given = offset ? TRY(offset.read()) : 0;
  RefPtr<File> from = TRY(task.file(from_fd));
  if (!from->readable()) return Errno::kEBADF;
  if (offset && !from->seekable()) return Errno::kESPIPE;
  if (given < 0) return Errno::kEINVAL;
  RefPtr<File> to = TRY(task.file(to_fd));
  if (!to->writable()) return Errno::kEBADF;
  if (!from->seekable() || from->inode().is_directory()) return Errno::kEINVAL;
  if (!offset && from->position_is_shared()) return Errno::kEINVAL;
  if (to->flags().has(abi::OpenFlag::kO_APPEND)) return Errno::kEINVAL;
  count = std::min(count, IoBuffer::kMaxBytes);
  if (count == 0) return usize{0};
  if (offset) {
    const usize done = TRY(copy(task, *from, static_cast<u64>(given), *to, nullptr, count));
    TRY(offset.write(given + static_cast<i64>(done)));
    return done;
  }
  // The position stays as it is while others might move it; the last one wins, as on Linux.
  const u64 begin = from->position;
  const usize done = TRY(copy(task, *from, begin, *to, nullptr, count));
  from->position = begin + done;
  return done;
}

Result<usize> copy_file_range(Task& task, Fd from_fd, UserInOut<i64> from_offset, Fd to_fd,
                              UserInOut<i64> to_offset, usize count, u32 flags) {
  RefPtr<File> from = TRY(task.file(from_fd));
  RefPtr<File> to = TRY(task.file(to_fd));
  const u64 from_at = from_offset ? static_cast<u64>(TRY(from_offset.read())) : from->position;
  const u64 to_at = to_offset ? static_cast<u64>(TRY(to_offset.read())) : to->position;
  if (flags != 0) return Errno::kEINVAL;
  if (!from->has_inode() || !to->has_inode()) return Errno::kEINVAL;
  if (from->inode().is_directory() || to->inode().is_directory()) return Errno::kEISDIR;
  if (!from->inode().is_regular() || !to->inode().is_regular()) return Errno::kEINVAL;
  if (!from->readable() || !to->writable()) return Errno::kEBADF;
  // The caller copies by itself then, as between file systems of different kinds.
  if (!from_offset && from->position_is_shared()) return Errno::kEXDEV;
  if (!to_offset && to->position_is_shared()) return Errno::kEXDEV;
  if (to->flags().has(abi::OpenFlag::kO_APPEND)) return Errno::kEBADF;
  constexpr u64 kMaxOffset = static_cast<u64>(INT64_MAX);
  if (from_at > kMaxOffset || to_at > kMaxOffset) return Errno::kEINVAL;
  if (count > kMaxOffset - from_at || count > kMaxOffset - to_at) return Errno::kEOVERFLOW;
  const u64 size = TRY(from->inode().attributes()).size;
  count = std::min<u64>(count, from_at < size ? size - from_at : 0);
  if (&from->inode() == &to->inode() && to_at + count > from_at && to_at < from_at + count) {
    return Errno::kEINVAL;
  }
  count = std::min(count, IoBuffer::kMaxBytes);
  if (count == 0) return usize{0};
  const usize done = TRY(copy(task, *from, from_at, *to, &to_at, count));
  if (from_offset) {
    TRY(from_offset.write(static_cast<i64>(from_at + done)));
  } else {
    from->position = from_at + done;
  }
  if (to_offset) {
    TRY(to_offset.write(static_cast<i64>(to_at + done)));
  } else {
    to->position = to_at + done;
  }
  return done;
}

}  // namespace lxss::sys
