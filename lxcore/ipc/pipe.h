// Pipes and FIFOs (man 7 pipe, man 7 fifo).
//
// A Pipe is a ring of bytes in pages that exist only while they hold data, but for the first.
// Writes of up to PIPE_BUF bytes are atomic. A PipeFile is one open end of it, or both. The
// inode of a FIFO, or of a pipe, refers to the Pipe while an end is open.
#pragma once

#include <memory>
#include <vector>

#include "lxcore/vfs/file.h"

namespace lxss {

class Pipe final : public RefCounted {
 public:
  static constexpr usize kAtomicSize = 4096;  ///< PIPE_BUF
  static constexpr usize kDefaultSize = 65536;
  static constexpr usize kMaxSize = 1 << 20;  ///< fs.pipe-max-size

  explicit Pipe(usize size = kDefaultSize);
  ~Pipe() override;

  usize capacity() const { return pages_.size() * kPageSize; }
  /// Bytes to read.
  usize used() const { return write_position_ - read_position_; }
  usize free() const { return capacity() - used(); }
  bool can_read() const { return used() != 0 && !held_; }
  /// A write of PIPE_BUF bytes would not block.
  bool can_write() const { return free() >= kAtomicSize && packets_.size() < pages_.size(); }
  /// F_SETPIPE_SZ: at least `size` bytes. EBUSY if it holds more, EPERM beyond kMaxSize.
  Result<usize> resize(const Credentials& credentials, usize size);

  /// Blocking operations. `wait` false: EAGAIN.
  Result<usize> read(Task& task, IoBuffer& buffer, bool wait);
  /// EPIPE with SIGPIPE when there are no readers. `packet`: a write makes packets (O_DIRECT).
  Result<usize> write(Task& task, IoBuffer& buffer, bool wait, bool packet);

  /// Waits until there is something to read: false at the end of file.
  Result<bool> wait_readable(Task& task, bool wait);
  /// Waits until something of at most a page can be written; EPIPE with SIGPIPE.
  Result<> wait_writable(Task& task, bool wait, usize size = kAtomicSize);
  /// Copies up to `size` bytes from the front without consuming them, then consume() does.
  usize peek(std::byte* to, usize size) const;
  void consume(usize size);
  /// While held, readers wait: what was peeked stays in front.
  void hold() { held_ = true; }
  void release();

  void add_end(bool reader, bool writer);
  void remove_end(bool reader, bool writer);

  u32 readers = 0, writers = 0;
  /// How often an end was opened: an open that waits for its partner looks at these.
  u32 reader_openings = 0, writer_openings = 0;
  WaitQueue read_queue, write_queue;

 private:
  struct Packet {
    u64 begin, end;
  };
  /// The part at `position` that lies in one page, of at most `size` bytes.
  usize part(u64 position, usize size) const;
  std::byte* at(u64 position) const;
  std::byte*& page_of(u64 position) { return pages_[position / kPageSize % pages_.size()]; }
  /// The page at `position` holds no data any more.
  void discard_page(u64 position);
  void advance_read(usize size);
  /// Appends from the buffer what fits now and one lock hold allows.
  Result<usize> append(IoBuffer& buffer, usize size);
  usize readable_now() const;

  std::vector<std::byte*> pages_;  ///< a ring; null where there is no data
  u64 read_position_ = 0, write_position_ = 0;
  std::vector<Packet> packets_;  ///< what write boundaries reads must keep
  usize awaited_ = ~usize{0};    ///< free bytes for which some writer waits
  bool held_ = false;
};

class PipeFile final : public File {
 public:
  static constexpr char kKind = 0;
  /// `reader` and `writer` say which ends it is; it counts as open at once.
  PipeFile(RefPtr<Pipe> pipe, bool reader, bool writer);
  ~PipeFile() override;
  const void* kind() const override { return &kKind; }

  Pipe& pipe() const { return *pipe_; }
  Result<usize> read(Task& task, IoBuffer& buffer, u64* offset) override;
  Result<usize> write(Task& task, IoBuffer& buffer, u64* offset) override;
  PollEvents poll(PollRegistration* registration) override;
  Result<u64> ioctl(Task& task, u32 request, u64 argument) override;
  /// F_GETPIPE_SZ, F_SETPIPE_SZ.
  Result<u64> control(Task& task, i32 command, u64 argument) override;

 private:
  RefPtr<Pipe> pipe_;
  bool reader_, writer_;
  u32 writers_seen_;  ///< writer_openings at open: no hang-up before a writer was there
};

/// The two ends of a new pipe. `flags`: O_NONBLOCK, O_DIRECT.
struct PipeEnds {
  RefPtr<File> read_end, write_end;
};
PipeEnds make_pipe(abi::OpenFlags flags);

}  // namespace lxss
