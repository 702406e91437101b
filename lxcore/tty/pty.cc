#include "lxcore/tty/pty.h"

#include "base/text.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/tty/pty_system.h"
#include "lxcore/vfs/vfs.h"

namespace lxss {

namespace {

constexpr usize kWriteChunk = 1024;
constexpr usize kReadChunk = 4096;

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
  node_.mode = abi::kS_IFCHR | system.node_permissions;
  node_.uid = owner.fsuid;
  node_.gid = system.node_gid;
  enter();
}

void Pty::output_added() {
  if (!output_.empty()) master_events_.wake(kReadable);
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
  if (users_ != 0) was_opened_ = true;
  master_events_.wake();
}

Result<usize> Pty::master_read(Task& task, IoBuffer& buffer, bool wait) {
  usize done = 0;
  [[gnu::uninitialized]] u8 bytes[kReadChunk];
  // In pieces; what comes after the first does not wait.
  while (!buffer.empty()) {
    usize size = 0;
    bool is_event;
    {
      Lock::Held held(lock_);
      if (!master_readable() && done == 0) {
        if (!wait) return Errno::kEAGAIN;
        TRY(wait_until(task, lock_, master_events_,
                       [&]() LXSS_NO_THREAD_SAFETY_ANALYSIS { return master_readable(); }));
      }
      is_event = has_packet_event();
      if (done != 0 && (is_event || output_.empty())) return done;
      if (is_event) {
        bytes[size++] = static_cast<u8>(std::exchange(packet_events_, 0));
      } else {
        if (output_.empty()) return Errno::kEIO;
        if (packet_mode_ && done == 0) bytes[size++] = abi::kTIOCPKT_DATA;
        const auto waiting = output_.front();
        const usize taken = std::min({waiting.size(), buffer.size() - size, kReadChunk - size});
        std::copy_n(waiting.begin(), taken, bytes + size);
        size += taken;
        output_.consume(taken);
        output_taken();
      }
    }
    auto copied = buffer.put(bytes, size);
    if (!copied.ok()) return done != 0 ? Result<usize>(done) : copied.error();
    done += *copied;
    if (is_event || *copied < size) break;
  }
  return done;
}

Result<> Pty::wait_for_room(Task& task, bool wait) {
  if (input_room() != 0) return {};
  if (!wait) return Errno::kEAGAIN;
  return wait_until(task, lock_, master_events_,
                    [&]() LXSS_NO_THREAD_SAFETY_ANALYSIS { return input_room() != 0; });
}

Result<usize> Pty::master_write(Task& task, IoBuffer& buffer, bool wait) {
  usize done = 0;
  auto ended = [&](Errno error) { return done != 0 ? Result<usize>(done) : error; };
  [[gnu::uninitialized]] u8 chunk[kWriteChunk];
  while (!buffer.empty()) {
    usize size;
    {
      Lock::Held held(lock_);
      auto room = wait_for_room(task, wait);
      if (!room.ok()) return ended(room.error());
      size = std::min({buffer.size(), input_room(), kWriteChunk});
    }
    auto taken = buffer.take(chunk, size);
    if (!taken.ok()) return ended(taken.error());
    for (usize fed = 0; fed < *taken;) {
      // Another writer may have used the room.
      Use use(*this);
      auto room = wait_for_room(task, wait);
      if (!room.ok()) return ended(room.error());
      const usize more = feed({chunk + fed, *taken - fed});
      fed += more;
      done += more;
    }
  }
  return done;
}

PollEvents Pty::master_poll(PollRegistration* registration) {
  if (registration) registration->on(master_events_);
  Lock::Held held(lock_);
  PollEvents ready;
  if (!output_.empty()) ready |= kReadable;
  if (has_packet_event()) ready |= kReadable | abi::PollFlag::kPOLLPRI;
  if (input_room() != 0) ready |= kWritable;
  if (slave_closed()) ready |= abi::PollFlag::kPOLLHUP;
  return ready;
}

void Pty::master_closed() {
  leave();
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
      TRY(out.write(locked()));
      return u64{0};
    case abi::kTIOCPKT: {
      const bool on = TRY(in.read()) != 0;
      Lock::Held held(lock_);
      if (on && !packet_mode_) packet_events_ = 0;
      packet_mode_ = on;
      return u64{0};
    }
    case abi::kTIOCGPKT: {
      bool on;
      {
        Lock::Held held(lock_);
        on = packet_mode_;
      }
      TRY(out.write(on));
      return u64{0};
    }
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
