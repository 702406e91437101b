// pipe, and moving data between pipes and other files (man 2 splice). Data is copied.
#include <algorithm>

#include "lxcore/ipc/pipe.h"
#include "lxcore/syscalls/file_access.h"
#include "lxcore/syscalls/ipc.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::sys {

namespace {

using abi::OpenFlag;
using abi::SpliceFlag;

/// What one step moves; lives in the heap.
constexpr usize kStep = Pipe::kDefaultSize;

constexpr abi::SpliceFlags kAllFlags = SpliceFlag::kSPLICE_F_MOVE | SpliceFlag::kSPLICE_F_NONBLOCK |
                                       SpliceFlag::kSPLICE_F_MORE | SpliceFlag::kSPLICE_F_GIFT;

Pipe* pipe_of(File& file) {
  PipeFile* pipe = file_as<PipeFile>(file);
  return pipe ? &pipe->pipe() : nullptr;
}

/// Keeps readers of a pipe from what is being moved, if there is something.
class HeldPipe {
 public:
  explicit HeldPipe(Pipe& pipe) : pipe_(pipe), held_(pipe.hold()) {}
  ~HeldPipe() {
    if (held_) pipe_.release();
  }
  explicit operator bool() const { return held_; }
  HeldPipe(const HeldPipe&) = delete;
  HeldPipe& operator=(const HeldPipe&) = delete;

 private:
  Pipe& pipe_;
  const bool held_;
};

/// The position that a transfer uses: the guest's own, the file's, or none.
class Offset {
 public:
  static Result<Offset> take(File& file, UserInOut<i64> given) {
    Offset offset(file, given);
    if (given) {
      if (!file.seekable()) return Errno::kESPIPE;
      i64 value = TRY(given.read());
      if (value < 0) return Errno::kEINVAL;
      offset.value_ = static_cast<u64>(value);
    } else if (file.seekable()) {
      SleepLock::Guard held(file.position_lock);
      offset.value_ = file.position;
    }
    return offset;
  }
  u64* get() {
    const bool used = given_ ? file_.seekable() : file_.seekable() && !file_.position_is_shared();
    return used ? &value_ : nullptr;
  }
  Result<> advance(usize size) {
    value_ += size;
    if (given_) return given_.write(static_cast<i64>(value_));
    if (!file_.seekable()) return {};
    // Others may have moved it meanwhile; the last one wins, as on Linux.
    SleepLock::Guard held(file_.position_lock);
    file_.position = value_;
    return {};
  }

 private:
  Offset(File& file, UserInOut<i64> given) : file_(file), given_(given) {}
  File& file_;
  UserInOut<i64> given_;
  u64 value_ = 0;
};

/// From the front of a pipe that is held into `file`, until `size` bytes went or it is empty.
Result<usize> move_to_file(Task& task, Pipe& pipe, File& file, Offset& offset, usize size) {
  auto bytes = std::make_unique_for_overwrite<std::byte[]>(kStep);
  usize done = 0;
  while (done < size) {
    const usize count = pipe.peek(bytes.get(), std::min(size - done, kStep));
    if (count == 0) break;
    IoBuffer buffer = IoBuffer::kernel(bytes.get(), count);
    auto written = file_access::write(task, file, buffer, offset.get());
    if (!written.ok() || *written == 0) {
      if (done == 0) return written;
      break;
    }
    pipe.consume(*written);
    done += *written;
    TRY(offset.advance(*written));
    if (*written < count) break;
  }
  return done;
}

Result<usize> pipe_to_file(Task& task, Pipe& pipe, File& file, Offset offset, usize size,
                           bool wait) {
  for (;;) {
    if (!TRY(pipe.wait_readable(task, wait))) return usize{0};
    // Another reader may be faster.
    if (HeldPipe held(pipe); held) return move_to_file(task, pipe, file, offset, size);
  }
}

/// One read of `file` goes into the pipe.
Result<usize> file_to_pipe(Task& task, File& file, Offset offset, Pipe& pipe, usize size,
                           bool wait) {
  TRY(pipe.wait_writable(task, wait));
  size = std::min({size, pipe.free(), kStep});
  auto bytes = std::make_unique_for_overwrite<std::byte[]>(size);
  IoBuffer buffer = IoBuffer::kernel(bytes.get(), size);
  const usize count = TRY(file_access::read(task, file, buffer, offset.get()));
  IoBuffer data = IoBuffer::kernel(bytes.get(), count);
  // Another writer may have been faster: what was read is not lost for that.
  const usize moved = count == 0 ? 0 : TRY(pipe.write(task, data, true, false));
  TRY(offset.advance(moved));
  return moved;
}

/// What is in `from` now goes into `to`, and stays or not. Neither pipe's lock is held across; who
/// reads or writes meanwhile makes this start over.
Result<usize> pipe_to_pipe(Task& task, Pipe& from, Pipe& to, usize size, bool wait, bool consume) {
  for (;;) {
    if (!TRY(from.wait_readable(task, wait))) return usize{0};
    TRY(to.wait_writable(task, wait));
    HeldPipe held(from);
    if (!held) continue;
    size = std::min({size, from.used(), Pipe::kMaxSize});
    auto bytes = std::make_unique_for_overwrite<std::byte[]>(size);
    const usize count = from.peek(bytes.get(), std::min(size, to.free()));
    IoBuffer data = IoBuffer::kernel(bytes.get(), count);
    Result<usize> moved = Errno::kEAGAIN;
    if (count != 0) moved = to.write(task, data, false, false);
    if (moved.is(Errno::kEAGAIN) && wait) continue;
    if (moved.ok() && consume) from.consume(*moved);
    return moved;
  }
}

}  // namespace

Result<> pipe2(UnlockedTask task, UserOut<i32> ends, abi::OpenFlags flags) {
  constexpr abi::OpenFlags kKept = OpenFlag::kO_NONBLOCK | OpenFlag::kO_DIRECT;
  if (!flags.within(kKept | OpenFlag::kO_CLOEXEC)) return Errno::kEINVAL;
  const bool close_on_exec = flags.has(OpenFlag::kO_CLOEXEC);
  const u64 limit = task->limit(abi::kRLIMIT_NOFILE);
  PipeEnds pipe = make_pipe(flags & kKept);
  Fd in = TRY(task->files->install(std::move(pipe.read_end), close_on_exec, limit));
  auto out = task->files->install(std::move(pipe.write_end), close_on_exec, limit);
  Result<> written;
  if (out.ok()) {
    const i32 numbers[] = {in.value, out->value};
    written = copy_out(ends.address, numbers, sizeof numbers);
    if (written.ok()) return {};
    (void)task->files->remove(*out);
  } else {
    written = out.error();
  }
  (void)task->files->remove(in);
  return written;
}

Result<> pipe(UnlockedTask task, UserOut<i32> ends) { return pipe2(task, ends, {}); }

Result<usize> splice(UnlockedTask task, Fd in_fd, UserInOut<i64> in_offset, Fd out_fd,
                     UserInOut<i64> out_offset, usize size, abi::SpliceFlags flags) {
  if (size == 0) return usize{0};
  if (!flags.within(kAllFlags)) return Errno::kEINVAL;
  FileRef in = TRY(task->file(in_fd));
  FileRef out = TRY(task->file(out_fd));
  if (!in->readable() || !out->writable()) return Errno::kEBADF;
  Pipe* from = pipe_of(*in);
  Pipe* to = pipe_of(*out);
  size = std::min(size, IoBuffer::kMaxBytes);
  if ((from && in_offset) || (to && out_offset)) return Errno::kESPIPE;
  const bool nonblocking = flags.has(SpliceFlag::kSPLICE_F_NONBLOCK);
  if (from && to) {
    if (from == to) return Errno::kEINVAL;
    const bool wait = !nonblocking && !in->nonblocking() && !out->nonblocking();
    return pipe_to_pipe(task, *from, *to, size, wait, true);
  }
  if (from) {
    if (out->flags().has(OpenFlag::kO_APPEND)) return Errno::kEINVAL;
    return pipe_to_file(task, *from, *out, TRY(Offset::take(*out, out_offset)), size,
                        !nonblocking && !in->nonblocking());
  }
  if (!to || (in->has_inode() && in->inode().is_directory())) return Errno::kEINVAL;
  return file_to_pipe(task, *in, TRY(Offset::take(*in, in_offset)), *to, size,
                      !nonblocking && !out->nonblocking());
}

Result<usize> tee(UnlockedTask task, Fd in_fd, Fd out_fd, usize size, abi::SpliceFlags flags) {
  if (!flags.within(kAllFlags)) return Errno::kEINVAL;
  if (size == 0) return usize{0};
  FileRef in = TRY(task->file(in_fd));
  FileRef out = TRY(task->file(out_fd));
  if (!in->readable() || !out->writable()) return Errno::kEBADF;
  Pipe* from = pipe_of(*in);
  Pipe* to = pipe_of(*out);
  if (!from || !to || from == to) return Errno::kEINVAL;
  const bool wait =
      !flags.has(SpliceFlag::kSPLICE_F_NONBLOCK) && !in->nonblocking() && !out->nonblocking();
  return pipe_to_pipe(task, *from, *to, size, wait, false);
}

Result<usize> vmsplice(UnlockedTask task, Fd fd, UserAddr vector, usize count,
                       abi::SpliceFlags flags) {
  if (!flags.within(kAllFlags)) return Errno::kEINVAL;
  FileRef file = TRY(task->file(fd));
  IoBuffer buffer = TRY(IoBuffer::user_vector(vector, count));
  Pipe* pipe = pipe_of(*file);
  if (!pipe) return Errno::kEBADF;
  const bool wait = !flags.has(SpliceFlag::kSPLICE_F_NONBLOCK) && !file->nonblocking();
  if (file->writable()) return pipe->write(task, buffer, wait, false);
  return pipe->read(task, buffer, wait);
}

}  // namespace lxss::sys
