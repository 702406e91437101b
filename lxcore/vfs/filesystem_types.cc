#include "lxcore/vfs/filesystem_types.h"

#include <algorithm>

namespace lxss::filesystem_types {

namespace {
constexpr FileSystemType kTypes[] = {
    {"sysfs", create_sysfs},       {"tmpfs", create_tmpfs},   {"proc", create_proc},
    {"devtmpfs", create_devtmpfs}, {"devpts", create_devpts}, {"ramfs", create_tmpfs},
};
}  // namespace

std::span<const FileSystemType> all() { return kTypes; }

const FileSystemType* find(std::string_view name) {
  auto at = std::ranges::find_if(kTypes, [&](const FileSystemType& t) { return t.name == name; });
  return at == std::end(kTypes) ? nullptr : at;
}

}  // namespace lxss::filesystem_types
