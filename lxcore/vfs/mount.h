// The mount tree: changing it, and stepping into and out of mounts.
#pragma once

#include "lxcore/vfs/vfs.h"

namespace lxss::vfs {

/// The mount that covers `dentry` in `parent`, or null. Ask only if dentry.mount_count is not 0.
Mount* mount_at(const Mount& parent, const Dentry& dentry);

/// As mount(), but of a subtree that is mounted elsewhere (MS_BIND).
Result<RefPtr<Mount>> bind(const Path& from, const Path& at, abi::MountFlags flags);
/// Moves a mount, given by its root (MS_MOVE). EINVAL, ELOOP.
Result<> move_mount(Mount& mount, const Path& to);
/// EBUSY while it is in use by others than the caller, who holds one reference; unless `detach`,
/// which leaves it to its users.
Result<> unmount(Mount& mount, bool detach);

}  // namespace lxss::vfs
