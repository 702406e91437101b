// Who may use a VolFs tree: at most one instance or job at a time.
#pragma once

#include <string>

#include "lxss/common/files.h"

namespace lxss::manager {

/// The host directory `rootfs` opened and locked (flock) as long as any copy of
/// the descriptor lives. An instance holds it as its root, so a crash of the
/// manager does not open the tree to a second kernel. Nothing while someone else
/// holds it; throws Failure when the directory cannot be opened.
common::UniqueFd try_lock_tree(const std::string& rootfs);

}  // namespace lxss::manager
