#include "lxcore/net/interfaces.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "abi/linux/ioctl.h"
#include "base/text.h"
#include "host/socket.h"
#include "lxcore/net/routes.h"

namespace lxss::net {

namespace {

constexpr usize kMaxListed = 256;  ///< addresses of one SIOCGIFCONF
constexpr i32 kMaxIndex = 1024;
constexpr i32 kMaxIndexGap = 64;  ///< indexes without an interface before we stop looking
constexpr u8 kScopeUniverse = 0, kScopeLink = 253, kScopeHost = 254;

Result<host::UniqueFd> control_socket() {
  return host::create_socket(abi::kAF_INET, abi::kSOCK_DGRAM, 0);
}

Result<> query(host::Fd socket, u32 request, abi::Ifreq& about) {
  return host::socket_control(socket, request, std::as_writable_bytes(std::span(&about, 1)));
}

abi::Ifreq named(std::string_view name) {
  abi::Ifreq result{};
  std::memcpy(result.ifr_name, name.data(), std::min(name.size(), abi::kIFNAMSIZ - 1));
  return result;
}

std::string name_of(const abi::Ifreq& request) {
  const char* end = std::find(request.ifr_name, request.ifr_name + abi::kIFNAMSIZ, '\0');
  return std::string(request.ifr_name, end);
}

u32 ipv4_of(const abi::Ifreq& request) {
  abi::SockaddrIn address;
  std::memcpy(&address, &request.addr, sizeof address);
  return address.sin_addr.addr;
}

/// The host's list of IPv4 addresses and their interfaces.
std::vector<abi::Ifreq> listed(host::Fd socket) {
  std::vector<abi::Ifreq> result(kMaxListed);
  abi::Ifconf list{static_cast<i32>(result.size() * sizeof(abi::Ifreq)), 0,
                   reinterpret_cast<u64>(result.data())};
  auto done =
      host::socket_control(socket, abi::kSIOCGIFCONF, std::as_writable_bytes(std::span(&list, 1)));
  result.resize(done.ok() ? static_cast<usize>(list.ifc_len) / sizeof(abi::Ifreq) : 0);
  return result;
}

/// SIOCGIFCONF for a guest: as much of the list as it has room for.
Result<u64> list_for_guest(UserAddr argument) {
  auto conf = TRY(UserInOut<abi::Ifconf>{argument}.read());
  if (conf.ifc_len < 0) return Errno::kEINVAL;
  const auto socket = TRY(control_socket());
  const std::vector<abi::Ifreq> list = listed(socket.get());
  usize count = list.size();
  if (conf.ifc_buf != 0) {
    count = std::min(count, static_cast<usize>(conf.ifc_len) / sizeof(abi::Ifreq));
    if (count != 0) {
      TRY(copy_out(UserAddr{conf.ifc_buf}, list.data(), count * sizeof(abi::Ifreq)));
    }
  }
  conf.ifc_len = static_cast<i32>(count * sizeof(abi::Ifreq));
  TRY(UserOut<abi::Ifconf>{argument}.write(conf));
  return u64{0};
}

bool is_query(u32 request) {
  switch (request) {
    case abi::kSIOCGIFNAME:
    case abi::kSIOCGIFFLAGS:
    case abi::kSIOCGIFADDR:
    case abi::kSIOCGIFDSTADDR:
    case abi::kSIOCGIFBRDADDR:
    case abi::kSIOCGIFNETMASK:
    case abi::kSIOCGIFMETRIC:
    case abi::kSIOCGIFMTU:
    case abi::kSIOCGIFHWADDR:
    case abi::kSIOCGIFINDEX:
    case abi::kSIOCGIFTXQLEN:
      return true;
    default:
      return false;
  }
}

bool is_change(u32 request) {
  switch (request) {
    case abi::kSIOCSIFFLAGS:
    case abi::kSIOCSIFADDR:
    case abi::kSIOCSIFDSTADDR:
    case abi::kSIOCSIFBRDADDR:
    case abi::kSIOCSIFNETMASK:
    case abi::kSIOCSIFMETRIC:
    case abi::kSIOCSIFMTU:
    case abi::kSIOCSIFNAME:
    case abi::kSIOCSIFHWADDR:
    case abi::kSIOCSIFTXQLEN:
    case abi::kSIOCADDRT:
    case abi::kSIOCDELRT:
      return true;
    default:
      return false;
  }
}

Interface describe(host::Fd socket, i32 index, const std::string& name) {
  Interface result;
  result.index = index;
  result.name = name;
  abi::Ifreq request = named(name);
  if (query(socket, abi::kSIOCGIFFLAGS, request).ok()) {
    result.flags = static_cast<u16>(request.flags);
  }
  if (query(socket, abi::kSIOCGIFMTU, request = named(name)).ok()) {
    result.mtu = static_cast<u32>(request.ivalue);
  }
  if (query(socket, abi::kSIOCGIFTXQLEN, request = named(name)).ok()) {
    result.queue_length = static_cast<u32>(request.ivalue);
  }
  if (query(socket, abi::kSIOCGIFHWADDR, request = named(name)).ok()) {
    result.hardware = request.addr.sa_family;
    std::memcpy(result.hardware_address, request.addr.sa_data, sizeof result.hardware_address);
  }
  return result;
}

i32 index_of(host::Fd socket, std::string_view name) {
  // An alias ("eth0:1") is an address of the interface before the colon.
  abi::Ifreq request = named(name.substr(0, name.find(':')));
  return query(socket, abi::kSIOCGIFINDEX, request).ok() ? request.ivalue : 0;
}

void add_ipv4(host::Fd socket, std::vector<InterfaceAddress>& to) {
  for (const abi::Ifreq& entry : listed(socket)) {
    InterfaceAddress result;
    result.family = abi::kAF_INET;
    result.label = name_of(entry);
    result.index = index_of(socket, result.label);
    const u32 address = ipv4_of(entry);
    std::memcpy(result.address, &address, sizeof address);
    const bool loopback = result.address[0] == 127;
    const bool link_local = result.address[0] == 169 && result.address[1] == 254;
    result.scope = loopback ? kScopeHost : link_local ? kScopeLink : kScopeUniverse;
    // With its address given, the host tells of this one among several.
    abi::Ifreq request = entry;
    if (query(socket, abi::kSIOCGIFNETMASK, request).ok()) {
      result.prefix = static_cast<u8>(std::popcount(ipv4_of(request)));
    }
    request = entry;
    if (!loopback && query(socket, abi::kSIOCGIFBRDADDR, request).ok() && ipv4_of(request)) {
      const u32 broadcast = ipv4_of(request);
      std::memcpy(result.broadcast, &broadcast, sizeof broadcast);
      result.has_broadcast = true;
    }
    to.push_back(std::move(result));
  }
}

/// The host's list of IPv6 addresses: address, index, prefix, scope, flags, name; all but the
/// name in hexadecimal.
void add_ipv6(std::vector<InterfaceAddress>& to) {
  constexpr u32 kLinkScope = 0x20, kHostScope = 0x10;  // as the list has them
  for (const auto& fields : host_table("net/if_inet6")) {
    if (fields.size() < 6) continue;
    InterfaceAddress result;
    result.family = abi::kAF_INET6;
    if (!parse_ipv6(fields[0], result.address)) continue;
    result.index = static_cast<i32>(parse_number<u32>(fields[1], 16).value_or(0));
    result.prefix = static_cast<u8>(parse_number<u32>(fields[2], 16).value_or(128));
    const u32 scope = parse_number<u32>(fields[3], 16).value_or(0);
    result.scope = scope == kLinkScope   ? kScopeLink
                   : scope == kHostScope ? kScopeHost
                                         : kScopeUniverse;
    to.push_back(std::move(result));
  }
}

}  // namespace

Result<u64> interface_ioctl(u32 request, UserAddr argument) {
  if (request == abi::kSIOCGIFCONF) return list_for_guest(argument);
  if (is_change(request)) {
    // Linux: EFAULT comes first.
    TRY(UserIn<abi::Ifreq>{argument}.read());
    return Errno::kEPERM;
  }
  if (!is_query(request)) return Errno::kENOTTY;
  auto about = TRY(UserIn<abi::Ifreq>{argument}.read());
  about.ifr_name[abi::kIFNAMSIZ - 1] = '\0';
  const auto socket = TRY(control_socket());
  TRY(query(socket.get(), request, about));
  TRY(UserOut<abi::Ifreq>{argument}.write(about));
  return u64{0};
}

std::vector<Interface> interfaces() {
  std::vector<Interface> result;
  auto socket = control_socket();
  if (!socket.ok()) return result;
  i32 gap = 0;
  for (i32 index = 1; index <= kMaxIndex && gap < kMaxIndexGap; ++index, ++gap) {
    abi::Ifreq request{};
    request.ivalue = index;
    if (!query(socket->get(), abi::kSIOCGIFNAME, request).ok()) continue;
    gap = 0;
    result.push_back(describe(socket->get(), index, name_of(request)));
  }
  return result;
}

std::vector<InterfaceAddress> interface_addresses(i32 family) {
  std::vector<InterfaceAddress> result;
  auto socket = control_socket();
  if (!socket.ok()) return result;
  add_ipv4(socket->get(), result);
  if (family != abi::kAF_INET) add_ipv6(result);
  std::erase_if(result, [family](const InterfaceAddress& address) {
    return address.index == 0 || (family != 0 && address.family != family);
  });
  return result;
}

}  // namespace lxss::net
