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

constexpr usize kNobodyWaits = ~usize{0};

std::byte* new_page() { return static_cast<std::byte*>(::operator new(kPageSize)); }
void delete_page(std::byte* page) { ::operator delete(page); }

/// Others get a turn between the pages of a long transfer.
void breathe() { KernelLock::Released released; }

}  // namespace

Pipe::Pipe(usize size) : pages_(size / kPageSize) {}

Pipe::~Pipe() {
  for (std::byte* page : pages_) delete_page(page);
}

usize Pipe::part(u64 position, usize size) const {
  return std::min<usize>(size, kPageSize - position % kPageSize);
}

std::byte* Pipe::at(u64 position) const {
  return pages_[position / kPageSize % pages_.size()] + position % kPageSize;
}

usize Pipe::readable_now() const {
  if (packets_.empty()) return used();
  // A packet is read alone; bytes written before it end where it begins.
  const Packet& first = packets_.front();
  return (first.begin == read_position_ ? first.end : first.begin) - read_position_;
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
    const bool reused = write_position_ > page + capacity();
    if (read_position_ == page + kPageSize && !reused) discard_page(page);
  }
  while (!packets_.empty() && packets_.front().end <= end) packets_.erase(packets_.begin());
  if (!packets_.empty()) packets_.front().begin = std::max(packets_.front().begin, end);
  if (read_position_ != write_position_) return;
  discard_page(read_position_);
  read_position_ = write_position_ = 0;
}

Result<usize> Pipe::append(IoBuffer& buffer, usize size) {
  size = part(write_position_, std::min(size, free()));
  std::byte*& page = page_of(write_position_);
  if (!page) page = new_page();
  usize copied = TRY(buffer.take(at(write_position_), size));
  write_position_ += copied;
  return copied;
}

Result<bool> Pipe::wait_readable(Task& task, bool wait) {
  if (can_read()) return true;
  if (writers == 0 && !held_) return false;
  if (!wait) return Errno::kEAGAIN;
  TRY(wait_until(task, read_queue, [&] { return can_read() || (writers == 0 && !held_); }));
  return can_read();
}

Result<> Pipe::wait_writable(Task& task, bool wait, usize size) {
  auto ready = [&] {
    if (readers == 0 || (free() >= size && packets_.size() < pages_.size())) return true;
    awaited_ = std::min(awaited_, size);
    return false;
  };
  if (!ready()) {
    if (!wait) return Errno::kEAGAIN;
    TRY(wait_until(task, write_queue, ready));
  }
  if (readers != 0) return {};
  signals::send(task, signals::user_info(task, abi::kSIGPIPE, abi::kSI_USER));
  return Errno::kEPIPE;
}

Result<usize> Pipe::read(Task& task, IoBuffer& buffer, bool wait) {
  if (buffer.empty()) return usize{0};
  if (!TRY(wait_readable(task, wait))) return usize{0};
  const bool packet = !packets_.empty() && packets_.front().begin == read_position_;
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
      consume(end - read_position_);
      break;
    }
    consume(*copied);
    if (*copied < size || buffer.empty()) break;
    breathe();
    if (!can_read() || (!packets_.empty() && packets_.front().begin == read_position_)) break;
  }
  return done;
}

void Pipe::consume(usize size) {
  const bool could_write = can_write();
  advance_read(std::min(size, used()));
  if ((could_write || !can_write()) && free() < awaited_) return;
  awaited_ = kNobodyWaits;
  write_queue.wake(kWritable);
}

Result<usize> Pipe::write(Task& task, IoBuffer& buffer, bool wait, bool packet) {
  usize done = 0;
  while (!buffer.empty()) {
    const usize unit = std::min(buffer.size(), kAtomicSize);
    // A write beyond PIPE_BUF need not be atomic: what fits goes.
    const bool partial = !packet && !wait && done + buffer.size() > kAtomicSize;
    auto ready = wait_writable(task, wait, partial ? 1 : unit);
    if (!ready.ok()) {
      if (done != 0) break;
      return ready.error();
    }
    if (!heap::has_room()) {
      if (done != 0) break;
      return Errno::kENOMEM;
    }
    // A unit goes without giving up the lock, so that it is not torn apart.
    const u64 begin = write_position_;
    usize left = std::min(unit, free());
    Errno failure{};
    while (left != 0) {
      auto copied = append(buffer, left);
      if (!copied.ok()) {
        failure = copied.error();
        break;
      }
      left -= *copied;
    }
    const usize written = write_position_ - begin;
    if (packet && written != 0) packets_.push_back({begin, write_position_});
    done += written;
    if (failure != Errno{}) {
      if (done == 0) return failure;
      break;
    }
    if (buffer.empty()) break;
    // A reader that waits starts while this goes on.
    if (free() < kAtomicSize) read_queue.wake(kReadable);
    breathe();
  }
  if (done != 0) read_queue.wake(kReadable);
  return done;
}

usize Pipe::peek(std::byte* to, usize size) const {
  size = std::min(size, readable_now());
  usize done = 0;
  while (done < size) {
    usize piece = part(read_position_ + done, size - done);
    std::memcpy(to + done, at(read_position_ + done), piece);
    done += piece;
  }
  return done;
}

void Pipe::release() {
  held_ = false;
  read_queue.wake(kReadable);
}

Result<usize> Pipe::resize(const Credentials& credentials, usize size) {
  if (size == 0 || size > usize{1} << 31) return Errno::kEINVAL;
  usize rounded = std::bit_ceil(std::max(size, kPageSize));
  if (rounded > kMaxSize && !credentials.has_capability(abi::kCAP_SYS_RESOURCE)) {
    return Errno::kEPERM;
  }
  if (rounded > kMaxSize * 16) return Errno::kENOMEM;
  if (used() > rounded || packets_.size() > rounded / kPageSize) return Errno::kEBUSY;
  // Positions begin anew, so that they fit the new ring.
  std::vector<std::byte*> pages(rounded / kPageSize);
  const u64 length = used();
  for (u64 copied = 0; copied < length;) {
    usize piece = std::min<usize>(part(copied, length - copied),
                                  part(read_position_ + copied, length - copied));
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
  write_position_ = length;
  write_queue.wake(kWritable);
  return rounded;
}

void Pipe::add_end(bool reader, bool writer) {
  if (reader) {
    ++readers;
    ++reader_openings;
    write_queue.wake(PollEvents{});
  }
  if (writer) {
    ++writers;
    ++writer_openings;
    read_queue.wake(PollEvents{});
  }
}

void Pipe::remove_end(bool reader, bool writer) {
  if (reader && --readers == 0) write_queue.wake(kWritable | abi::PollFlag::kPOLLERR);
  if (writer && --writers == 0) read_queue.wake(kReadable | abi::PollFlag::kPOLLHUP);
}

PipeFile::PipeFile(RefPtr<Pipe> pipe, bool reader, bool writer)
    : pipe_(std::move(pipe)),
      reader_(reader),
      writer_(writer),
      writers_seen_(pipe_->writers != 0 ? 0 : pipe_->writer_openings) {
  pipe_->add_end(reader, writer);
}

PipeFile::~PipeFile() {
  pipe_->remove_end(reader_, writer_);
  if (pipe_->readers == 0 && pipe_->writers == 0 && has_inode() && inode().fifo == pipe_.get()) {
    inode().fifo = nullptr;
  }
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
    if (pipe_->can_read()) events |= kReadable;
    if (pipe_->writers == 0 && pipe_->writer_openings != writers_seen_) {
      events |= abi::PollFlag::kPOLLHUP;
    }
  }
  if (writer_) {
    if (registration) registration->on(pipe_->write_queue);
    if (pipe_->can_write()) events |= kWritable;
    if (pipe_->readers == 0) events |= abi::PollFlag::kPOLLERR;
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
  ends.write_end->initialise(ends.read_end->path(), flags | abi::OpenFlag::kO_WRONLY);
  // So that it can be opened again through /proc/PID/fd.
  ends.read_end->inode().fifo = pipe;
  return ends;
}

}  // namespace lxss
