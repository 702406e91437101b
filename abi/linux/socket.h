// Sockets: address families, options, messages and addresses.
// Man pages: socket(2), socket(7), send(2), recv(2), getsockopt(2), unix(7), ip(7), ipv6(7),
// tcp(7), udp(7), netlink(7), cmsg(3).
#pragma once

#include <cstddef>

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

inline constexpr i32 kAF_UNSPEC = 0;
inline constexpr i32 kAF_UNIX = 1;
inline constexpr i32 kAF_LOCAL = 1;
inline constexpr i32 kAF_INET = 2;
inline constexpr i32 kAF_AX25 = 3;
inline constexpr i32 kAF_IPX = 4;
inline constexpr i32 kAF_APPLETALK = 5;
inline constexpr i32 kAF_X25 = 9;
inline constexpr i32 kAF_INET6 = 10;
inline constexpr i32 kAF_NETLINK = 16;
inline constexpr i32 kAF_PACKET = 17;
inline constexpr i32 kAF_ALG = 38;
inline constexpr i32 kAF_VSOCK = 40;
inline constexpr i32 kAF_XDP = 44;
inline constexpr i32 kAF_MAX = 46;

inline constexpr i32 kSOCK_STREAM = 1;
inline constexpr i32 kSOCK_DGRAM = 2;
inline constexpr i32 kSOCK_RAW = 3;
inline constexpr i32 kSOCK_RDM = 4;
inline constexpr i32 kSOCK_SEQPACKET = 5;
inline constexpr i32 kSOCK_DCCP = 6;
inline constexpr i32 kSOCK_PACKET = 10;
inline constexpr i32 kSOCK_TYPE_MASK = 0xf;

enum class SockFlag : u32 {
  kSOCK_CLOEXEC = 02000000,
  kSOCK_NONBLOCK = 04000,
};
LXSS_FLAGS(SockFlag)
using SockFlags = Flags<SockFlag>;

inline constexpr i32 kSOL_SOCKET = 1;
inline constexpr i32 kSOL_IP = 0;
inline constexpr i32 kSOL_TCP = 6;
inline constexpr i32 kSOL_UDP = 17;
inline constexpr i32 kSOL_IPV6 = 41;
inline constexpr i32 kSOL_RAW = 255;
inline constexpr i32 kSOL_PACKET = 263;
inline constexpr i32 kSOL_NETLINK = 270;

inline constexpr i32 kSO_DEBUG = 1;
inline constexpr i32 kSO_REUSEADDR = 2;
inline constexpr i32 kSO_TYPE = 3;
inline constexpr i32 kSO_ERROR = 4;
inline constexpr i32 kSO_DONTROUTE = 5;
inline constexpr i32 kSO_BROADCAST = 6;
inline constexpr i32 kSO_SNDBUF = 7;
inline constexpr i32 kSO_RCVBUF = 8;
inline constexpr i32 kSO_KEEPALIVE = 9;
inline constexpr i32 kSO_OOBINLINE = 10;
inline constexpr i32 kSO_NO_CHECK = 11;
inline constexpr i32 kSO_PRIORITY = 12;
inline constexpr i32 kSO_LINGER = 13;
inline constexpr i32 kSO_BSDCOMPAT = 14;
inline constexpr i32 kSO_REUSEPORT = 15;
inline constexpr i32 kSO_PASSCRED = 16;
inline constexpr i32 kSO_PEERCRED = 17;
inline constexpr i32 kSO_RCVLOWAT = 18;
inline constexpr i32 kSO_SNDLOWAT = 19;
inline constexpr i32 kSO_RCVTIMEO_OLD = 20;
inline constexpr i32 kSO_SNDTIMEO_OLD = 21;
inline constexpr i32 kSO_SECURITY_AUTHENTICATION = 22;
inline constexpr i32 kSO_SECURITY_ENCRYPTION_TRANSPORT = 23;
inline constexpr i32 kSO_SECURITY_ENCRYPTION_NETWORK = 24;
inline constexpr i32 kSO_BINDTODEVICE = 25;
inline constexpr i32 kSO_ATTACH_FILTER = 26;
inline constexpr i32 kSO_DETACH_BPF = 27;
inline constexpr i32 kSO_DETACH_FILTER = 27;
inline constexpr i32 kSO_PEERNAME = 28;
inline constexpr i32 kSO_TIMESTAMP_OLD = 29;
inline constexpr i32 kSO_ACCEPTCONN = 30;
inline constexpr i32 kSO_PEERSEC = 31;
inline constexpr i32 kSO_SNDBUFFORCE = 32;
inline constexpr i32 kSO_RCVBUFFORCE = 33;
inline constexpr i32 kSO_PASSSEC = 34;
inline constexpr i32 kSO_TIMESTAMPNS_OLD = 35;
inline constexpr i32 kSO_MARK = 36;
inline constexpr i32 kSO_TIMESTAMPING_OLD = 37;
inline constexpr i32 kSO_PROTOCOL = 38;
inline constexpr i32 kSO_DOMAIN = 39;
inline constexpr i32 kSO_RXQ_OVFL = 40;
inline constexpr i32 kSO_WIFI_STATUS = 41;
inline constexpr i32 kSO_PEEK_OFF = 42;
inline constexpr i32 kSO_NOFCS = 43;
inline constexpr i32 kSO_LOCK_FILTER = 44;
inline constexpr i32 kSO_SELECT_ERR_QUEUE = 45;
inline constexpr i32 kSO_BUSY_POLL = 46;
inline constexpr i32 kSO_MAX_PACING_RATE = 47;
inline constexpr i32 kSO_BPF_EXTENSIONS = 48;
inline constexpr i32 kSO_INCOMING_CPU = 49;
inline constexpr i32 kSO_ATTACH_BPF = 50;
inline constexpr i32 kSO_ATTACH_REUSEPORT_CBPF = 51;
inline constexpr i32 kSO_ATTACH_REUSEPORT_EBPF = 52;
inline constexpr i32 kSO_CNX_ADVICE = 53;
inline constexpr i32 kSO_MEMINFO = 55;
inline constexpr i32 kSO_INCOMING_NAPI_ID = 56;
inline constexpr i32 kSO_COOKIE = 57;
inline constexpr i32 kSO_PEERGROUPS = 59;
inline constexpr i32 kSO_ZEROCOPY = 60;
inline constexpr i32 kSO_TXTIME = 61;
inline constexpr i32 kSO_BINDTOIFINDEX = 62;
inline constexpr i32 kSO_TIMESTAMP_NEW = 63;
inline constexpr i32 kSO_TIMESTAMPNS_NEW = 64;
inline constexpr i32 kSO_TIMESTAMPING_NEW = 65;
inline constexpr i32 kSO_RCVTIMEO_NEW = 66;
inline constexpr i32 kSO_SNDTIMEO_NEW = 67;
inline constexpr i32 kSO_DETACH_REUSEPORT_BPF = 68;
inline constexpr i32 kSO_PREFER_BUSY_POLL = 69;
inline constexpr i32 kSO_BUSY_POLL_BUDGET = 70;
inline constexpr i32 kSO_NETNS_COOKIE = 71;
inline constexpr i32 kSO_BUF_LOCK = 72;
inline constexpr i32 kSO_RESERVE_MEM = 73;
inline constexpr i32 kSO_TXREHASH = 74;
inline constexpr i32 kSO_RCVMARK = 75;
// Of the names with _OLD and _NEW, the plain one is the old: its time is 64 bits wide here anyway.
inline constexpr i32 kSO_RCVTIMEO = 20;
inline constexpr i32 kSO_SNDTIMEO = 21;
inline constexpr i32 kSO_TIMESTAMP = 29;
inline constexpr i32 kSO_TIMESTAMPNS = 35;
inline constexpr i32 kSO_TIMESTAMPING = 37;
inline constexpr i32 kSO_PASSPIDFD = 76;
inline constexpr i32 kSO_PEERPIDFD = 77;

enum class MsgFlag : u32 {
  kMSG_OOB = 0x1,
  kMSG_PEEK = 0x2,
  kMSG_DONTROUTE = 0x4,
  kMSG_CTRUNC = 0x8,
  kMSG_PROXY = 0x10,
  kMSG_TRUNC = 0x20,
  kMSG_DONTWAIT = 0x40,
  kMSG_EOR = 0x80,
  kMSG_WAITALL = 0x100,
  kMSG_FIN = 0x200,
  kMSG_SYN = 0x400,
  kMSG_CONFIRM = 0x800,
  kMSG_RST = 0x1000,
  kMSG_ERRQUEUE = 0x2000,
  kMSG_NOSIGNAL = 0x4000,
  kMSG_MORE = 0x8000,
  kMSG_WAITFORONE = 0x10000,
  kMSG_BATCH = 0x40000,
  kMSG_ZEROCOPY = 0x4000000,
  kMSG_FASTOPEN = 0x20000000,
  kMSG_CMSG_CLOEXEC = 0x40000000,
};
LXSS_FLAGS(MsgFlag)
using MsgFlags = Flags<MsgFlag>;

inline constexpr i32 kSHUT_RD = 0;
inline constexpr i32 kSHUT_WR = 1;
inline constexpr i32 kSHUT_RDWR = 2;
inline constexpr i32 kSOMAXCONN = 4096;

// Protocols
inline constexpr i32 kIPPROTO_IP = 0;
inline constexpr i32 kIPPROTO_ICMP = 1;
inline constexpr i32 kIPPROTO_IGMP = 2;
inline constexpr i32 kIPPROTO_TCP = 6;
inline constexpr i32 kIPPROTO_UDP = 17;
inline constexpr i32 kIPPROTO_IPV6 = 41;
inline constexpr i32 kIPPROTO_ICMPV6 = 58;
inline constexpr i32 kIPPROTO_SCTP = 132;
inline constexpr i32 kIPPROTO_UDPLITE = 136;
inline constexpr i32 kIPPROTO_RAW = 255;
inline constexpr i32 kIPPROTO_MPTCP = 262;

// tcp(7)
inline constexpr i32 kTCP_NODELAY = 1;
inline constexpr i32 kTCP_MAXSEG = 2;
inline constexpr i32 kTCP_CORK = 3;
inline constexpr i32 kTCP_KEEPIDLE = 4;
inline constexpr i32 kTCP_KEEPINTVL = 5;
inline constexpr i32 kTCP_KEEPCNT = 6;
inline constexpr i32 kTCP_SYNCNT = 7;
inline constexpr i32 kTCP_LINGER2 = 8;
inline constexpr i32 kTCP_DEFER_ACCEPT = 9;
inline constexpr i32 kTCP_WINDOW_CLAMP = 10;
inline constexpr i32 kTCP_INFO = 11;
inline constexpr i32 kTCP_QUICKACK = 12;
inline constexpr i32 kTCP_CONGESTION = 13;
inline constexpr i32 kTCP_MD5SIG = 14;
inline constexpr i32 kTCP_USER_TIMEOUT = 18;
inline constexpr i32 kTCP_FASTOPEN = 23;
inline constexpr i32 kTCP_TIMESTAMP = 24;
inline constexpr i32 kTCP_NOTSENT_LOWAT = 25;
inline constexpr i32 kTCP_FASTOPEN_CONNECT = 30;
inline constexpr i32 kTCP_FASTOPEN_KEY = 33;
inline constexpr i32 kTCP_FASTOPEN_NO_COOKIE = 34;
inline constexpr i32 kTCP_ULP = 31;
inline constexpr i32 kTCP_ESTABLISHED = 1;
inline constexpr i32 kTCP_SYN_SENT = 2;
inline constexpr i32 kTCP_SYN_RECV = 3;
inline constexpr i32 kTCP_FIN_WAIT1 = 4;
inline constexpr i32 kTCP_FIN_WAIT2 = 5;
inline constexpr i32 kTCP_TIME_WAIT = 6;
inline constexpr i32 kTCP_CLOSE = 7;
inline constexpr i32 kTCP_CLOSE_WAIT = 8;
inline constexpr i32 kTCP_LAST_ACK = 9;
inline constexpr i32 kTCP_LISTEN = 10;
inline constexpr i32 kTCP_CLOSING = 11;
// udp(7)
inline constexpr i32 kUDP_CORK = 1;
inline constexpr i32 kUDP_SEGMENT = 103;
inline constexpr i32 kUDP_GRO = 104;

// ip(7)
inline constexpr i32 kIP_TOS = 1;
inline constexpr i32 kIP_TTL = 2;
inline constexpr i32 kIP_HDRINCL = 3;
inline constexpr i32 kIP_OPTIONS = 4;
inline constexpr i32 kIP_RECVOPTS = 6;
inline constexpr i32 kIP_RETOPTS = 7;
inline constexpr i32 kIP_PKTINFO = 8;
inline constexpr i32 kIP_PKTOPTIONS = 9;
inline constexpr i32 kIP_MTU_DISCOVER = 10;
inline constexpr i32 kIP_RECVERR = 11;
inline constexpr i32 kIP_RECVTTL = 12;
inline constexpr i32 kIP_RECVTOS = 13;
inline constexpr i32 kIP_MTU = 14;
inline constexpr i32 kIP_FREEBIND = 15;
inline constexpr i32 kIP_TRANSPARENT = 19;
inline constexpr i32 kIP_ORIGDSTADDR = 20;
inline constexpr i32 kIP_MINTTL = 21;
inline constexpr i32 kIP_NODEFRAG = 22;
inline constexpr i32 kIP_BIND_ADDRESS_NO_PORT = 24;
inline constexpr i32 kIP_MULTICAST_IF = 32;
inline constexpr i32 kIP_MULTICAST_TTL = 33;
inline constexpr i32 kIP_MULTICAST_LOOP = 34;
inline constexpr i32 kIP_ADD_MEMBERSHIP = 35;
inline constexpr i32 kIP_DROP_MEMBERSHIP = 36;
inline constexpr i32 kIP_UNBLOCK_SOURCE = 37;
inline constexpr i32 kIP_BLOCK_SOURCE = 38;
inline constexpr i32 kIP_ADD_SOURCE_MEMBERSHIP = 39;
inline constexpr i32 kIP_DROP_SOURCE_MEMBERSHIP = 40;
inline constexpr i32 kIP_MULTICAST_ALL = 49;
inline constexpr i32 kIP_UNICAST_IF = 50;
inline constexpr i32 kIP_LOCAL_PORT_RANGE = 51;
inline constexpr i32 kIP_PMTUDISC_DONT = 0;
inline constexpr i32 kIP_PMTUDISC_WANT = 1;
inline constexpr i32 kIP_PMTUDISC_DO = 2;
inline constexpr i32 kIP_PMTUDISC_PROBE = 3;

// ipv6(7)
inline constexpr i32 kIPV6_ADDRFORM = 1;
inline constexpr i32 kIPV6_CHECKSUM = 7;
inline constexpr i32 kIPV6_UNICAST_HOPS = 16;
inline constexpr i32 kIPV6_MULTICAST_IF = 17;
inline constexpr i32 kIPV6_MULTICAST_HOPS = 18;
inline constexpr i32 kIPV6_MULTICAST_LOOP = 19;
inline constexpr i32 kIPV6_ADD_MEMBERSHIP = 20;
inline constexpr i32 kIPV6_DROP_MEMBERSHIP = 21;
inline constexpr i32 kIPV6_MTU_DISCOVER = 23;
inline constexpr i32 kIPV6_MTU = 24;
inline constexpr i32 kIPV6_RECVERR = 25;
inline constexpr i32 kIPV6_V6ONLY = 26;
inline constexpr i32 kIPV6_RECVPKTINFO = 49;
inline constexpr i32 kIPV6_PKTINFO = 50;
inline constexpr i32 kIPV6_RECVHOPLIMIT = 51;
inline constexpr i32 kIPV6_HOPLIMIT = 52;
inline constexpr i32 kIPV6_RECVTCLASS = 66;
inline constexpr i32 kIPV6_TCLASS = 67;
inline constexpr i32 kIPV6_FREEBIND = 78;

inline constexpr u32 kINADDR_ANY = 0;
inline constexpr u32 kINADDR_LOOPBACK = 0x7f000001;  // host byte order
inline constexpr u32 kINADDR_BROADCAST = 0xffffffff;

struct Sockaddr {
  u16 sa_family;
  u8 sa_data[14];
};
static_assert(sizeof(Sockaddr) == 16);

struct SockaddrStorage {
  u16 ss_family;
  u8 pad0[6];
  u64 data[15];
};
static_assert(sizeof(SockaddrStorage) == 128);

struct SockaddrUn {
  u16 sun_family;
  char sun_path[108];
};
static_assert(sizeof(SockaddrUn) == 110);

// In network byte order, as on the wire.
struct InAddr {
  u32 addr;
};
static_assert(sizeof(InAddr) == 4);

struct SockaddrIn {
  u16 sin_family;
  u16 sin_port;  // network byte order
  InAddr sin_addr;
  u8 sin_zero[8];
};
static_assert(sizeof(SockaddrIn) == 16);

struct In6Addr {
  u8 addr[16];
};
static_assert(sizeof(In6Addr) == 16);

struct SockaddrIn6 {
  u16 sin6_family;
  u16 sin6_port;  // network byte order
  u32 sin6_flowinfo;
  In6Addr sin6_addr;
  u32 sin6_scope_id;
};
static_assert(sizeof(SockaddrIn6) == 28);

struct SockaddrNl {
  u16 nl_family;
  u16 nl_pad;
  u32 nl_pid;
  u32 nl_groups;
};
static_assert(sizeof(SockaddrNl) == 12);

// IP_ADD_MEMBERSHIP
struct IpMreqn {
  InAddr imr_multiaddr;
  InAddr imr_address;
  i32 imr_ifindex;
};
static_assert(sizeof(IpMreqn) == 12);

// IPV6_ADD_MEMBERSHIP
struct Ipv6Mreq {
  In6Addr ipv6mr_multiaddr;
  i32 ipv6mr_ifindex;
};
static_assert(sizeof(Ipv6Mreq) == 20);

// Pointers are user addresses.
struct MsgHdr {
  u64 msg_name;
  i32 msg_namelen;
  u32 pad0;
  u64 msg_iov;
  u64 msg_iovlen;
  u64 msg_control;
  u64 msg_controllen;
  u32 msg_flags;
  u32 pad1;
};
static_assert(sizeof(MsgHdr) == 56);
static_assert(offsetof(MsgHdr, msg_control) == 32);

struct MMsgHdr {
  MsgHdr msg_hdr;
  u32 msg_len;
  u32 pad0;
};
static_assert(sizeof(MMsgHdr) == 64);

struct CmsgHdr {
  u64 cmsg_len;
  i32 cmsg_level;
  i32 cmsg_type;
  // data follows
};
static_assert(sizeof(CmsgHdr) == 16);

constexpr usize cmsg_align(usize bytes) { return (bytes + 7) & ~usize{7}; }
/// What cmsg_len holds for `bytes` bytes of data.
constexpr usize cmsg_len(usize bytes) { return sizeof(CmsgHdr) + bytes; }
/// What one message of `bytes` bytes of data occupies.
constexpr usize cmsg_space(usize bytes) { return sizeof(CmsgHdr) + cmsg_align(bytes); }

struct Ucred {
  i32 pid;
  u32 uid;
  u32 gid;
};
static_assert(sizeof(Ucred) == 12);
inline constexpr i32 kSCM_RIGHTS = 1;
inline constexpr i32 kSCM_CREDENTIALS = 2;
inline constexpr i32 kSCM_SECURITY = 3;
inline constexpr i32 kSCM_PIDFD = 4;
inline constexpr u32 kSCM_MAX_FD = 253;

struct Linger {
  i32 l_onoff;
  i32 l_linger;
};
static_assert(sizeof(Linger) == 8);

// SIOCGIFCONF and the other interface requests
inline constexpr usize kIFNAMSIZ = 16;
struct Ifreq {
  char ifr_name[kIFNAMSIZ];
  union {
    Sockaddr addr;
    i16 flags;
    i32 ivalue;
    u64 data;
    u8 raw[24];
  };
};
static_assert(sizeof(Ifreq) == 40);
static_assert(offsetof(Ifreq, addr) == 16);
struct Ifconf {
  i32 ifc_len;
  u32 pad0;
  u64 ifc_buf;
};
static_assert(sizeof(Ifconf) == 16);
inline constexpr u32 kIFF_UP = 0x1;
inline constexpr u32 kIFF_BROADCAST = 0x2;
inline constexpr u32 kIFF_LOOPBACK = 0x8;
inline constexpr u32 kIFF_POINTOPOINT = 0x10;
inline constexpr u32 kIFF_RUNNING = 0x40;
inline constexpr u32 kIFF_NOARP = 0x80;
inline constexpr u32 kIFF_MULTICAST = 0x1000;
inline constexpr u32 kIFF_LOWER_UP = 0x10000;
inline constexpr u16 kARPHRD_ETHER = 1;
inline constexpr u16 kARPHRD_LOOPBACK = 772;

// netlink(7)
struct NlMsgHdr {
  u32 nlmsg_len;
  u16 nlmsg_type;
  u16 nlmsg_flags;
  u32 nlmsg_seq;
  u32 nlmsg_pid;
};
static_assert(sizeof(NlMsgHdr) == 16);

struct NlMsgErr {
  i32 error;
  NlMsgHdr msg;
};
static_assert(sizeof(NlMsgErr) == 20);

inline constexpr i32 kNETLINK_ROUTE = 0;
inline constexpr i32 kNETLINK_USERSOCK = 2;
inline constexpr i32 kNETLINK_SOCK_DIAG = 4;
inline constexpr i32 kNETLINK_AUDIT = 9;
inline constexpr i32 kNETLINK_KOBJECT_UEVENT = 15;
inline constexpr i32 kNETLINK_GENERIC = 16;
inline constexpr i32 kNETLINK_ADD_MEMBERSHIP = 1;
inline constexpr i32 kNETLINK_DROP_MEMBERSHIP = 2;
inline constexpr i32 kNETLINK_PKTINFO = 3;
inline constexpr i32 kNETLINK_EXT_ACK = 11;
inline constexpr i32 kNETLINK_GET_STRICT_CHK = 12;
inline constexpr u16 kNLMSG_NOOP = 1;
inline constexpr u16 kNLMSG_ERROR = 2;
inline constexpr u16 kNLMSG_DONE = 3;
inline constexpr u16 kNLMSG_OVERRUN = 4;
inline constexpr u16 kNLMSG_MIN_TYPE = 16;

enum class NlmFlag : u16 {
  kNLM_F_REQUEST = 0x1,
  kNLM_F_MULTI = 0x2,
  kNLM_F_ACK = 0x4,
  kNLM_F_ECHO = 0x8,
  kNLM_F_DUMP_INTR = 0x10,
  kNLM_F_ROOT = 0x100,
  kNLM_F_MATCH = 0x200,
  kNLM_F_DUMP = 0x300,
};
LXSS_FLAGS(NlmFlag)
using NlmFlags = Flags<NlmFlag>;

constexpr u32 nlmsg_align(u32 bytes) { return (bytes + 3) & ~3u; }

}  // namespace lxss::abi
