// DriveFs: a part of the host's own files as a Windows-like drive (see README.md).
#pragma once

#include "lxcore/control/protocol.h"
#include "lxcore/vfs/inode.h"

namespace lxss::drivefs {

/// Shows the host directory `root`, which stays open and the caller's.
Result<RefPtr<FileSystem>> mount(host::Fd root, const control::Boot::Drive& options);

}  // namespace lxss::drivefs
