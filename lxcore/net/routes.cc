#include "lxcore/net/routes.h"

#include <bit>
#include <cstring>

#include "abi/linux/socket.h"
#include "base/text.h"
#include "host/clock.h"

namespace lxss::net {

namespace {

// The flags of both tables (man 8 route).
constexpr u32 kUp = 0x1, kGateway = 0x2, kReject = 0x200, kLocal = 0x80000000;

u32 hex(const std::string& text) { return parse_number<u32>(text, 16).value_or(0); }

/// Iface Destination Gateway Flags RefCnt Use Metric Mask ...: addresses as numbers of this
/// machine.
void add_ipv4(std::vector<Route>& to) {
  for (const auto& fields : host_table("net/route")) {
    if (fields.size() < 8 || fields[0] == "Iface") continue;
    const u32 flags = hex(fields[3]);
    if (!(flags & kUp) || (flags & kReject)) continue;
    Route result;
    result.family = abi::kAF_INET;
    result.interface = fields[0];
    const u32 destination = hex(fields[1]), gateway = hex(fields[2]);
    std::memcpy(result.destination, &destination, sizeof destination);
    std::memcpy(result.gateway, &gateway, sizeof gateway);
    result.has_gateway = flags & kGateway;
    result.metric = parse_number<u32>(fields[6]).value_or(0);
    result.prefix = static_cast<u8>(std::popcount(hex(fields[7])));
    to.push_back(std::move(result));
  }
}

/// Destination, prefix, source, prefix, next hop, metric, references, use, flags, interface.
void add_ipv6(std::vector<Route>& to) {
  constexpr u8 kMulticast = 0xff;
  for (const auto& fields : host_table("net/ipv6_route")) {
    if (fields.size() < 10) continue;
    const u32 flags = hex(fields[8]);
    Route result;
    result.family = abi::kAF_INET6;
    if (!(flags & kUp) || (flags & (kReject | kLocal)) ||
        !parse_ipv6(fields[0], result.destination) || result.destination[0] == kMulticast) {
      continue;
    }
    result.prefix = static_cast<u8>(hex(fields[1]));
    result.has_gateway = (flags & kGateway) && parse_ipv6(fields[4], result.gateway);
    result.metric = hex(fields[5]);
    result.interface = fields[9];
    to.push_back(std::move(result));
  }
}

}  // namespace

std::vector<std::vector<std::string>> host_table(const char* name) {
  constexpr usize kMaxText = 256 * 1024;
  std::string text;
  while (text.size() < kMaxText) {
    constexpr usize kStep = 4096;
    const usize size = text.size();
    text.resize(size + kStep);
    const usize got = host::machine_text(name, size, {text.data() + size, kStep}).value_or(0);
    text.resize(size + got);
    if (got == 0) break;
  }
  std::vector<std::vector<std::string>> lines;
  std::vector<std::string> words;
  std::string word;
  for (char character : text) {
    if (character != ' ' && character != '\t' && character != '\n') {
      word.push_back(character);
      continue;
    }
    if (!word.empty()) words.push_back(std::exchange(word, {}));
    if (character == '\n') lines.push_back(std::exchange(words, {}));
  }
  return lines;
}

bool parse_ipv6(std::string_view text, std::span<u8, 16> address) {
  if (text.size() != 2 * address.size()) return false;
  for (usize i = 0; i < address.size(); ++i) {
    const auto byte = parse_number<u32>(text.substr(2 * i, 2), 16);
    if (!byte) return false;
    address[i] = static_cast<u8>(*byte);
  }
  return true;
}

std::vector<Route> routes(i32 family) {
  std::vector<Route> result;
  if (family == 0 || family == abi::kAF_INET) add_ipv4(result);
  if (family == 0 || family == abi::kAF_INET6) add_ipv6(result);
  return result;
}

}  // namespace lxss::net
