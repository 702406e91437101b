// Internet sockets of the host's network stack: IPv4 and IPv6, streams, datagrams and
// ICMP echo datagrams. Every other family is lxcore's own.
//
// Host sockets never block and never raise SIGPIPE: what cannot be done at once is
// Errno::kEAGAIN (connect: kEINPROGRESS), and the caller waits with host::poll. So timeouts
// (SO_RCVTIMEO, SO_SNDTIMEO), MSG_WAITALL and SO_LINGER's wait at close are the caller's.
// Addresses are in Linux's layout (abi::SockaddrIn, abi::SockaddrIn6).
#pragma once

#include <span>

#include "abi/linux/socket.h"
#include "base/result.h"
#include "host/fd.h"
#include "host/file.h"

namespace lxss::host {

/// `family` is AF_INET or AF_INET6; `type`, without flags, SOCK_STREAM (TCP, MPTCP) or
/// SOCK_DGRAM (UDP, UDP-Lite, ICMP). Raw sockets fail with EPERM whoever the host user is.
Result<UniqueFd> create_socket(i32 family, i32 type, i32 protocol);

Result<> bind(Fd socket, std::span<const std::byte> address);
/// Starts to connect; an address of family AF_UNSPEC dissolves a datagram socket's association.
Result<> connect(Fd socket, std::span<const std::byte> address);
Result<> listen(Fd socket, i32 backlog);
/// `how` is SHUT_RD, SHUT_WR or SHUT_RDWR.
Result<> shutdown(Fd socket, i32 how);

/// Where an address is returned, its full size is too, which may exceed the room given.
struct Accepted {
  UniqueFd socket;
  usize address_size;
};
Result<Accepted> accept(Fd socket, std::span<std::byte> address);
Result<usize> local_address(Fd socket, std::span<std::byte> address);
Result<usize> peer_address(Fd socket, std::span<std::byte> address);

/// Level, option and value are Linux's; ENOPROTOOPT for options that carry host descriptors or
/// that make the host write through an address in the value. SO_ATTACH_FILTER and
/// SO_ATTACH_REUSEPORT_CBPF name a program by address: the caller passes that of its own copy.
Result<> set_option(Fd socket, i32 level, i32 option, std::span<const std::byte> value);
/// The size of the value, at most that of `value`.
Result<usize> get_option(Fd socket, i32 level, i32 option, std::span<std::byte> value);

/// What to send. `address` is empty for the connected peer; `control` holds abi::CmsgHdr records.
struct OutgoingMessage {
  std::span<const std::byte> address;
  std::span<const Buffer> buffers;
  std::span<const std::byte> control;
};
/// The number of bytes sent. Flags that make no sense for such a socket are dropped, as on Linux.
Result<usize> send(Fd socket, const OutgoingMessage& message, abi::MsgFlags flags);

/// Room for a message; spans may be empty. If those for address and ancillary data are, and there
/// is one buffer, the flags that come with the message are not told either, which is faster.
struct IncomingMessage {
  std::span<std::byte> address;
  std::span<const Buffer> buffers;
  std::span<std::byte> control;
};
struct Received {
  usize size;          ///< bytes received; the datagram's size if MSG_TRUNC was asked for
  usize address_size;  ///< full size of the sender's address; 0 if there is none
  usize control_size;
  abi::MsgFlags flags;  ///< MSG_TRUNC, MSG_CTRUNC, MSG_OOB, MSG_ERRQUEUE, ...
};
Result<Received> receive(Fd socket, const IncomingMessage& message, abi::MsgFlags flags);

/// FIONREAD, SIOCOUTQ and SIOCATMARK (an i32 each), SIOCGIFCONF (abi::Ifconf, whose buffer is the
/// caller's) and the other SIOCGIF* queries (abi::Ifreq). ENOTTY for any other request,
/// EINVAL for an argument of the wrong size.
Result<> socket_control(Fd socket, u32 request, std::span<std::byte> argument);

}  // namespace lxss::host
