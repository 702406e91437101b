// The rows of lxcore/vfs/filesystem_types.h that have a factory of another shape, and what an
// instance starts on.
#include "lxcore/vfs/filesystem_types.h"

#include "fs/devfs/devfs.h"
#include "fs/drivefs/drivefs.h"
#include "fs/procfs/procfs.h"
#include "fs/sysfs/sysfs.h"
#include "fs/volfs/volfs.h"
#include "lxcore/control/boot_mounts.h"

namespace lxss::filesystem_types {

// Options that Linux knows (mode=, hidepid=, ...) are accepted and change nothing.
Result<RefPtr<FileSystem>> create_proc(std::string_view) { return procfs::make(); }
Result<RefPtr<FileSystem>> create_sysfs(std::string_view) { return sysfs::make(); }
Result<RefPtr<FileSystem>> create_devtmpfs(std::string_view) { return devfs::make(); }

}  // namespace lxss::filesystem_types

namespace lxss::boot_mounts {

Result<RefPtr<FileSystem>> distribution(host::Fd root) { return volfs::mount(root); }
Result<RefPtr<FileSystem>> drive(host::Fd root, const control::Boot::Drive& options) {
  return drivefs::mount(root, options);
}

}  // namespace lxss::boot_mounts
