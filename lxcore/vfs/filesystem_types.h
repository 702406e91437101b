// The file systems that mount(2) knows by name. Their factories live in fs/.
#pragma once

#include <span>
#include <string_view>

#include "lxcore/vfs/file.h"

namespace lxss {

struct FileSystemType {
  const char* name;
  /// `options` is the data argument of mount(2).
  Result<RefPtr<FileSystem>> (*create)(std::string_view options);
};

namespace filesystem_types {

/// For /proc/filesystems; all are of the "nodev" kind.
std::span<const FileSystemType> all();
/// Null if there is none of that name.
const FileSystemType* find(std::string_view name);

// One per row of the table, defined by its file system.
Result<RefPtr<FileSystem>> create_tmpfs(std::string_view options);
Result<RefPtr<FileSystem>> create_devtmpfs(std::string_view options);
Result<RefPtr<FileSystem>> create_devpts(std::string_view options);
Result<RefPtr<FileSystem>> create_proc(std::string_view options);
Result<RefPtr<FileSystem>> create_sysfs(std::string_view options);

}  // namespace filesystem_types
}  // namespace lxss
