// AF_UNIX names: where a socket can be found (man 7 unix). Pathnames lead to it through their
// inode, abstract names through a table of the instance.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/list.h"
#include "lxcore/net/address.h"
#include "lxcore/vfs/file.h"

namespace lxss::net {

class UnixEndpoint;
struct EndpointTag;

/// A bound socket's name; shared by the sockets accepted from it.
class UnixName final : public RefCounted {
 public:
  UnixName(const Address& address, std::string abstract)
      : address_(address), abstract_(std::move(abstract)) {}
  const Address& address() const { return address_; }
  /// The name in the table, or empty for a pathname.
  const std::string& abstract() const { return abstract_; }
  /// As /proc/net/unix shows it: "/run/x", "@name".
  std::string text() const;

 private:
  Address address_;
  std::string abstract_;
};

/// All state of local sockets that belongs to no single socket.
class UnixNamespace final : public RefCounted {
 public:
  static constexpr usize kMaxInFlight = 65536;  ///< files in messages, of all users

  /// Abstract names by socket type: those of different types do not meet.
  std::map<std::pair<i32, std::string>, UnixEndpoint*> abstract;
  List<UnixEndpoint, EndpointTag> endpoints;  ///< those not closed
  usize endpoint_count = 0;
  u32 next_automatic = 0;  ///< autobind tries from here

  std::set<u32> netlink_ports;  ///< in use (netlink.cc)

  // Files in flight (unix_rights.cc).
  usize in_flight = 0;
  usize in_flight_sockets = 0;
  std::map<u32, usize> in_flight_by_user;
  std::vector<RefPtr<File>> to_release;
  bool releasing = false;
  bool collecting = false;
  usize collect_at = 0;  ///< sockets in flight from which looking for garbage is worth it
};
UnixNamespace& unix_namespace();

/// A validated AF_UNIX address. EINVAL.
struct ParsedUnixAddress {
  bool automatic = false;  ///< bind: the kernel chooses
  bool abstract = false;
  std::string name;  ///< path, or abstract name without its leading NUL
};
Result<ParsedUnixAddress> parse_unix_address(const Address& address);

/// The live socket that an address leads to. ECONNREFUSED, EPROTOTYPE, EACCES, errors of the
/// walk.
Result<RefPtr<UnixEndpoint>> find_endpoint(Task& task, const Address& address, i32 type);

/// Names an endpoint (man 2 bind): EINVAL if it has a name, EADDRINUSE.
Result<> bind_endpoint(Task& task, UnixEndpoint& endpoint, const Address& address);
/// Gives an endpoint without a name one of the kernel's choice.
Result<> bind_automatically(UnixEndpoint& endpoint);
/// Takes the name away from a socket that goes.
void forget_name(UnixEndpoint& endpoint);

}  // namespace lxss::net
