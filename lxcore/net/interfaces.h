// The host's network interfaces, as far as it lets them be seen. Configuring them is the
// host's business alone.
#pragma once

#include <string>
#include <vector>

#include "abi/linux/socket.h"
#include "lxcore/mm/user_memory.h"

namespace lxss::net {

/// man 7 netdevice, on a socket of any family: queries are answered, changes EPERM; ENOTTY for
/// any other request.
Result<u64> interface_ioctl(u32 request, UserAddr argument);

struct Interface {
  i32 index = 0;
  std::string name;
  u32 flags = 0;     ///< IFF_*
  u16 hardware = 0;  ///< ARPHRD_*
  u8 hardware_address[6] = {};
  u32 mtu = 0;
  u32 queue_length = 0;
};
/// In the order of their indexes.
std::vector<Interface> interfaces();

struct InterfaceAddress {
  i32 index = 0;
  i32 family = 0;
  u8 prefix = 0;        ///< in bits
  u8 scope = 0;         ///< RT_SCOPE_*
  u8 address[16] = {};  ///< the first 4 or all 16 bytes
  bool has_broadcast = false;
  u8 broadcast[4] = {};
  std::string label;
};
/// `family` 0: of every family.
std::vector<InterfaceAddress> interface_addresses(i32 family);

}  // namespace lxss::net
