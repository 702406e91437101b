// What a distribution's /etc/wsl.conf says to the manager.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lxss::distro {

struct WslConf {
  std::optional<std::string> default_user;  ///< [user] default
  bool generate_hosts = true;               ///< [network] generateHosts
  bool generate_resolv_conf = true;         ///< [network] generateResolvConf
  std::optional<std::string> hostname;      ///< [network] hostname
  bool use_host_time_zone = true;           ///< [time] useWindowsTimezone
  std::vector<std::string> errors;          ///< what was not understood; the rest is used

  static WslConf parse(std::string_view text);
};

/// Whether `name` may be a host name: at most 64 letters, digits, '-' and '.'.
bool is_hostname(std::string_view name);

}  // namespace lxss::distro
