// NETLINK_ROUTE requests and their answers (man 7 rtnetlink).
#include <algorithm>

#include "lxcore/net/interfaces.h"
#include "lxcore/net/netlink.h"
#include "lxcore/net/routes.h"

namespace lxss::net {

namespace {

// rtnetlink(7)
constexpr u16 kRTM_NEWROUTE = 24, kRTM_GETROUTE = 26;
constexpr u16 kRTA_DST = 1, kRTA_OIF = 4, kRTA_GATEWAY = 5, kRTA_PRIORITY = 6, kRTA_TABLE = 15;
constexpr u8 kRT_TABLE_MAIN = 254, kRTN_UNICAST = 1, kRTPROT_UNSPEC = 0;
constexpr u8 kScopeUniverse = 0, kScopeLink = 253;
constexpr u16 kRTM_NEWLINK = 16, kRTM_GETLINK = 18, kRTM_NEWADDR = 20, kRTM_GETADDR = 22;
constexpr u16 kIFLA_ADDRESS = 1, kIFLA_BROADCAST = 2, kIFLA_IFNAME = 3, kIFLA_MTU = 4,
              kIFLA_TXQLEN = 13, kIFLA_OPERSTATE = 16, kIFLA_LINKMODE = 17;
constexpr u16 kIFA_ADDRESS = 1, kIFA_LOCAL = 2, kIFA_LABEL = 3, kIFA_BROADCAST = 4,
              kIFA_CACHEINFO = 6, kIFA_FLAGS = 8;
constexpr u32 kIFA_F_PERMANENT = 0x80;
constexpr u8 kIF_OPER_UNKNOWN = 0, kIF_OPER_DOWN = 2, kIF_OPER_UP = 6;

struct IfInfoMsg {
  u8 family;
  u8 pad;
  u16 type;
  i32 index;
  u32 flags;
  u32 change;
};
static_assert(sizeof(IfInfoMsg) == 16);

struct IfAddrMsg {
  u8 family;
  u8 prefix;
  u8 flags;
  u8 scope;
  i32 index;
};
static_assert(sizeof(IfAddrMsg) == 8);

struct RtMsg {
  u8 family;
  u8 destination_prefix;
  u8 source_prefix;
  u8 tos;
  u8 table;
  u8 protocol;
  u8 scope;
  u8 type;
  u32 flags;
};
static_assert(sizeof(RtMsg) == 12);

struct IfaCacheInfo {
  u32 preferred, valid, created, updated;
};

struct RtAttr {
  u16 length;
  u16 type;
};

/// One message; its length is known at the end.
class MessageWriter {
 public:
  MessageWriter(const abi::NlMsgHdr& request, u16 type, abi::NlmFlags flags, u32 port) {
    put(abi::NlMsgHdr{0, type, flags.raw(), request.nlmsg_seq, port});
  }
  template <typename T>
  void put(const T& value) {
    put_bytes(&value, sizeof value);
  }
  void attribute(u16 type, const void* data, usize size) {
    put(RtAttr{static_cast<u16>(sizeof(RtAttr) + size), type});
    put_bytes(data, size);
  }
  template <typename T>
  void attribute(u16 type, const T& value) {
    attribute(type, &value, sizeof value);
  }
  void attribute(u16 type, const std::string& text) {
    attribute(type, text.c_str(), text.size() + 1);
  }
  void put_bytes(const void* data, usize size) {
    const auto* from = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), from, from + size);
    bytes_.resize(abi::nlmsg_align(static_cast<u32>(bytes_.size())));
  }
  std::vector<std::byte> take() {
    const u32 length = static_cast<u32>(bytes_.size());
    std::memcpy(bytes_.data(), &length, sizeof length);
    return std::move(bytes_);
  }

 private:
  std::vector<std::byte> bytes_;
};

/// Joins messages to datagrams that fit the smallest buffers in use (a page).
class DatagramWriter {
 public:
  void add(std::vector<std::byte> message) {
    constexpr usize kMaxDatagram = 3584;
    if (all_.empty() || all_.back().size() + message.size() > kMaxDatagram) all_.emplace_back();
    all_.back().insert(all_.back().end(), message.begin(), message.end());
  }
  std::vector<std::vector<std::byte>> take() { return std::move(all_); }

 private:
  std::vector<std::vector<std::byte>> all_;
};

struct Request {
  abi::NlMsgHdr header;
  std::span<const std::byte> body;
  u32 port;

  bool is_dump() const { return abi::NlmFlags(header.nlmsg_flags).any(abi::NlmFlag::kNLM_F_DUMP); }
  abi::NlmFlags reply_flags() const {
    return is_dump() ? abi::NlmFlags(abi::NlmFlag::kNLM_F_MULTI) : abi::NlmFlags();
  }
  /// The body's fixed part, zeros where it is shorter.
  template <typename T>
  T fixed() const {
    T value{};
    std::memcpy(&value, body.data(), std::min(body.size(), sizeof value));
    return value;
  }
};

/// The interface name that a request for one link gives besides or instead of its index.
std::string wanted_name(const Request& request) {
  auto rest = request.body.subspan(std::min(request.body.size(), sizeof(IfInfoMsg)));
  while (rest.size() >= sizeof(RtAttr)) {
    RtAttr attribute;
    std::memcpy(&attribute, rest.data(), sizeof attribute);
    if (attribute.length < sizeof attribute || attribute.length > rest.size()) break;
    if (attribute.type == kIFLA_IFNAME) {
      const char* text = reinterpret_cast<const char*>(rest.data() + sizeof attribute);
      return std::string(text, std::find(text, text + attribute.length - sizeof attribute, '\0'));
    }
    rest = rest.subspan(std::min<usize>(abi::nlmsg_align(attribute.length), rest.size()));
  }
  return {};
}

std::vector<std::byte> link_message(const Request& request, const Interface& link) {
  MessageWriter out(request.header, kRTM_NEWLINK, request.reply_flags(), request.port);
  const bool running = link.flags & abi::kIFF_RUNNING;
  const bool loopback = link.flags & abi::kIFF_LOOPBACK;
  const u32 flags = link.flags | (running ? abi::kIFF_LOWER_UP : 0);
  out.put(IfInfoMsg{0, 0, link.hardware, link.index, flags, 0});
  out.attribute(kIFLA_IFNAME, link.name);
  out.attribute(kIFLA_TXQLEN, link.queue_length);
  out.attribute(kIFLA_OPERSTATE, loopback  ? kIF_OPER_UNKNOWN
                                 : running ? kIF_OPER_UP
                                           : kIF_OPER_DOWN);
  out.attribute(kIFLA_LINKMODE, u8{0});
  out.attribute(kIFLA_MTU, link.mtu);
  if (loopback || link.hardware == abi::kARPHRD_ETHER) {
    u8 broadcast[sizeof link.hardware_address];
    std::ranges::fill(broadcast, loopback ? 0 : 0xff);
    out.attribute(kIFLA_ADDRESS, link.hardware_address);
    out.attribute(kIFLA_BROADCAST, broadcast);
  }
  return out.take();
}

std::vector<std::byte> address_message(const Request& request, const InterfaceAddress& address) {
  MessageWriter out(request.header, kRTM_NEWADDR, request.reply_flags(), request.port);
  const bool ipv4 = address.family == abi::kAF_INET;
  const usize size = ipv4 ? 4 : 16;
  out.put(IfAddrMsg{static_cast<u8>(address.family), address.prefix,
                    static_cast<u8>(kIFA_F_PERMANENT), address.scope, address.index});
  out.attribute(kIFA_ADDRESS, address.address, size);
  if (ipv4) out.attribute(kIFA_LOCAL, address.address, size);
  if (address.has_broadcast) out.attribute(kIFA_BROADCAST, address.broadcast);
  if (!address.label.empty()) out.attribute(kIFA_LABEL, address.label);
  out.attribute(kIFA_FLAGS, kIFA_F_PERMANENT);
  out.attribute(kIFA_CACHEINFO, IfaCacheInfo{~0u, ~0u, 0, 0});
  return out.take();
}

std::vector<std::byte> route_message(const Request& request, const Route& route, i32 interface) {
  MessageWriter out(request.header, kRTM_NEWROUTE, request.reply_flags(), request.port);
  const usize size = route.family == abi::kAF_INET ? 4 : 16;
  // Of IPv4 routes those without a gateway reach no farther than the link.
  const bool link = route.family == abi::kAF_INET && !route.has_gateway;
  out.put(RtMsg{static_cast<u8>(route.family), route.prefix, 0, 0, kRT_TABLE_MAIN, kRTPROT_UNSPEC,
                link ? kScopeLink : kScopeUniverse, kRTN_UNICAST, 0});
  out.attribute(kRTA_TABLE, u32{kRT_TABLE_MAIN});
  if (route.prefix != 0) out.attribute(kRTA_DST, route.destination, size);
  if (route.has_gateway) out.attribute(kRTA_GATEWAY, route.gateway, size);
  if (route.metric != 0) out.attribute(kRTA_PRIORITY, route.metric);
  out.attribute(kRTA_OIF, interface);
  return out.take();
}

std::vector<std::byte> error_message(const Request& request, i32 error) {
  MessageWriter out(request.header, abi::kNLMSG_ERROR, {}, request.port);
  out.put(-error);
  out.put(request.header);
  // With an error the whole request is sent back, else its header.
  if (error != 0) out.put_bytes(request.body.data(), request.body.size());
  return out.take();
}

/// What the request asks for; an error number if it cannot be answered.
i32 answer(const Request& request, DatagramWriter& out) {
  switch (request.header.nlmsg_type) {
    case kRTM_GETLINK: {
      const auto about = request.fixed<IfInfoMsg>();
      const std::string name = request.is_dump() ? std::string() : wanted_name(request);
      bool found = request.is_dump();
      for (const Interface& link : interfaces()) {
        const bool wanted = request.is_dump() || link.index == about.index ||
                            (about.index == 0 && link.name == name);
        if (!wanted) continue;
        out.add(link_message(request, link));
        found = true;
      }
      return found ? 0 : static_cast<i32>(Errno::kENODEV);
    }
    case kRTM_GETADDR: {
      if (!request.is_dump()) return static_cast<i32>(Errno::kEOPNOTSUPP);
      const auto about = request.fixed<IfAddrMsg>();
      for (const InterfaceAddress& address : interface_addresses(about.family)) {
        if (about.index != 0 && about.index != address.index) continue;
        out.add(address_message(request, address));
      }
      return 0;
    }
    case kRTM_GETROUTE: {
      if (!request.is_dump()) return static_cast<i32>(Errno::kEOPNOTSUPP);
      const std::vector<Interface> links = interfaces();
      for (const Route& route : routes(request.fixed<RtMsg>().family)) {
        const auto link = std::ranges::find(links, route.interface, &Interface::name);
        if (link != links.end()) out.add(route_message(request, route, link->index));
      }
      return 0;
    }
    default: {
      // Message types come in fours: new, delete, get, set.
      constexpr u16 kGet = 2;
      const bool get = (request.header.nlmsg_type - abi::kNLMSG_MIN_TYPE) % 4 == kGet;
      return static_cast<i32>(get ? Errno::kEOPNOTSUPP : Errno::kEPERM);
    }
  }
}

}  // namespace

std::vector<std::vector<std::byte>> answer_route_request(std::span<const std::byte> bytes,
                                                         u32 port) {
  Request request{.header = {}, .body = bytes.subspan(sizeof(abi::NlMsgHdr)), .port = port};
  std::memcpy(&request.header, bytes.data(), sizeof request.header);
  const abi::NlmFlags flags(request.header.nlmsg_flags);
  DatagramWriter out;
  if (!flags.has(abi::NlmFlag::kNLM_F_REQUEST)) return {};
  const bool control = request.header.nlmsg_type < abi::kNLMSG_MIN_TYPE;
  const i32 error = control ? 0 : answer(request, out);
  if (error != 0 || (flags.has(abi::NlmFlag::kNLM_F_ACK) && !request.is_dump())) {
    out.add(error_message(request, error));
  } else if (request.is_dump() && !control) {
    MessageWriter done(request.header, abi::kNLMSG_DONE, abi::NlmFlag::kNLM_F_MULTI, port);
    done.put(i32{0});
    out.add(done.take());
  }
  return out.take();
}

}  // namespace lxss::net
