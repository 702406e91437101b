// Internet sockets on a Linux host.
#include "host/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

#include "host/linux/controls.h"
#include "host/linux/syscall.h"

namespace lxss::host {

using sys::call;
using sys::check;
using sys::check_void;

static_assert(sizeof(abi::MsgHdr) == sizeof(msghdr));
static_assert(offsetof(abi::MsgHdr, msg_flags) == offsetof(msghdr, msg_flags));

namespace {

using abi::MsgFlag;

constexpr abi::MsgFlags kSendFlags =
    MsgFlag::kMSG_OOB | MsgFlag::kMSG_DONTROUTE | MsgFlag::kMSG_EOR | MsgFlag::kMSG_CONFIRM |
    MsgFlag::kMSG_MORE | MsgFlag::kMSG_ZEROCOPY | MsgFlag::kMSG_FASTOPEN;
constexpr abi::MsgFlags kReceiveFlags =
    MsgFlag::kMSG_OOB | MsgFlag::kMSG_PEEK | MsgFlag::kMSG_TRUNC | MsgFlag::kMSG_ERRQUEUE;

constexpr int kPeerPidFd = 77;  // SO_PEERPIDFD, newer than the oldest headers we build with

/// Options through which host descriptors or addresses would pass the wall.
bool is_closed_option(i32 level, i32 option) {
  if (level == SOL_SOCKET) {
    return option == SO_ATTACH_BPF || option == SO_ATTACH_REUSEPORT_EBPF || option == kPeerPidFd;
  }
  return level == IPPROTO_TCP && option == TCP_ZEROCOPY_RECEIVE;
}

Errno check_type(i32 family, i32 type, i32 protocol) {
  if (family != AF_INET && family != AF_INET6) return Errno::kEAFNOSUPPORT;
  const i32 icmp = family == AF_INET ? abi::kIPPROTO_ICMP : abi::kIPPROTO_ICMPV6;
  bool known = false;
  switch (type) {
    case SOCK_STREAM:
      known = protocol == 0 || protocol == IPPROTO_TCP || protocol == abi::kIPPROTO_MPTCP;
      break;
    case SOCK_DGRAM:
      known = protocol == 0 || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE ||
              protocol == icmp;
      break;
    case SOCK_RAW:
      return Errno::kEPERM;
    default:
      return Errno::kESOCKTNOSUPPORT;
  }
  return known ? Errno{0} : Errno::kEPROTONOSUPPORT;
}

/// getsockname, getpeername.
Result<usize> name_of(i64 number, Fd socket, std::span<std::byte> address) {
  socklen_t size = static_cast<socklen_t>(address.size());
  TRY(check(call(number, socket.value, address.data(), &size)));
  return usize{size};
}

abi::MsgHdr header(const void* name, usize name_size, std::span<const Buffer> buffers,
                   const void* control, usize control_size) {
  return {.msg_name = reinterpret_cast<u64>(name),
          .msg_namelen = static_cast<i32>(name_size),
          .pad0 = 0,
          .msg_iov = reinterpret_cast<u64>(buffers.data()),
          .msg_iovlen = buffers.size(),
          .msg_control = reinterpret_cast<u64>(control),
          .msg_controllen = control_size,
          .msg_flags = 0,
          .pad1 = 0};
}

}  // namespace

Result<UniqueFd> create_socket(i32 family, i32 type, i32 protocol) {
  if (Errno error = check_type(family, type, protocol); error != Errno{0}) return error;
  u64 fd = TRY(check(call(SYS_socket, family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)));
  return UniqueFd(Fd(static_cast<i32>(fd)));
}

Result<> bind(Fd socket, std::span<const std::byte> address) {
  return check_void(call(SYS_bind, socket.value, address.data(), address.size()));
}

Result<> connect(Fd socket, std::span<const std::byte> address) {
  return check_void(call(SYS_connect, socket.value, address.data(), address.size()));
}

Result<> listen(Fd socket, i32 backlog) {
  return check_void(call(SYS_listen, socket.value, backlog));
}

Result<> shutdown(Fd socket, i32 how) { return check_void(call(SYS_shutdown, socket.value, how)); }

Result<Accepted> accept(Fd socket, std::span<std::byte> address) {
  socklen_t size = static_cast<socklen_t>(address.size());
  u64 fd = TRY(
      check(call(SYS_accept4, socket.value, address.data(), &size, SOCK_CLOEXEC | SOCK_NONBLOCK)));
  return Accepted{UniqueFd(Fd(static_cast<i32>(fd))), address.empty() ? 0 : usize{size}};
}

Result<usize> local_address(Fd socket, std::span<std::byte> address) {
  return name_of(SYS_getsockname, socket, address);
}

Result<usize> peer_address(Fd socket, std::span<std::byte> address) {
  return name_of(SYS_getpeername, socket, address);
}

Result<> set_option(Fd socket, i32 level, i32 option, std::span<const std::byte> value) {
  if (is_closed_option(level, option)) return Errno::kENOPROTOOPT;
  return check_void(call(SYS_setsockopt, socket.value, level, option, value.data(), value.size()));
}

Result<usize> get_option(Fd socket, i32 level, i32 option, std::span<std::byte> value) {
  if (is_closed_option(level, option)) return Errno::kENOPROTOOPT;
  socklen_t size = static_cast<socklen_t>(value.size());
  TRY(check(call(SYS_getsockopt, socket.value, level, option, value.data(), &size)));
  return usize{size};
}

Result<usize> send(Fd socket, const OutgoingMessage& message, abi::MsgFlags flags) {
  const int how = static_cast<int>((flags & kSendFlags).raw() | MSG_NOSIGNAL | MSG_DONTWAIT);
  if (message.buffers.size() == 1 && message.control.empty()) {
    const Buffer& only = message.buffers.front();
    return check(call(SYS_sendto, socket.value, only.address, only.size, how,
                      message.address.empty() ? nullptr : message.address.data(),
                      message.address.size()));
  }
  const abi::MsgHdr host = header(message.address.data(), message.address.size(), message.buffers,
                                  message.control.data(), message.control.size());
  return check(call(SYS_sendmsg, socket.value, &host, how));
}

Result<Received> receive(Fd socket, const IncomingMessage& message, abi::MsgFlags flags) {
  const int how = static_cast<int>((flags & kReceiveFlags).raw() | MSG_DONTWAIT);
  if (message.buffers.size() == 1 && message.address.empty() && message.control.empty()) {
    const Buffer& only = message.buffers.front();
    const u64 size = TRY(
        check(call(SYS_recvfrom, socket.value, only.address, only.size, how, nullptr, nullptr)));
    return Received{.size = size, .address_size = 0, .control_size = 0, .flags = {}};
  }
  abi::MsgHdr host = header(message.address.data(), message.address.size(), message.buffers,
                            message.control.data(), message.control.size());
  u64 size = TRY(check(call(SYS_recvmsg, socket.value, &host, how)));
  return Received{
      .size = size,
      .address_size = message.address.empty() ? 0 : static_cast<usize>(host.msg_namelen),
      .control_size = host.msg_controllen,
      .flags = abi::MsgFlags(host.msg_flags)};
}

Result<> socket_control(Fd socket, u32 request, std::span<std::byte> argument) {
  auto is_in = [request](std::span<const u32> list) {
    return std::ranges::find(list, request) != list.end();
  };
  usize size = 0;
  if (is_in(kSocketControls)) {
    size = sizeof(i32);
  } else if (is_in(kInterfaceControls)) {
    size = sizeof(abi::Ifreq);
  } else if (request == kInterfaceListControl) {
    size = sizeof(abi::Ifconf);
  } else {
    return Errno::kENOTTY;
  }
  if (argument.size() != size) return Errno::kEINVAL;
  return check_void(call(SYS_ioctl, socket.value, request, argument.data()));
}

}  // namespace lxss::host
