// VolFs: a full Linux file system in a host directory (see README.md, format.h).
#pragma once

#include "fs/host_tree/host_tree.h"

namespace lxss::volfs {

/// Serves the tree in `root_directory`, which stays open and the caller's. EINVAL if it holds
/// no VolFs tree, EOPNOTSUPP if the host keeps no attributes there.
Result<RefPtr<FileSystem>> mount(host::Fd root_directory,
                                 usize max_open_descriptors = HostTree::kMaxOpenDescriptors);

}  // namespace lxss::volfs
