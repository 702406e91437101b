// Socket options and ancillary data that pass to the host's network stack.
#include <algorithm>

#include "lxcore/kernel.h"
#include "lxcore/net/inet.h"

namespace lxss::net {

namespace {

constexpr i32 kSocketOptions[] = {abi::kSO_DEBUG,
                                  abi::kSO_REUSEADDR,
                                  abi::kSO_TYPE,
                                  abi::kSO_ERROR,
                                  abi::kSO_DONTROUTE,
                                  abi::kSO_BROADCAST,
                                  abi::kSO_SNDBUF,
                                  abi::kSO_RCVBUF,
                                  abi::kSO_KEEPALIVE,
                                  abi::kSO_OOBINLINE,
                                  abi::kSO_NO_CHECK,
                                  abi::kSO_PRIORITY,
                                  abi::kSO_REUSEPORT,
                                  abi::kSO_RCVLOWAT,
                                  abi::kSO_SNDLOWAT,
                                  abi::kSO_BINDTODEVICE,
                                  abi::kSO_TIMESTAMP,
                                  abi::kSO_ACCEPTCONN,
                                  abi::kSO_SNDBUFFORCE,
                                  abi::kSO_RCVBUFFORCE,
                                  abi::kSO_TIMESTAMPNS,
                                  abi::kSO_MARK,
                                  abi::kSO_TIMESTAMPING,
                                  abi::kSO_PROTOCOL,
                                  abi::kSO_DOMAIN,
                                  abi::kSO_RXQ_OVFL,
                                  abi::kSO_PEEK_OFF,
                                  abi::kSO_LOCK_FILTER,
                                  abi::kSO_SELECT_ERR_QUEUE,
                                  abi::kSO_BUSY_POLL,
                                  abi::kSO_MAX_PACING_RATE,
                                  abi::kSO_INCOMING_CPU,
                                  abi::kSO_MEMINFO,
                                  abi::kSO_INCOMING_NAPI_ID,
                                  abi::kSO_COOKIE,
                                  abi::kSO_ZEROCOPY,
                                  abi::kSO_BINDTOIFINDEX,
                                  abi::kSO_DETACH_FILTER,
                                  abi::kSO_TIMESTAMP_NEW,
                                  abi::kSO_TIMESTAMPNS_NEW,
                                  abi::kSO_TIMESTAMPING_NEW,
                                  abi::kSO_TXTIME,
                                  abi::kSO_PREFER_BUSY_POLL,
                                  abi::kSO_BUSY_POLL_BUDGET};

constexpr i32 kTcpOptions[] = {
    abi::kTCP_NODELAY,       abi::kTCP_MAXSEG,          abi::kTCP_CORK,     abi::kTCP_KEEPIDLE,
    abi::kTCP_KEEPINTVL,     abi::kTCP_KEEPCNT,         abi::kTCP_SYNCNT,   abi::kTCP_LINGER2,
    abi::kTCP_DEFER_ACCEPT,  abi::kTCP_WINDOW_CLAMP,    abi::kTCP_INFO,     abi::kTCP_QUICKACK,
    abi::kTCP_CONGESTION,    abi::kTCP_USER_TIMEOUT,    abi::kTCP_FASTOPEN, abi::kTCP_TIMESTAMP,
    abi::kTCP_NOTSENT_LOWAT, abi::kTCP_FASTOPEN_CONNECT};

constexpr i32 kIpOptions[] = {abi::kIP_TOS,
                              abi::kIP_TTL,
                              abi::kIP_OPTIONS,
                              abi::kIP_RECVOPTS,
                              abi::kIP_RETOPTS,
                              abi::kIP_PKTINFO,
                              abi::kIP_MTU_DISCOVER,
                              abi::kIP_RECVERR,
                              abi::kIP_RECVTTL,
                              abi::kIP_RECVTOS,
                              abi::kIP_MTU,
                              abi::kIP_FREEBIND,
                              abi::kIP_TRANSPARENT,
                              abi::kIP_ORIGDSTADDR,
                              abi::kIP_MINTTL,
                              abi::kIP_BIND_ADDRESS_NO_PORT,
                              abi::kIP_MULTICAST_IF,
                              abi::kIP_MULTICAST_TTL,
                              abi::kIP_MULTICAST_LOOP,
                              abi::kIP_ADD_MEMBERSHIP,
                              abi::kIP_DROP_MEMBERSHIP,
                              abi::kIP_UNBLOCK_SOURCE,
                              abi::kIP_BLOCK_SOURCE,
                              abi::kIP_ADD_SOURCE_MEMBERSHIP,
                              abi::kIP_DROP_SOURCE_MEMBERSHIP,
                              abi::kIP_MULTICAST_ALL,
                              abi::kIP_UNICAST_IF,
                              abi::kIP_LOCAL_PORT_RANGE};

/// MCAST_JOIN_GROUP to MCAST_LEAVE_SOURCE_GROUP, of both families.
constexpr i32 kMulticastFirst = 42, kMulticastLast = 47;

// ipv6(7), RFC 3493, RFC 3542: what abi/linux does not name.
constexpr i32 kIPV6_JOIN_ANYCAST = 27, kIPV6_LEAVE_ANYCAST = 28, kIPV6_MULTICAST_ALL = 29;
constexpr i32 kIPV6_RECVPATHMTU = 60, kIPV6_DONTFRAG = 62, kIPV6_AUTOFLOWLABEL = 70;
constexpr i32 kIPV6_ADDR_PREFERENCES = 72, kIPV6_ORIGDSTADDR = 74, kIPV6_UNICAST_IF = 76;

constexpr i32 kIpv6Options[] = {abi::kIPV6_ADDRFORM,
                                abi::kIPV6_UNICAST_HOPS,
                                abi::kIPV6_MULTICAST_IF,
                                abi::kIPV6_MULTICAST_HOPS,
                                abi::kIPV6_MULTICAST_LOOP,
                                abi::kIPV6_ADD_MEMBERSHIP,
                                abi::kIPV6_DROP_MEMBERSHIP,
                                abi::kIPV6_MTU_DISCOVER,
                                abi::kIPV6_MTU,
                                abi::kIPV6_RECVERR,
                                abi::kIPV6_V6ONLY,
                                kIPV6_JOIN_ANYCAST,
                                kIPV6_LEAVE_ANYCAST,
                                kIPV6_MULTICAST_ALL,
                                abi::kIPV6_RECVPKTINFO,
                                abi::kIPV6_PKTINFO,
                                abi::kIPV6_RECVHOPLIMIT,
                                abi::kIPV6_HOPLIMIT,
                                kIPV6_RECVPATHMTU,
                                kIPV6_DONTFRAG,
                                abi::kIPV6_RECVTCLASS,
                                abi::kIPV6_TCLASS,
                                kIPV6_AUTOFLOWLABEL,
                                kIPV6_ADDR_PREFERENCES,
                                kIPV6_ORIGDSTADDR,
                                kIPV6_UNICAST_IF,
                                abi::kIPV6_FREEBIND};

constexpr i32 kUdpOptions[] = {abi::kUDP_CORK, abi::kUDP_SEGMENT, abi::kUDP_GRO};

constexpr usize kMaxValue = 8192;
constexpr usize kMaxFilter = 4096;  ///< instructions (BPF_MAXINSNS)

bool contains(std::span<const i32> list, i32 option) {
  return std::ranges::find(list, option) != list.end();
}

bool is_timeout(i32 option) {
  return option == abi::kSO_RCVTIMEO_OLD || option == abi::kSO_RCVTIMEO_NEW ||
         option == abi::kSO_SNDTIMEO_OLD || option == abi::kSO_SNDTIMEO_NEW;
}

/// SOL_SOCKET options that are lxcore's own for these families too.
bool is_ours(i32 option) {
  return is_timeout(option) || option == abi::kSO_LINGER || option == abi::kSO_PASSCRED ||
         option == abi::kSO_PASSSEC || option == abi::kSO_PEERCRED || option == abi::kSO_PEERGROUPS;
}

/// struct sock_fprog: a classic BPF program by address.
struct FilterProgram {
  u16 length;
  u16 pad[3];
  u64 instructions;
};
static_assert(sizeof(FilterProgram) == 16);

/// Hands the host a copy of a guest's filter.
Result<> attach_filter(host::Fd socket, i32 option, std::span<const std::byte> value) {
  FilterProgram program;
  if (value.size() != sizeof program) return Errno::kEINVAL;
  std::memcpy(&program, value.data(), sizeof program);
  if (program.length == 0 || program.length > kMaxFilter) return Errno::kEINVAL;
  std::vector<u64> copy(program.length);  // one instruction is eight bytes
  TRY(copy_in(copy.data(), UserAddr{program.instructions}, copy.size() * sizeof(u64)));
  program.instructions = reinterpret_cast<u64>(copy.data());
  return host::set_option(socket, abi::kSOL_SOCKET, option, std::as_bytes(std::span(&program, 1)));
}

}  // namespace

bool may_pass_option(i32 level, i32 option) {
  const bool multicast = option >= kMulticastFirst && option <= kMulticastLast;
  switch (level) {
    case abi::kSOL_SOCKET:
      return contains(kSocketOptions, option);
    case abi::kSOL_TCP:
      return contains(kTcpOptions, option);
    case abi::kSOL_IP:
      return multicast || contains(kIpOptions, option);
    case abi::kSOL_IPV6:
      return multicast || contains(kIpv6Options, option);
    case abi::kSOL_UDP:
      return contains(kUdpOptions, option);
    default:
      return false;
  }
}

Result<> InetSocket::set_option(Task& task, i32 level, i32 option,
                                std::span<const std::byte> value) {
  if (level == abi::kSOL_SOCKET && is_ours(option)) {
    TRY(Socket::set_option(task, level, option, value));
    if (option != abi::kSO_LINGER) return {};
    // Closing the host's socket must not wait: of SO_LINGER only "reset at once" is the host's.
    abi::Linger host = linger_.load();
    if (host.l_linger != 0) host.l_onoff = 0;
    return host::set_option(host_.get(), level, option, std::as_bytes(std::span(&host, 1)));
  }
  if (level == abi::kSOL_SOCKET &&
      (option == abi::kSO_ATTACH_FILTER || option == abi::kSO_ATTACH_REUSEPORT_CBPF)) {
    return attach_filter(host_.get(), option, value);
  }
  if (!may_pass_option(level, option)) return Errno::kENOPROTOOPT;
  return host::set_option(host_.get(), level, option,
                          value.first(std::min(value.size(), kMaxValue)));
}

Result<usize> InetSocket::get_option(Task& task, i32 level, i32 option,
                                     std::span<std::byte> value) {
  if (level == abi::kSOL_SOCKET && is_ours(option)) {
    return Socket::get_option(task, level, option, value);
  }
  if (level == abi::kSOL_SOCKET && option == abi::kSO_ERROR) {
    if (Errno error = take_error(); error != Errno{0}) {
      return put_option(value, static_cast<i32>(error));
    }
  }
  if (!may_pass_option(level, option)) return Errno::kENOPROTOOPT;
  return host::get_option(host_.get(), level, option, value);
}

Result<std::vector<std::byte>> filter_control(std::span<const std::byte> control) {
  std::vector<std::byte> result;
  while (control.size() >= sizeof(abi::CmsgHdr)) {
    abi::CmsgHdr header;
    std::memcpy(&header, control.data(), sizeof header);
    if (header.cmsg_len < sizeof header || header.cmsg_len > control.size()) return Errno::kEINVAL;
    const bool is_known = header.cmsg_level == abi::kSOL_SOCKET ||
                          header.cmsg_level == abi::kSOL_IP ||
                          header.cmsg_level == abi::kSOL_IPV6 || header.cmsg_level == abi::kSOL_UDP;
    const bool is_unix_only =
        header.cmsg_level == abi::kSOL_SOCKET &&
        (header.cmsg_type == abi::kSCM_RIGHTS || header.cmsg_type == abi::kSCM_CREDENTIALS);
    // Linux: these two mean nothing here, and are no error.
    if (is_known && !is_unix_only) {
      result.insert(result.end(), control.begin(), control.begin() + header.cmsg_len);
      result.resize(abi::cmsg_align(result.size()));
    }
    control = control.subspan(std::min<usize>(abi::cmsg_align(header.cmsg_len), control.size()));
  }
  return result;
}

}  // namespace lxss::net
