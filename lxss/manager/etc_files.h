// The files in /etc that the manager generates when an instance starts.
#pragma once

#include <string>

#include "lxss/distro/volfs_writer.h"
#include "lxss/distro/wsl_conf.h"

namespace lxss::manager {

/// The name an instance has: wsl.conf's, else the host's.
std::string instance_hostname(const distro::WslConf& conf);

/// Writes /etc/hostname and, unless wsl.conf says no, /etc/hosts and
/// /etc/resolv.conf (the host's). Files that are right already stay untouched.
/// Throws Failure.
void generate_etc_files(distro::VolfsWriter& writer, const distro::WslConf& conf,
                        const std::string& hostname);

}  // namespace lxss::manager
