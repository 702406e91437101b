// Pipes and FIFOs (man 7 pipe, man 7 fifo).
//
// A Pipe is a ring of bytes in pages that exist only while they hold data, but for one. Writes of
// up to PIPE_BUF bytes are atomic. A PipeFile is one open end of it, or both. The inode of a FIFO
// refers to the Pipe while an end is open or being opened; that of a pipe for good.
//
// A pipe has a SleepLock, under which its contents change and bytes are copied from and to guests.
// What poll looks at is read without it: who changes it wakes afterwards, and who polls has joined
// the queue before. Blocked readers and writers wait exclusively: one is woken, and wakes the next
// if there is more.
#pragma once

#include <atomic>
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

  usize capacity();
  /// Bytes to read.
  usize used();
  usize free();
  bool can_read() const { return (ready_.load(std::memory_order_acquire) & kCanRead) != 0; }
  /// A write of PIPE_BUF bytes would not block.
  bool can_write() const { return (ready_.load(std::memory_order_acquire) & kCanWrite) != 0; }
  /// F_SETPIPE_SZ: at least `size` bytes. EBUSY if it holds more, EPERM beyond kMaxSize.
  Result<usize> resize(const Credentials& credentials, usize size);

  /// Blocking operations. `wait` false: EAGAIN.
  Result<usize> read(Task& task, IoBuffer& buffer, bool wait);
  /// EPIPE with SIGPIPE when there are no readers. `packet`: a write makes packets (O_DIRECT).
  Result<usize> write(Task& task, IoBuffer& buffer, bool wait, bool packet);

  /// Waits until there is something to read: false at the end of file.
  Result<bool> wait_readable(Task& task, bool wait);
  /// Waits until something of at most a page can be written; EPIPE with SIGPIPE.
  Result<> wait_writable(Task& task, bool wait);

  /// Keeps readers away, if there is something to read: until release(), what was peeked stays in
  /// front.
  bool hold();
  void release();
  /// Of who holds it: copies up to `size` bytes from the front without consuming them, then
  /// consume() does.
  usize peek(std::byte* to, usize size);
  void consume(usize size);

  /// Who had it open, and how often it was opened.
  struct Partners {
    u32 readers, writers, reader_openings, writer_openings;
  };
  /// An end more; tells what was before, so that no partner is missed who comes and goes at once.
  Partners add_end(bool reader, bool writer);
  void remove_end(bool reader, bool writer);
  /// The open of a FIFO waits for the other side; one that came and went meanwhile counts.
  Result<> wait_for_partner(Task& task, bool reads, const Partners& before);

  u32 readers() const { return readers_.load(std::memory_order_acquire); }
  u32 writers() const { return writers_.load(std::memory_order_acquire); }
  u32 writer_openings() const { return writer_openings_.load(std::memory_order_acquire); }
  WaitQueue read_queue, write_queue;

  /// Of a FIFO: its PipeFiles, and who is opening it. Guarded by Kernel::fifos.
  u32 users = 0;

 private:
  struct Packet {
    u64 begin, end;
  };
  /// Whom to wake once the lock is given up, so that they find it free.
  class Wakes {
   public:
    explicit Wakes(Pipe& pipe) : pipe_(pipe) {}
    ~Wakes() { now(); }
    Wakes(const Wakes&) = delete;
    Wakes& operator=(const Wakes&) = delete;
    void readers(PollEvents events) { readers_ |= events; }
    void writers(PollEvents events) { writers_ |= events; }
    void now();

   private:
    Pipe& pipe_;
    PollEvents readers_{}, writers_{};
  };
  static constexpr u32 kCanRead = 1, kCanWrite = 2;

  usize length() const LXSS_REQUIRES(lock_) { return write_position_ - read_position_; }
  usize room() const LXSS_REQUIRES(lock_) { return pages_.size() * kPageSize - length(); }
  /// The part at `position` that lies in one page, of at most `size` bytes.
  static usize part(u64 position, usize size);
  std::byte* at(u64 position) const LXSS_REQUIRES(lock_);
  std::byte*& page_of(u64 position) LXSS_REQUIRES(lock_) {
    return pages_[position / kPageSize % pages_.size()];
  }
  /// The page at `position` holds no data any more.
  void discard_page(u64 position) LXSS_REQUIRES(lock_);
  void advance_read(usize size) LXSS_REQUIRES(lock_);
  /// Appends from the buffer what fits now into one page.
  Result<usize> append(IoBuffer& buffer, usize size) LXSS_REQUIRES(lock_);
  /// As much as fits of `size` bytes, all of it if it fits. What was written before a failure.
  usize append_unit(IoBuffer& buffer, usize size, bool packet, Errno& failure) LXSS_REQUIRES(lock_);
  usize readable_now() const LXSS_REQUIRES(lock_);
  bool begins_packet() const LXSS_REQUIRES(lock_) {
    return !packets_.empty() && packets_.front().begin == read_position_;
  }
  /// Tells poll what is so now. True if it has become writable.
  bool publish() LXSS_REQUIRES(lock_);
  void consume_locked(usize size, Wakes& wakes) LXSS_REQUIRES(lock_);
  /// `waited` becomes true if it did; who leaves something then wakes the next.
  Result<bool> wait_readable_locked(Task& task, bool wait, bool& waited, Wakes& wakes)
      LXSS_REQUIRES(lock_);
  Result<> wait_writable_locked(Task& task, bool wait, usize size, bool& waited, Wakes& wakes)
      LXSS_REQUIRES(lock_);
  Result<usize> read_locked(Task& task, IoBuffer& buffer, bool wait, Wakes& wakes)
      LXSS_REQUIRES(lock_);
  /// `broken` becomes true if there are no readers.
  Result<usize> write_locked(Task& task, IoBuffer& buffer, bool wait, bool packet, Wakes& wakes,
                             bool& broken) LXSS_REQUIRES(lock_);

  /// It guards memory that no short lock does: a death under it leaves the pipe torn.
  SleepLock lock_{LockRank::kObject, AfterDeath::kStop};
  std::vector<std::byte*> pages_ LXSS_GUARDED_BY(lock_);  ///< a ring; null where there is no data
  u64 read_position_ LXSS_GUARDED_BY(lock_) = 0;
  u64 write_position_ LXSS_GUARDED_BY(lock_) = 0;
  /// What write boundaries reads must keep.
  std::vector<Packet> packets_ LXSS_GUARDED_BY(lock_);
  bool held_ LXSS_GUARDED_BY(lock_) = false;
  // Changed under lock_, read by poll without.
  std::atomic<u32> ready_;
  std::atomic<u32> readers_{0}, writers_{0};
  /// How often an end was opened: an open that waits for its partner looks at these.
  std::atomic<u32> reader_openings_{0}, writer_openings_{0};
};

class PipeFile final : public File {
 public:
  static constexpr char kKind = 0;
  /// `reader` and `writer` say which ends it is; it counts as open at once. `fifo`: the inode that
  /// leads to the pipe while somebody uses it, of whom this is one.
  PipeFile(RefPtr<Pipe> pipe, bool reader, bool writer, Inode* fifo = nullptr);
  ~PipeFile() override;
  /// Of a FIFO: waits until the other side is open or has been since this one is.
  Result<> wait_for_partner(Task& task);
  const void* kind() const override { return &kKind; }

  Pipe& pipe() const { return *pipe_; }
  Result<usize> read(Task& task, IoBuffer& buffer, u64* offset) override;
  Result<usize> write(Task& task, IoBuffer& buffer, u64* offset) override;
  PollEvents poll(PollRegistration* registration) override;
  Result<u64> ioctl(Task& task, u32 request, u64 argument) override;
  /// F_GETPIPE_SZ, F_SETPIPE_SZ.
  Result<u64> control(Task& task, i32 command, u64 argument) override;

 private:
  // All immutable.
  RefPtr<Pipe> pipe_;
  bool reader_, writer_;
  RefPtr<Inode> fifo_;
  const Pipe::Partners before_;  ///< as it was opened
  u32 writers_seen_;             ///< writer_openings at open: no hang-up before a writer was there
};

/// The two ends of a new pipe. `flags`: O_NONBLOCK, O_DIRECT.
struct PipeEnds {
  RefPtr<File> read_end, write_end;
};
PipeEnds make_pipe(abi::OpenFlags flags);

namespace fifos {

/// The Pipe of a FIFO's inode, made if no end of it is open; the caller is one of its users.
RefPtr<Pipe> enter(Inode& inode);
/// A user less; the last takes the Pipe away.
void leave(Inode& inode, Pipe& pipe);

}  // namespace fifos
}  // namespace lxss
