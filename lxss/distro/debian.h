// Fetches Debian from its mirrors as a root file system archive.
#pragma once

#include <functional>
#include <string>

namespace lxss::distro {

/// One line for the person who waits.
using Report = std::function<void(const std::string&)>;

/// The path of a tar archive of a small Debian (essential packages, apt, ps)
/// whose apt uses the host's mirrors. It is kept in `cache` and used again for
/// a week. mmdebstrap makes it, in the mode that needs neither root nor user
/// namespaces. What is unfinished lies in the directory `scratch`, which is made
/// here and removed by the caller, after a crash too. Throws Failure.
std::string fetch_debian(const std::string& cache, const std::string& scratch,
                         const Report& report);

}  // namespace lxss::distro
