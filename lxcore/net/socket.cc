#include "lxcore/net/socket.h"

#include "lxcore/kernel.h"
#include "lxcore/mm/heap.h"
#include "lxcore/net/inet.h"
#include "lxcore/net/interfaces.h"
#include "lxcore/net/netlink.h"
#include "lxcore/net/unix_socket.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::net {

using abi::MsgFlag;

namespace {

host::Deadline deadline_after(u64 timeout_ns) {
  u64 deadline;
  if (__builtin_add_overflow(host::monotonic_ns(), timeout_ns, &deadline)) return std::nullopt;
  return deadline;
}

Result<RefPtr<Socket>> make(Task& task, i32 domain, i32 type, i32 protocol) {
  if (domain < 0 || domain >= abi::kAF_MAX) return Errno::kEAFNOSUPPORT;
  if (type < 0 || type > abi::kSOCK_PACKET) return Errno::kEINVAL;
  if (!heap::has_room()) return Errno::kENOBUFS;
  switch (domain) {
    case abi::kAF_UNIX:
      return TRY(UnixSocket::create(type, protocol));
    case abi::kAF_INET:
    case abi::kAF_INET6:
      return TRY(InetSocket::create(task, domain, type, protocol));
    case abi::kAF_NETLINK:
      return TRY(NetlinkSocket::create(type, protocol));
    default:
      return Errno::kEAFNOSUPPORT;
  }
}

}  // namespace

Result<RefPtr<Socket>> create(Task& task, i32 domain, i32 type, i32 protocol,
                              abi::OpenFlags flags) {
  auto socket = TRY(make(task, domain, type, protocol));
  initialise(*socket, flags);
  return socket;
}

Result<SocketPair> create_pair(Task& task, i32 domain, i32 type, i32 protocol,
                               abi::OpenFlags flags) {
  auto first = TRY(make(task, domain, type, protocol));
  if (domain != abi::kAF_UNIX) return Errno::kEOPNOTSUPP;
  auto second = TRY(make(task, domain, type, protocol));
  UnixSocket::join(task, static_cast<UnixSocket&>(*first), static_cast<UnixSocket&>(*second));
  initialise(*first, flags);
  initialise(*second, flags);
  return SocketPair{std::move(first), std::move(second)};
}

void initialise(Socket& socket, abi::OpenFlags flags) {
  vfs::initialise_anonymous(socket, "socket", abi::kS_IFSOCK | abi::kS_IRWXUGO,
                            flags | abi::OpenFlag::kO_RDWR);
  socket.inode_known();
}

Patience Socket::patience_to_receive(abi::MsgFlags flags) const {
  const u64 timeout_ns = receive_timeout_ns_.load(std::memory_order_relaxed);
  if (nonblocking() || flags.has(MsgFlag::kMSG_DONTWAIT) || timeout_ns == 0) {
    return {.may_wait = false, .deadline = {}};
  }
  if (timeout_ns == kForever) return {};
  return {.may_wait = true, .deadline = deadline_after(timeout_ns)};
}

Patience Socket::patience_to_send(abi::MsgFlags flags) const {
  const u64 timeout_ns = send_timeout_ns_.load(std::memory_order_relaxed);
  if (nonblocking() || flags.has(MsgFlag::kMSG_DONTWAIT) || timeout_ns == 0) {
    return {.may_wait = false, .deadline = {}};
  }
  if (timeout_ns == kForever) return {};
  return {.may_wait = true, .deadline = deadline_after(timeout_ns)};
}

Result<usize> Socket::send_message(Task& task, OutgoingMessage& message) {
  auto sent = send(task, message);
  // Linux: only streams raise the signal.
  if (sent.is(Errno::kEPIPE) && type_ == abi::kSOCK_STREAM &&
      !message.flags.has(MsgFlag::kMSG_NOSIGNAL)) {
    KernelLock::Held held;
    signals::send(task, signals::user_info(task, abi::kSIGPIPE, abi::kSI_USER));
  }
  return sent;
}

Result<usize> Socket::receive_message(Task& task, IncomingMessage& message) {
  auto received = receive(task, message);
  if (!received.ok() || domain_ == abi::kAF_INET || domain_ == abi::kAF_INET6) return received;
  const bool in_ns = timestamps_ns_;
  if (in_ns || timestamps_) {
    // Linux stamps these messages when they are read.
    const u64 now = host::realtime_ns();
    const i64 seconds = static_cast<i64>(now / abi::kNSEC_PER_SEC);
    const i64 rest = static_cast<i64>(now % abi::kNSEC_PER_SEC);
    if (in_ns) {
      message.control.add_value(abi::kSOL_SOCKET, abi::kSO_TIMESTAMPNS,
                                abi::Timespec{seconds, rest});
    } else {
      message.control.add_value(abi::kSOL_SOCKET, abi::kSO_TIMESTAMP,
                                abi::Timeval{seconds, rest / abi::kNSEC_PER_USEC});
    }
  }
  return received;
}

Result<usize> Socket::read(Task& task, IoBuffer& buffer, u64*) {
  if (buffer.empty()) return usize{0};
  IncomingMessage message{.data = buffer, .data_only = true};
  return receive_message(task, message);
}

Result<usize> Socket::write(Task& task, IoBuffer& buffer, u64*) {
  OutgoingMessage message{.data = buffer};
  return send_message(task, message);
}

Result<u64> Socket::ioctl(Task&, u32 request, u64 argument) {
  const UserAddr at{argument};
  switch (request) {
    case abi::kFIONREAD:
      TRY(UserOut<i32>{at}.write(TRY(bytes_to_read())));
      return u64{0};
    case abi::kSIOCOUTQ:
      TRY(UserOut<i32>{at}.write(TRY(bytes_unsent())));
      return u64{0};
    case abi::kFIOSETOWN:
    case abi::kSIOCSPGRP:
      owner = TRY(UserIn<i32>{at}.read());
      return u64{0};
    case abi::kFIOGETOWN:
    case abi::kSIOCGPGRP:
      TRY(UserOut<i32>{at}.write(owner));
      return u64{0};
    default:
      return interface_ioctl(request, at);
  }
}

}  // namespace lxss::net
