#include "lxcore/tty/console.h"

#include "base/text.h"
#include "host/file.h"
#include "host/wait.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/tty/pty_system.h"
#include "lxcore/vfs/vfs.h"

namespace lxss {

namespace {

constexpr usize kHostChunk = 2048;

/// Whether the host takes a byte now without making the caller wait.
bool takes_a_byte(host::Fd fd) {
  abi::PollFd ready{fd.value, static_cast<i16>(abi::PollFlag::kPOLLOUT), 0};
  auto polled = host::poll({&ready, 1}, host::Deadline{0});
  return polled.ok() && polled.value() != 0 &&
         (ready.revents & static_cast<i16>(abi::PollFlag::kPOLLOUT));
}

Result<usize> write_host(host::Fd fd, std::span<const u8> bytes) {
  const host::Buffer piece{reinterpret_cast<u64>(bytes.data()), bytes.size()};
  return host::write_stream(fd, {&piece, 1});
}

}  // namespace

ConsoleTty::ConsoleTty(host::UniqueFd output, const abi::Winsize& size, u32 uid, Mode mode)
    : host_(std::move(output)), mode_(mode) {
  PtySystem& system = PtySystem::get();
  node_.mode = abi::kS_IFCHR | system.node_permissions;
  node_.uid = uid;
  node_.gid = system.node_gid;
  resize(size);
  abi::Termios2 changed = discipline_.settings();
  changed.c_iflag |= abi::kIUTF8;
  if (mode == Mode::kShared) {
    changed.c_oflag &= ~abi::kOPOST;
    changed.c_lflag &= ~abi::kECHO;
  }
  discipline_.set_settings(changed);
  enter();
  system.offer_console(*this);
}

void ConsoleTty::input(std::span<const std::byte> bytes) {
  Use use(*this);
  if (lost_) return;
  wanted_ = false;
  feed({reinterpret_cast<const u8*>(bytes.data()), bytes.size()});
  pass_on_at_once();
}

usize ConsoleTty::room_for_input() const {
  Lock::Held held(lock_);
  return input_room();
}

bool ConsoleTty::wants_input() const {
  Lock::Held held(lock_);
  return mode_ == Mode::kRaw || wanted_;
}

/// The analysis does not follow Lock::Released.
template <typename Write>
Result<usize> ConsoleTty::pass_on(Write write) LXSS_NO_THREAD_SAFETY_ANALYSIS {
  [[gnu::uninitialized]] u8 chunk[kHostChunk];
  const auto bytes = output_.front();
  const usize size = std::min(bytes.size(), kHostChunk);
  std::copy_n(bytes.begin(), size, chunk);
  const u32 flushes = flushes_;
  draining_ = true;
  Result<usize> done = usize{0};
  {
    Lock::Released released(lock_);
    KernelLock::Released kernel_released;
    done = write(std::span<const u8>(chunk, size));
  }
  draining_ = false;
  if (lost_ && kernel().monitor) wake_monitor();
  if (done.ok() && flushes == flushes_) output_.consume(*done);
  events_.wake(kWritable);
  return done;
}

Result<> ConsoleTty::drain(Task& task) {
  RefPtr<ConsoleTty> pinned(this);
  Lock::Held held(lock_);
  while (!output_.empty() && !discipline_.stopped()) {
    if (lost_) {
      output_.clear();
      return Errno::kEIO;
    }
    Result<> ended;
    if (draining_) {
      ended = wait_until(task, lock_, events_, [this]() LXSS_NO_THREAD_SAFETY_ANALYSIS {
        return !draining_ || output_.empty();
      });
    } else if (signals::interrupted(task)) {
      ended = Errno::kERESTARTSYS;
    } else {
      auto done = pass_on([this](auto bytes) { return write_host(host_.get(), bytes); });
      if (!done.ok() && !done.is(Errno::kEINTR)) {
        output_.clear();
        return Errno::kEIO;
      }
    }
    if (ended.ok()) continue;
    // The monitor goes on with what is left.
    if (has_pending() && kernel().monitor) wake_monitor();
    return ended;
  }
  return {};
}

bool ConsoleTty::has_pending() const {
  return !lost_ && !draining_ && !output_.empty() && !discipline_.stopped();
}

bool ConsoleTty::output_pending() {
  Lock::Held held(lock_);
  return has_pending();
}

void ConsoleTty::pass_on_at_once() {
  // The monitor must not wait for a display that stands still, so it writes only what the host
  // is certain to take: a byte at a time. Echo is short.
  while (has_pending()) {
    auto done = pass_on([this](std::span<const u8> bytes) -> Result<usize> {
      usize written = 0;
      while (written < bytes.size() && takes_a_byte(host_.get())) {
        if (!write_host(host_.get(), bytes.subspan(written, 1)).ok()) break;
        ++written;
      }
      return written;
    });
    if (*done == 0) return;
  }
}

void ConsoleTty::output_ready() {
  RefPtr<ConsoleTty> pinned(this);
  Lock::Held held(lock_);
  pass_on_at_once();
}

void ConsoleTty::input_taken() {
  // It reads on only while there is room.
  if (kernel().monitor) wake_monitor();
}

void ConsoleTty::input_wanted() {
  if (mode_ == Mode::kRaw || wanted_) return;
  wanted_ = true;
  if (kernel().monitor) wake_monitor();
}

void ConsoleTty::discard_output() {
  ++flushes_;
  Tty::discard_output();
}

void ConsoleTty::hang_up() {
  RefPtr<ConsoleTty> pinned(this);
  {
    Lock::Held held(lock_);
    lost_ = true;
    ++flushes_;
  }
  PtySystem::get().withdraw_console(*this);
  leave();
  Tty::hang_up();
}

bool ConsoleTty::close() {
  bool was_lost;
  {
    Lock::Held held(lock_);
    was_lost = lost_;
  }
  if (!was_lost) hang_up();
  host::UniqueFd given_back;  // closed without the lock
  Lock::Held held(lock_);
  // Nobody begins to drain what is lost.
  if (draining_) return false;
  given_back = std::move(host_);
  return true;
}

Result<RefPtr<File>> tty::open_console(ConsoleTty& console, abi::OpenFlags flags) {
  RefPtr<File> file = make_ref<TtyFile>(RefPtr<Tty>(console));
  if (auto path = node_path(console.number()); path.ok()) {
    file->initialise(*path, flags);
    return file;
  }
  TextBuilder name;
  name << "/dev/pts/" << console.number();
  vfs::initialise_anonymous(*file, name.view(), console.node().mode, flags);
  return file;
}

}  // namespace lxss
