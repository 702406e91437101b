// The file systems that only the start of an instance mounts. Defined in fs/.
#pragma once

#include "lxcore/control/protocol.h"
#include "lxcore/vfs/file.h"

namespace lxss::boot_mounts {

/// The distribution's tree in the host directory `root`, which stays open and the caller's. EINVAL
/// if there is none, EOPNOTSUPP if the host keeps no attributes there.
Result<RefPtr<FileSystem>> distribution(host::Fd root);
/// The host directory `root`, which stays open and the caller's, as a drive.
Result<RefPtr<FileSystem>> drive(host::Fd root, const control::Boot::Drive& options);

}  // namespace lxss::boot_mounts
