#include "lxcore/tty/pty.h"

#include "base/text.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/tty/pty_system.h"
#include "lxcore/vfs/vfs.h"

namespace lxss {

namespace {

constexpr usize kWriteChunk = 1024;

/// A later event of such a pair takes back the earlier.
u32 opposite(u32 event) {
  switch (event) {
    case abi::kTIOCPKT_STOP:
      return abi::kTIOCPKT_START;
    case abi::kTIOCPKT_START:
      return abi::kTIOCPKT_STOP;
    case abi::kTIOCPKT_DOSTOP:
      return abi::kTIOCPKT_NOSTOP;
    case abi::kTIOCPKT_NOSTOP:
      return abi::kTIOCPKT_DOSTOP;
    default:
      return 0;
  }
}

}  // namespace

Pty::Pty(const Credentials& owner) {
  const PtySystem& system = PtySystem::get();
  node.mode = abi::kS_IFCHR | system.node_permissions;
  node.uid = owner.fsuid;
  node.gid = system.node_gid;
}

void Pty::output_added() {
  if (!output().empty()) master_events_.wake(kReadable);
}

void Pty::input_taken() { master_events_.wake(kWritable); }

void Pty::notify_packet(u32 events) {
  if (!packet_mode_) return;
  for (u32 bit = 1; bit <= events; bit <<= 1) {
    if (events & bit) packet_events_ = (packet_events_ & ~opposite(bit)) | bit;
  }
  master_events_.wake(kReadable | abi::PollFlag::kPOLLPRI);
}

void Pty::users_changed() {
  if (users() != 0) was_opened_ = true;
  master_events_.wake();
}

Result<usize> Pty::master_read(Task& task, IoBuffer& buffer, bool wait) {
  if (buffer.empty()) return usize{0};
  auto ready = [&] { return !output().empty() || has_packet_event() || slave_closed(); };
  if (!ready()) {
    if (!wait) return Errno::kEAGAIN;
    TRY(wait_until(task, master_events_, ready));
  }
  if (has_packet_event()) {
    const u8 events = static_cast<u8>(std::exchange(packet_events_, 0));
    return buffer.put(&events, 1);
  }
  if (output().empty()) return Errno::kEIO;
  usize prefix = 0;
  if (packet_mode_) {
    const u8 data = abi::kTIOCPKT_DATA;
    prefix = TRY(buffer.put(&data, 1));
  }
  const auto bytes = output().front();
  auto copied = buffer.put(bytes.data(), std::min(bytes.size(), buffer.size()));
  if (!copied.ok()) {
    if (prefix != 0 && buffer.empty()) return prefix;
    return copied;
  }
  output().consume(*copied);
  output_taken();
  return prefix + *copied;
}

Result<usize> Pty::master_write(Task& task, IoBuffer& buffer, bool wait) {
  usize done = 0;
  while (!buffer.empty()) {
    const usize room = input_room();
    if (room == 0) {
      if (!wait) return done != 0 ? Result<usize>(done) : Errno::kEAGAIN;
      auto waited = wait_until(task, master_events_, [&] { return input_room() != 0; });
      if (!waited.ok()) return done != 0 ? Result<usize>(done) : waited.error();
      continue;
    }
    u8 chunk[kWriteChunk];
    auto taken = buffer.take(chunk, std::min({buffer.size(), room, kWriteChunk}));
    if (!taken.ok()) return done != 0 ? Result<usize>(done) : taken.error();
    const usize fed = feed({chunk, *taken});
    LXSS_ASSERT(fed == *taken);
    done += fed;
  }
  return done;
}

PollEvents Pty::master_poll(PollRegistration* registration) {
  if (registration) registration->on(master_events_);
  PollEvents ready;
  if (!output().empty()) ready |= kReadable;
  if (has_packet_event()) ready |= kReadable | abi::PollFlag::kPOLLPRI;
  if (input_room() != 0) ready |= kWritable;
  if (slave_closed()) ready |= abi::PollFlag::kPOLLHUP;
  return ready;
}

void Pty::master_closed() {
  unregister();
  hang_up();
}

Result<u64> Pty::open_peer(Task& task, abi::OpenFlags flags) {
  const Path path = TRY(tty::node_path(number()));
  RefPtr<File> file = TRY(tty::open(task, *this, flags));
  file->initialise(path, flags.without(abi::OpenFlag::kO_CLOEXEC | abi::OpenFlag::kO_NOCTTY));
  const Fd fd = TRY(task.files->install(std::move(file), flags.has(abi::OpenFlag::kO_CLOEXEC),
                                        task.limit(abi::kRLIMIT_NOFILE)));
  return static_cast<u64>(fd.value);
}

Result<u64> Pty::master_ioctl(Task& task, u32 request, u64 raw_argument) {
  const UserAddr argument{raw_argument};
  const UserIn<i32> in{argument};
  const UserOut<i32> out{argument};
  switch (request) {
    case abi::kTIOCGPTN:
      TRY(out.write(static_cast<i32>(number())));
      return u64{0};
    case abi::kTIOCSPTLCK:
      locked_ = TRY(in.read()) != 0;
      return u64{0};
    case abi::kTIOCGPTLCK:
      TRY(out.write(locked_));
      return u64{0};
    case abi::kTIOCPKT: {
      const bool on = TRY(in.read()) != 0;
      if (on && !packet_mode_) packet_events_ = 0;
      packet_mode_ = on;
      return u64{0};
    }
    case abi::kTIOCGPKT:
      TRY(out.write(packet_mode_));
      return u64{0};
    case abi::kTIOCGPTPEER:
      return open_peer(task, abi::OpenFlags(static_cast<u32>(raw_argument)));
    case abi::kTIOCSIG: {
      const i32 signal = static_cast<i32>(raw_argument);
      if (signal != abi::kSIGINT && signal != abi::kSIGQUIT && signal != abi::kSIGTSTP) {
        return Errno::kEINVAL;
      }
      send_foreground(signal);
      return u64{0};
    }
    default:
      return ioctl(task, request, raw_argument, nullptr);
  }
}

std::string PtyMasterFile::fdinfo() {
  TextBuilder text;
  text << "tty-index:\t" << pty_->number() << '\n';
  return text.take();
}

}  // namespace lxss
