// AF_UNIX names: where a socket can be found (man 7 unix). Pathnames lead to it through their
// inode, abstract names through a table of the instance.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/list.h"
#include "base/thread_annotations.h"
#include "lxcore/net/address.h"
#include "lxcore/sync/lock.h"
#include "lxcore/vfs/file.h"

namespace lxss::net {

class UnixEndpoint;
struct EndpointTag;
struct FlightTag;

/// A bound socket's name, immutable; shared by the sockets accepted from it.
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

  /// Taken under an endpoint's lock, or alone. It guards what sockets are known by, and the
  /// files in flight with all that the collector looks at.
  Lock lock{LockRank::kNames};

  using AbstractKey = std::pair<i32, std::string>;
  /// Abstract names by socket type: those of different types do not meet. An endpoint is here
  /// until it is closed, and so at least that long.
  std::map<AbstractKey, UnixEndpoint*> abstract LXSS_GUARDED_BY(lock);
  /// Those not closed.
  List<UnixEndpoint, EndpointTag> endpoints LXSS_GUARDED_BY(lock);
  usize endpoint_count LXSS_GUARDED_BY(lock) = 0;
  u32 next_automatic LXSS_GUARDED_BY(lock) = 0;  ///< autobind tries from here

  std::set<u32> netlink_ports LXSS_GUARDED_BY(lock);  ///< in use (netlink.cc)

  // Files in flight (unix_rights.cc).
  usize in_flight LXSS_GUARDED_BY(lock) = 0;
  std::map<u32, usize> in_flight_by_user LXSS_GUARDED_BY(lock);
  List<UnixEndpoint, FlightTag> flying LXSS_GUARDED_BY(lock);  ///< sockets in flight
  std::atomic<usize> flights{0};  ///< how often sockets are in flight; changes under `lock`
  usize collect_at LXSS_GUARDED_BY(lock) = 0;  ///< flights from which looking is worth it
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
Result<> bind_automatically(Task& task, UnixEndpoint& endpoint);
/// Takes the name away from a socket that goes.
void forget_name(UnixEndpoint& endpoint);

}  // namespace lxss::net
