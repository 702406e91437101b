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
  const PtySystem& system = PtySystem::get();
  node.mode = abi::kS_IFCHR | system.node_permissions;
  node.uid = uid;
  node.gid = system.node_gid;
  resize(size);
  abi::Termios2 changed = settings();
  changed.c_iflag |= abi::kIUTF8;
  if (mode == Mode::kShared) {
    changed.c_oflag &= ~abi::kOPOST;
    changed.c_lflag &= ~abi::kECHO;
  }
  discipline().set_settings(changed);
  if (!PtySystem::get().console) PtySystem::get().console = this;
}

ConsoleTty::~ConsoleTty() {
  // A hang-up has done this already, unless the kernel itself goes.
  if (!lost_ && PtySystem::get().console == this) PtySystem::get().console = nullptr;
}

void ConsoleTty::input(std::span<const std::byte> bytes) {
  if (lost_) return;
  wanted_ = false;
  feed({reinterpret_cast<const u8*>(bytes.data()), bytes.size()});
  output_ready();
}

template <typename Write>
Result<usize> ConsoleTty::pass_on(Write write) {
  u8 chunk[kHostChunk];
  const auto bytes = output().front();
  const usize size = std::min(bytes.size(), kHostChunk);
  std::copy(bytes.begin(), bytes.begin() + static_cast<isize>(size), chunk);
  const u32 flushes = flushes_;
  draining_ = true;
  Result<usize> done = usize{0};
  {
    KernelLock::Released released;
    done = write(std::span<const u8>(chunk, size));
  }
  draining_ = false;
  if (lost_ && kernel().monitor) wake_monitor();
  if (done.ok() && flushes == flushes_) output().consume(*done);
  events().wake(kWritable);
  return done;
}

Result<> ConsoleTty::drain(Task& task) {
  RefPtr<ConsoleTty> pinned(this);
  while (!output().empty() && !discipline().stopped()) {
    if (lost_) {
      output().clear();
      return Errno::kEIO;
    }
    Result<> ended;
    if (draining_) {
      ended = wait_until(task, events(), [this] { return !draining_ || output().empty(); });
    } else if (signals::interrupted(task)) {
      ended = Errno::kERESTARTSYS;
    } else {
      auto done = pass_on([this](auto bytes) { return write_host(host_.get(), bytes); });
      if (!done.ok() && !done.is(Errno::kEINTR)) {
        output().clear();
        return Errno::kEIO;
      }
    }
    if (ended.ok()) continue;
    // The monitor goes on with what is left.
    if (output_pending() && kernel().monitor) wake_monitor();
    return ended;
  }
  return {};
}

bool ConsoleTty::output_pending() {
  return !lost_ && !draining_ && !output().empty() && !discipline().stopped();
}

void ConsoleTty::output_ready() {
  // The monitor must not wait for a display that stands still, so it writes only what the host
  // is certain to take: a byte at a time. Echo is short.
  RefPtr<ConsoleTty> pinned(this);
  while (output_pending()) {
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
  lost_ = true;
  ++flushes_;
  if (PtySystem::get().console == this) PtySystem::get().console = nullptr;
  unregister();
  Tty::hang_up();
}

bool ConsoleTty::close() {
  if (!lost_) hang_up();
  if (draining_) return false;
  host_.reset();
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
  vfs::initialise_anonymous(*file, name.view(), console.node.mode, flags);
  return file;
}

}  // namespace lxss
