#include "lxcore/ipc/pipe.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "abi/linux/ioctl.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/mm/heap.h"
#include "lxcore/task/process.h"
#include "lxcore/vfs/vfs.h"

namespace lxss {

namespace {

std::byte* new_page() { return static_cast<std::byte*>(::operator new(kPageSize)); }
void delete_page(std::byte* page) { ::operator delete(page); }

/// EPIPE, with its signal. Under no lock.
Errno broken_pipe(Task& task) {
  KernelLock::Held held;
  signals::send(task, signals::user_info(task, abi::kSIGPIPE, abi::kSI_USER));
  return Errno::kEPIPE;
}

}  // namespace

void Pipe::Wakes::now() {
  if (readers_) pipe_.read_queue.wake(std::exchange(readers_, {}));
  if (writers_) pipe_.write_queue.wake(std::exchange(writers_, {}));
}

Pipe::Pipe(usize size) : pages_(size / kPageSize), ready_(kCanWrite) {}

Pipe::~Pipe() {
  for (std::byte* page : pages_) delete_page(page);
}

usize Pipe::capacity() {
  SleepLock::Guard held(lock_);
  return pages_.size() * kPageSize;
}

usize Pipe::used() {
  SleepLock::Guard held(lock_);
  return length();
}

usize Pipe::free() {
  SleepLock::Guard held(lock_);
  return room();
}

usize Pipe::part(u64 position, usize size) {
  return std::min<usize>(size, kPageSize - position % kPageSize);
}

std::byte* Pipe::at(u64 position) const {
  return pages_[position / kPageSize % pages_.size()] + position % kPageSize;
}

usize Pipe::readable_now() const {
  if (packets_.empty()) return length();
  // A packet is read alone; bytes written before it end where it begins.
  const Packet& first = packets_.front();
  return (first.begin == read_position_ ? first.end : first.begin) - read_position_;
}

bool Pipe::publish() {
  u32 now = 0;
  if (length() != 0 && !held_) now |= kCanRead;
  if (room() >= kAtomicSize && packets_.size() < pages_.size()) now |= kCanWrite;
  const u32 before = ready_.load(std::memory_order_relaxed);
  if (before != now) ready_.store(now, std::memory_order_release);
  return (now & ~before & kCanWrite) != 0;
}

void Pipe::discard_page(u64 position) {
  std::byte* page = std::exchange(page_of(position), nullptr);
  // One page is kept for what comes next; an empty pipe begins at its first.
  if (page && read_position_ == write_position_ && !pages_[0]) {
    pages_[0] = page;
  } else {
    delete_page(page);
  }
}

void Pipe::advance_read(usize size) {
  const u64 end = read_position_ + size;
  while (read_position_ < end) {
    const u64 page = page_floor(read_position_);
    read_position_ = std::min(end, page + kPageSize);
    // Unless the writer has come round to it, a page that was read is empty.
    const bool reused = write_position_ > page + pages_.size() * kPageSize;
    if (read_position_ == page + kPageSize && !reused) discard_page(page);
  }
  while (!packets_.empty() && packets_.front().end <= end) packets_.erase(packets_.begin());
  if (!packets_.empty()) packets_.front().begin = std::max(packets_.front().begin, end);
  if (read_position_ != write_position_) return;
  discard_page(read_position_);
  read_position_ = write_position_ = 0;
}

Result<usize> Pipe::append(IoBuffer& buffer, usize size) {
  size = part(write_position_, std::min(size, room()));
  std::byte*& page = page_of(write_position_);
  if (!page) page = new_page();
  usize copied = TRY(buffer.take(at(write_position_), size));
  write_position_ += copied;
  return copied;
}

usize Pipe::append_unit(IoBuffer& buffer, usize size, bool packet, Errno& failure) {
  const u64 begin = write_position_;
  for (usize left = std::min(size, room()); left != 0;) {
    auto copied = append(buffer, left);
    if (!copied.ok()) {
      failure = copied.error();
      break;
    }
    left -= *copied;
  }
  if (packet && write_position_ != begin) packets_.push_back({begin, write_position_});
  return write_position_ - begin;
}

Result<bool> Pipe::wait_readable_locked(Task& task, bool wait, bool& waited, Wakes& wakes) {
  auto at_end = [&]() LXSS_NO_THREAD_SAFETY_ANALYSIS { return writers() == 0 && !held_; };
  if (can_read()) return true;
  if (at_end()) return false;
  if (!wait) return Errno::kEAGAIN;
  waited = true;
  wakes.now();
  TRY(wait_exclusive(task, lock_, read_queue, [&] { return can_read() || at_end(); }));
  if (can_read()) return true;
  // The end is for all who wait.
  wakes.readers(abi::PollFlag::kPOLLHUP);
  return false;
}

Result<> Pipe::wait_writable_locked(Task& task, bool wait, usize size, bool& waited, Wakes& wakes) {
  const bool fits = room() >= size && packets_.size() < pages_.size();
  if (fits || readers() == 0) return readers() != 0 ? Result<>() : Errno::kEPIPE;
  if (!wait) return Errno::kEAGAIN;
  waited = true;
  wakes.now();
  // As on Linux, who has to wait does so until there is room for any atomic write.
  TRY(wait_exclusive(task, lock_, write_queue, [&] { return readers() == 0 || can_write(); }));
  if (readers() != 0) return {};
  wakes.writers(abi::PollFlag::kPOLLERR);
  return Errno::kEPIPE;
}

Result<bool> Pipe::wait_readable(Task& task, bool wait) {
  bool waited = false;
  Wakes wakes(*this);
  SleepLock::Guard held(lock_);
  return wait_readable_locked(task, wait, waited, wakes);
}

Result<> Pipe::wait_writable(Task& task, bool wait) {
  Result<> result;
  {
    bool waited = false;
    Wakes wakes(*this);
    SleepLock::Guard held(lock_);
    result = wait_writable_locked(task, wait, kAtomicSize, waited, wakes);
    // Whether it will write, and when, is open.
    if (waited && can_write()) wakes.writers(kWritable);
  }
  if (result.is(Errno::kEPIPE)) return broken_pipe(task);
  return result;
}

Result<usize> Pipe::read(Task& task, IoBuffer& buffer, bool wait) {
  if (buffer.empty()) return usize{0};
  Wakes wakes(*this);
  SleepLock::Guard held(lock_);
  return read_locked(task, buffer, wait, wakes);
}

Result<usize> Pipe::read_locked(Task& task, IoBuffer& buffer, bool wait, Wakes& wakes) {
  bool waited = false;
  if (!TRY(wait_readable_locked(task, wait, waited, wakes))) return usize{0};
  const bool packet = begins_packet();
  usize done = 0;
  for (;;) {
    usize size = part(read_position_, std::min(buffer.size(), readable_now()));
    auto copied = buffer.put(at(read_position_), size);
    if (!copied.ok()) {
      if (done == 0) return copied.error();
      break;
    }
    done += *copied;
    if (packet) {
      // A packet may lie across two pages; what is not asked for is lost.
      const u64 end = packets_.front().end;
      usize rest = std::min<usize>(buffer.size(), end - read_position_ - *copied);
      if (*copied == size && rest != 0) {
        done += buffer.put(at(read_position_ + size), rest).value_or(0);
      }
      consume_locked(end - read_position_, wakes);
      break;
    }
    consume_locked(*copied, wakes);
    if (*copied < size || buffer.empty()) break;
    if (!can_read() || begins_packet()) break;
  }
  if (waited && can_read()) wakes.readers(kReadable);
  return done;
}

void Pipe::consume(usize size) {
  Wakes wakes(*this);
  SleepLock::Guard held(lock_);
  consume_locked(size, wakes);
}

void Pipe::consume_locked(usize size, Wakes& wakes) {
  advance_read(std::min(size, length()));
  if (publish()) wakes.writers(kWritable);
}

Result<usize> Pipe::write(Task& task, IoBuffer& buffer, bool wait, bool packet) {
  Result<usize> done = usize{0};
  bool broken = false;
  {
    Wakes wakes(*this);
    SleepLock::Guard held(lock_);
    done = write_locked(task, buffer, wait, packet, wakes, broken);
  }
  // Linux: the signal comes even if some was written.
  if (broken) (void)broken_pipe(task);
  return done;
}

Result<usize> Pipe::write_locked(Task& task, IoBuffer& buffer, bool wait, bool packet, Wakes& wakes,
                                 bool& broken) {
  usize done = 0;
  bool waited = false;
  Errno failure{};
  while (!buffer.empty() && failure == Errno{}) {
    const usize unit = std::min(buffer.size(), kAtomicSize);
    // A write beyond PIPE_BUF need not be atomic: what fits goes.
    const bool partial = !packet && !wait && done + buffer.size() > kAtomicSize;
    auto ready = wait_writable_locked(task, wait, partial ? 1 : unit, waited, wakes);
    if (!ready.ok()) {
      failure = ready.error();
      broken = failure == Errno::kEPIPE;
    } else if (!heap::has_room()) {
      failure = Errno::kENOMEM;
    } else {
      done += append_unit(buffer, unit, packet, failure);
      publish();
      wakes.readers(kReadable);
    }
  }
  if (done == 0 && failure != Errno{}) return failure;
  if (waited && can_write()) wakes.writers(kWritable);
  return done;
}

usize Pipe::peek(std::byte* to, usize size) {
  SleepLock::Guard held(lock_);
  size = std::min(size, readable_now());
  usize done = 0;
  while (done < size) {
    usize piece = part(read_position_ + done, size - done);
    std::memcpy(to + done, at(read_position_ + done), piece);
    done += piece;
  }
  return done;
}

bool Pipe::hold() {
  SleepLock::Guard held(lock_);
  if (!can_read()) return false;
  held_ = true;
  publish();
  return true;
}

void Pipe::release() {
  Wakes wakes(*this);
  SleepLock::Guard held(lock_);
  held_ = false;
  publish();
  wakes.readers(kReadable);
}

Result<usize> Pipe::resize(const Credentials& credentials, usize size) {
  if (size == 0 || size > usize{1} << 31) return Errno::kEINVAL;
  usize rounded = std::bit_ceil(std::max(size, kPageSize));
  if (rounded > kMaxSize && !credentials.has_capability(abi::kCAP_SYS_RESOURCE)) {
    return Errno::kEPERM;
  }
  if (rounded > kMaxSize * 16) return Errno::kENOMEM;
  SleepLock::Guard held(lock_);
  if (length() > rounded || packets_.size() > rounded / kPageSize) return Errno::kEBUSY;
  // Positions begin anew, so that they fit the new ring.
  std::vector<std::byte*> pages(rounded / kPageSize);
  const u64 size_now = length();
  for (u64 copied = 0; copied < size_now;) {
    usize piece = std::min<usize>(part(copied, size_now - copied),
                                  part(read_position_ + copied, size_now - copied));
    std::byte*& page = pages[copied / kPageSize];
    if (!page) page = new_page();
    std::memcpy(page + copied % kPageSize, at(read_position_ + copied), piece);
    copied += piece;
  }
  for (Packet& packet : packets_) {
    packet.begin -= read_position_;
    packet.end -= read_position_;
  }
  for (std::byte* page : pages_) delete_page(page);
  pages_ = std::move(pages);
  read_position_ = 0;
  write_position_ = size_now;
  publish();
  write_queue.wake(kWritable);
  return rounded;
}

Pipe::Partners Pipe::add_end(bool reader, bool writer) {
  SleepLock::Guard held(lock_);
  const Partners before{readers(), writers(), reader_openings_.load(std::memory_order_relaxed),
                        writer_openings_.load(std::memory_order_relaxed)};
  if (reader) {
    readers_.fetch_add(1, std::memory_order_relaxed);
    reader_openings_.fetch_add(1, std::memory_order_release);
    write_queue.wake(PollEvents{});
  }
  if (writer) {
    writers_.fetch_add(1, std::memory_order_relaxed);
    writer_openings_.fetch_add(1, std::memory_order_release);
    read_queue.wake(PollEvents{});
  }
  return before;
}

void Pipe::remove_end(bool reader, bool writer) {
  Wakes wakes(*this);
  SleepLock::Guard held(lock_);
  const bool last_reader = reader && readers_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  const bool last_writer = writer && writers_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  if (last_reader) wakes.writers(kWritable | abi::PollFlag::kPOLLERR);
  if (last_writer) wakes.readers(kReadable | abi::PollFlag::kPOLLHUP);
  if (readers() != 0 || writers() != 0) return;
  // What nobody has read is gone, should an end be opened again.
  packets_.clear();
  advance_read(length());
  publish();
}

Result<> Pipe::wait_for_partner(Task& task, bool reads, const Partners& before) {
  const auto& partners = reads ? writers_ : readers_;
  const auto& openings = reads ? writer_openings_ : reader_openings_;
  const u32 seen = reads ? before.writer_openings : before.reader_openings;
  if ((reads ? before.writers : before.readers) != 0) return {};
  SleepLock::Guard held(lock_);
  return wait_until(task, lock_, reads ? read_queue : write_queue, [&] {
    return partners.load(std::memory_order_relaxed) != 0 ||
           openings.load(std::memory_order_relaxed) != seen;
  });
}

PipeFile::PipeFile(RefPtr<Pipe> pipe, bool reader, bool writer, Inode* fifo)
    : File(Locking::kOwn),
      pipe_(std::move(pipe)),
      reader_(reader),
      writer_(writer),
      fifo_(fifo),
      before_(pipe_->add_end(reader, writer)),
      writers_seen_(before_.writers != 0 ? 0 : before_.writer_openings) {}

Result<> PipeFile::wait_for_partner(Task& task) {
  return pipe_->wait_for_partner(task, reader_, before_);
}

PipeFile::~PipeFile() {
  pipe_->remove_end(reader_, writer_);
  if (fifo_) fifos::leave(*fifo_, *pipe_);
}

Result<usize> PipeFile::read(Task& task, IoBuffer& buffer, u64*) {
  return pipe_->read(task, buffer, !nonblocking());
}

Result<usize> PipeFile::write(Task& task, IoBuffer& buffer, u64*) {
  return pipe_->write(task, buffer, !nonblocking(), flags().has(abi::OpenFlag::kO_DIRECT));
}

PollEvents PipeFile::poll(PollRegistration* registration) {
  PollEvents events{};
  if (reader_) {
    if (registration) registration->on(pipe_->read_queue);
    // In this order: a writer that has gone has written all that it will.
    const bool hung_up = pipe_->writers() == 0 && pipe_->writer_openings() != writers_seen_;
    if (pipe_->can_read()) events |= kReadable;
    if (hung_up) events |= abi::PollFlag::kPOLLHUP;
  }
  if (writer_) {
    if (registration) registration->on(pipe_->write_queue);
    if (pipe_->can_write()) events |= kWritable;
    if (pipe_->readers() == 0) events |= abi::PollFlag::kPOLLERR;
  }
  return events;
}

Result<u64> PipeFile::ioctl(Task&, u32 request, u64 argument) {
  if (request != abi::kFIONREAD) return Errno::kENOTTY;
  TRY(UserOut<i32>{UserAddr{argument}}.write(static_cast<i32>(pipe_->used())));
  return u64{0};
}

Result<u64> PipeFile::control(Task& task, i32 command, u64 argument) {
  switch (command) {
    case abi::kF_GETPIPE_SZ:
      return u64{pipe_->capacity()};
    case abi::kF_SETPIPE_SZ:
      return u64{TRY(pipe_->resize(*task.credentials, static_cast<u32>(argument)))};
    default:
      return Errno::kEINVAL;
  }
}

PipeEnds make_pipe(abi::OpenFlags flags) {
  auto pipe = make_ref<Pipe>();
  PipeEnds ends;
  ends.read_end = make_ref<PipeFile>(pipe, true, false);
  ends.write_end = make_ref<PipeFile>(pipe, false, true);
  vfs::initialise_anonymous(*ends.read_end, "pipe", abi::kS_IFIFO | 0600, flags);
  // So that it can be opened again through /proc/PID/fd.
  ends.read_end->inode().fifo = pipe;
  ends.write_end->initialise(ends.read_end->path(), flags | abi::OpenFlag::kO_WRONLY);
  return ends;
}

}  // namespace lxss
