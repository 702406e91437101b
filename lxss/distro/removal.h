// Removes what a distribution has on the disk.
#pragma once

#include "lxss/distro/registry.h"

namespace lxss::distro {

/// Directory inside a distribution's own for what an install fetches.
std::string scratch_directory(const Distribution& distribution);

/// Removes the tree, the log and the scratch directory, and the distribution's
/// directory when the install made it. What is missing is fine; what cannot be
/// removed throws Failure. Nothing outside is touched.
void remove_files(const Distribution& distribution);

}  // namespace lxss::distro
