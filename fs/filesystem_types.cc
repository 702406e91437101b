// The rows of lxcore/vfs/filesystem_types.h that have a factory of another shape.
#include "lxcore/vfs/filesystem_types.h"

#include "fs/devfs/devfs.h"
#include "fs/procfs/procfs.h"
#include "fs/sysfs/sysfs.h"

namespace lxss::filesystem_types {

// Options that Linux knows (mode=, hidepid=, ...) are accepted and change nothing.
Result<RefPtr<FileSystem>> create_proc(std::string_view) { return procfs::make(); }
Result<RefPtr<FileSystem>> create_sysfs(std::string_view) { return sysfs::make(); }
Result<RefPtr<FileSystem>> create_devtmpfs(std::string_view) { return devfs::make(); }

}  // namespace lxss::filesystem_types
