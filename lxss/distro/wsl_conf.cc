#include "lxss/distro/wsl_conf.h"

#include <algorithm>

#include "lxss/common/failure.h"
#include "lxss/common/ini.h"

namespace lxss::distro {

bool is_hostname(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '.';
         });
}

WslConf WslConf::parse(std::string_view text) {
  const common::Ini ini = common::Ini::parse(text);
  WslConf conf;
  conf.errors = ini.errors();
  if (const auto user = ini.get("user", "default"); user && !user->empty()) {
    conf.default_user = user;
  }
  conf.generate_hosts = ini.get_bool("network", "generateHosts", true);
  conf.generate_resolv_conf = ini.get_bool("network", "generateResolvConf", true);
  conf.use_host_time_zone = ini.get_bool("time", "useWindowsTimezone", true);
  conf.hostname = ini.get("network", "hostname");
  if (conf.hostname && !is_hostname(*conf.hostname)) {
    conf.errors.push_back(fmt::format("'{}' is no host name.", *conf.hostname));
    conf.hostname.reset();
  }
  return conf;
}

}  // namespace lxss::distro
