// The host's routes, from its own tables.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace lxss::net {

struct Route {
  i32 family = 0;
  u8 prefix = 0;            ///< of the destination, in bits
  u8 destination[16] = {};  ///< the first 4 or all 16 bytes
  bool has_gateway = false;
  u8 gateway[16] = {};
  u32 metric = 0;
  std::string interface;
};
/// The unicast routes of the main table. `family` 0: of every family.
std::vector<Route> routes(i32 family);

/// One of the host's tables (host::machine_text): its lines' words. Empty if there is none.
std::vector<std::vector<std::string>> host_table(const char* name);
/// 32 hexadecimal digits.
bool parse_ipv6(std::string_view text, std::span<u8, 16> address);

}  // namespace lxss::net
