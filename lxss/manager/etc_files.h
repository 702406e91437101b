// The files in /etc that the manager generates when an instance starts.
#pragma once

#include <string>

#include "lxss/distro/volfs_writer.h"
#include "lxss/distro/wsl_conf.h"

namespace lxss::manager {

/// The name an instance has: wsl.conf's, else the host's.
std::string instance_hostname(const distro::WslConf& conf);

/// Writes /etc/hostname and, unless wsl.conf says no, /etc/hosts,
/// /etc/resolv.conf and the time zone (the host's). Files that are right already stay untouched.
/// Throws Failure.
void generate_etc_files(distro::VolfsWriter& writer, const distro::WslConf& conf,
                        const std::string& hostname);

/// Points /etc/localtime at the zone ("Europe/Berlin"), and corrects /etc/timezone where there is
/// one. A zone that the distribution does not know changes nothing. Throws Failure.
void set_time_zone(distro::VolfsWriter& writer, const std::string& zone);

}  // namespace lxss::manager
