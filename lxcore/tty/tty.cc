// Reading, writing and polling a terminal.
#include "lxcore/tty/tty.h"

#include <bit>
#include <cstring>

#include "host/clock.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/tty/pty_system.h"
#include "lxcore/vfs/clock.h"

namespace lxss {

namespace {

constexpr usize kWriteChunk = 1024;

/// Linux: a terminal's times advance in steps, so that they do not tell the rhythm of typing.
void touch(abi::Timespec& time) {
  constexpr i64 kStep = 8;
  const i64 now = vfs::now().tv_sec;
  if (now - time.tv_sec >= kStep || now < time.tv_sec) time = {now, 0};
}

}  // namespace

Tty::Tty() : discipline_(*this) { node_.accessed = node_.modified = node_.changed = vfs::now(); }

void Tty::enter() { number_ = PtySystem::get().add(*this); }

void Tty::leave() { PtySystem::get().remove(*this); }

Tty::Use::~Use() {
  u64 signals = std::exchange(tty_.signals_due_, 0);
  tty_.lock_.unlock();
  for (; signals != 0; signals &= signals - 1) tty_.send_foreground(std::countr_zero(signals));
}

Tty::Node Tty::node() const {
  Lock::Held held(lock_);
  return node_;
}

void Tty::change_node(const AttributeChange& change) {
  const abi::Timespec now = vfs::now();
  Lock::Held held(lock_);
  if (change.permissions) node_.mode = abi::kS_IFCHR | *change.permissions;
  if (change.uid) node_.uid = *change.uid;
  if (change.gid) node_.gid = *change.gid;
  if (change.accessed) node_.accessed = vfs::resolve_time(*change.accessed);
  if (change.modified) node_.modified = vfs::resolve_time(*change.modified);
  node_.changed = now;
}

abi::Termios2 Tty::settings() const {
  Lock::Held held(lock_);
  return discipline_.settings();
}

void Tty::resize(const abi::Winsize& size) {
  {
    Lock::Held held(lock_);
    if (std::memcmp(&size, &size_, sizeof size) == 0) return;
    size_ = size;
  }
  send_foreground(abi::kSIGWINCH);
}

void Tty::hang_up() {
  {
    Lock::Held held(lock_);
    hangups_.fetch_add(1, std::memory_order_release);
    exclusive_.store(false, std::memory_order_relaxed);
    pending_input_.clear();
    discipline_.flush_input();
    discipline_.start();
    output_.clear();
    events_.wake();
  }
  KernelLock::Held held;
  if (!session_) return;
  RefPtr<Session> session = session_;
  session->hung_up_foreground = foreground_;
  detach();
  auto leader = kernel().processes.find(session->id);
  if (leader == kernel().processes.end()) return;
  RefPtr<Process> process = leader->second;
  signals::send(*process, signals::kernel_info(abi::kSIGHUP));
  signals::send(*process, signals::kernel_info(abi::kSIGCONT));
}

// Input.

usize Tty::input_room() const {
  const usize waiting = pending_input_.size();
  return waiting < kInputLimit ? kInputLimit - waiting : 0;
}

usize Tty::feed(std::span<const u8> bytes) {
  usize taken = pending_input_.empty() ? discipline_.receive(bytes) : 0;
  const usize room = std::min(bytes.size() - taken, input_room());
  pending_input_.append(bytes.subspan(taken, room));
  output_added();
  events_.wake(kReadable);
  return taken + room;
}

void Tty::pump() {
  while (!pending_input_.empty()) {
    // The discipline may flush the queue (^C) while it looks at it.
    const auto bytes = pending_input_.front();
    std::vector<u8> chunk(bytes.begin(),
                          bytes.begin() + static_cast<isize>(std::min(bytes.size(), kWriteChunk)));
    const usize taken = discipline_.receive(chunk);
    if (taken == 0) break;
    pending_input_.consume(std::min(taken, pending_input_.size()));
  }
  output_added();
}

void Tty::flush_pending_input() {
  pending_input_.clear();
  input_taken();
}

bool Tty::readable() const {
  if (discipline_.canonical()) return discipline_.has_input();
  const u8* keys = discipline_.settings().c_cc;
  const usize least = keys[abi::kVTIME] == 0 ? keys[abi::kVMIN] : 1;
  return discipline_.available() >= std::max<usize>(least, 1);
}

/// Returns when read() is to take what there is, also if that is nothing (VTIME).
Result<> Tty::wait_for_input(Task& task, const TtyFile& file, usize wanted) {
  constexpr u64 kTenth = 100'000'000;
  const u8* keys = discipline_.settings().c_cc;
  if (discipline_.canonical()) {
    if (discipline_.has_input()) return {};
    input_wanted();
    if (file.nonblocking()) return Errno::kEAGAIN;
    return wait_until(task, lock_, events_, [&]() LXSS_NO_THREAD_SAFETY_ANALYSIS {
      return discipline_.has_input() || file.hung_up() || !discipline_.canonical();
    });
  }
  const u64 timeout_ns = keys[abi::kVTIME] * kTenth;
  const usize least = std::min<usize>(keys[abi::kVMIN], wanted);
  if (discipline_.available() < std::max<usize>(least, 1)) input_wanted();
  if (keys[abi::kVMIN] == 0 && timeout_ns == 0) return {};
  if (file.nonblocking()) {
    if (discipline_.available() == 0) return Errno::kEAGAIN;
    return {};
  }
  // With VMIN, VTIME runs from each byte to the next; without, from the call.
  const bool between_bytes = keys[abi::kVMIN] != 0;
  usize seen = discipline_.available();
  while (discipline_.available() < std::max<usize>(least, 1) && !file.hung_up()) {
    host::Deadline deadline;
    if (timeout_ns != 0 && (!between_bytes || seen != 0)) {
      deadline = host::monotonic_ns() + timeout_ns;
    }
    auto waited = wait_until(
        task, lock_, events_,
        [&]() LXSS_NO_THREAD_SAFETY_ANALYSIS {
          return discipline_.available() != seen || discipline_.canonical() || file.hung_up();
        },
        deadline);
    if (waited.is(Errno::kETIMEDOUT)) return {};
    if (!waited.ok()) return discipline_.available() != 0 ? Result<>() : waited;
    if (discipline_.canonical()) return wait_for_input(task, file, wanted);
    seen = discipline_.available();
  }
  return {};
}

usize Tty::take_input(std::span<u8> to) {
  usize done = 0;
  for (;;) {
    const auto piece = discipline_.next(to.size() - done);
    std::copy(piece.bytes.begin(), piece.bytes.end(), to.begin() + static_cast<isize>(done));
    done += piece.bytes.size();
    discipline_.consume(piece.length);
    if (piece.ends_line || piece.length == 0 || done == to.size()) break;
  }
  if (!pending_input_.empty()) {
    pump();
    input_taken();
  }
  // Whoever else waits may find the next line.
  if (discipline_.has_input()) events_.wake(kReadable);
  return done;
}

Result<usize> Tty::read(Task& task, IoBuffer& buffer, const TtyFile& file) {
  if (file.hung_up()) return usize{0};
  TRY(tty::check_read(task, *this));
  if (buffer.empty()) return usize{0};
  // All that the line discipline holds fits. As on Linux, what the guest's memory does not take
  // is lost.
  [[gnu::uninitialized]] u8 bytes[LineDiscipline::kCapacity];
  usize size = 0;
  {
    Use use(*this);
    TRY(wait_for_input(task, file, buffer.size()));
    if (file.hung_up()) return usize{0};
    touch(node_.accessed);
    size = take_input({bytes, std::min(buffer.size(), sizeof bytes)});
  }
  return size == 0 ? Result<usize>(usize{0}) : buffer.put(bytes, size);
}

// Output.

void Tty::display(std::span<const u8> bytes) { output_.append(bytes); }

bool Tty::takes_echo() const { return output_.size() < kOutputLimit + kEchoLimit; }

void Tty::discard_output() {
  output_.truncate(output_beyond_flush());
  notify_packet(abi::kTIOCPKT_FLUSHWRITE);
  events_.wake(kWritable);
}

void Tty::input_discarded() {
  flush_pending_input();
  notify_packet(abi::kTIOCPKT_FLUSHREAD);
}

void Tty::flow_changed(bool stopped) {
  notify_packet(stopped ? abi::kTIOCPKT_STOP : abi::kTIOCPKT_START);
  if (stopped) return;
  output_added();
  events_.wake(kWritable);
}

void Tty::signal_foreground(i32 signal) { signals_due_ |= u64{1} << signal; }

void Tty::output_taken() {
  // Not for every byte: a writer is woken when there is work worth it.
  if (output_.size() <= kOutputLimit / 2) events_.wake(kWritable);
}

usize Tty::output_room() const {
  if (discipline_.stopped() || output_.size() >= kOutputLimit) return 0;
  return kOutputLimit - output_.size();
}

/// Returns when there is room for output. The analysis does not follow Lock::Released.
Result<> Tty::wait_for_output(Task& task, const TtyFile& file) LXSS_NO_THREAD_SAFETY_ANALYSIS {
  while (output_room() == 0) {
    if (file.hung_up()) return Errno::kEIO;
    if (file.nonblocking()) return Errno::kEAGAIN;
    // Output that nobody but the writers takes away has to go first.
    if (!discipline_.stopped()) {
      Lock::Released released(lock_);
      TRY(drain(task));
    }
    TRY(wait_until(task, lock_, events_, [&]() LXSS_NO_THREAD_SAFETY_ANALYSIS {
      return output_room() != 0 || file.hung_up();
    }));
  }
  if (file.hung_up()) return Errno::kEIO;
  return {};
}

/// Likewise.
Result<> Tty::write_all(Task& task, IoBuffer& buffer, const TtyFile& file,
                        usize& done) LXSS_NO_THREAD_SAFETY_ANALYSIS {
  [[gnu::uninitialized]] u8 chunk[kWriteChunk];
  while (!buffer.empty()) {
    TRY(wait_for_output(task, file));
    usize size = std::min({buffer.size(), output_room(), kWriteChunk});
    {
      Lock::Released released(lock_);
      size = TRY(buffer.take(chunk, size));
    }
    // It may have been stopped, or filled with echo, meanwhile.
    TRY(wait_for_output(task, file));
    discipline_.write({chunk, size});
    done += size;
    output_added();
  }
  return {};
}

Result<usize> Tty::write(Task& task, IoBuffer& buffer, const TtyFile& file) {
  if (file.hung_up()) return Errno::kEIO;
  if (settings().c_lflag & abi::kTOSTOP) TRY(tty::check_change(task, *this));
  usize done = 0;
  Result<> ended;
  bool drains;
  {
    Lock::Held held(lock_);
    // What one call writes is displayed together.
    if (writing_) {
      if (file.nonblocking()) return Errno::kEAGAIN;
      TRY(wait_until(task, lock_, events_,
                     [&]() LXSS_NO_THREAD_SAFETY_ANALYSIS { return !writing_; }));
    }
    writing_ = true;
    ended = write_all(task, buffer, file, done);
    writing_ = false;
    events_.wake(kWritable);
    if (done == 0 && !ended.ok()) return ended.error();
    touch(node_.modified);
    drains = ended.ok() && !discipline_.stopped();
  }
  // What is in the queue counts as written, whatever becomes of it.
  if (drains) (void)drain(task);
  return done;
}

PollEvents Tty::poll(PollRegistration* registration, const TtyFile& file) {
  if (registration) registration->on(events_);
  Lock::Held held(lock_);
  if (file.hung_up()) {
    return kReadable | kWritable | abi::PollFlag::kPOLLERR | abi::PollFlag::kPOLLHUP;
  }
  PollEvents ready;
  if (readable()) {
    ready |= kReadable;
  } else {
    input_wanted();
  }
  if (output_room() != 0) ready |= kWritable;
  return ready;
}

void Tty::open_files_changed(bool opened) {
  Lock::Held held(lock_);
  const bool none_before = users_ == 0;
  users_ += opened ? 1 : usize(-1);
  if (none_before || users_ == 0) users_changed();
}

// TtyFile.

TtyFile::TtyFile(RefPtr<Tty> tty)
    : File(Locking::kOwn), tty_(std::move(tty)), hangups_(tty_->hangups()) {
  tty_->open_files_changed(true);
}

TtyFile::~TtyFile() { tty_->open_files_changed(false); }

Result<usize> TtyFile::read(Task& task, IoBuffer& buffer, u64*) {
  return tty_->read(task, buffer, *this);
}

Result<usize> TtyFile::write(Task& task, IoBuffer& buffer, u64*) {
  return tty_->write(task, buffer, *this);
}

PollEvents TtyFile::poll(PollRegistration* registration) { return tty_->poll(registration, *this); }

Result<u64> TtyFile::ioctl(Task& task, u32 request, u64 argument) {
  return tty_->ioctl(task, request, argument, this);
}

}  // namespace lxss
