#include "lxss/distro/removal.h"

#include <filesystem>

#include "lxss/common/failure.h"

namespace lxss::distro {

std::string scratch_directory(const Distribution& distribution) {
  return distribution.directory + "/fetch";
}

void remove_files(const Distribution& distribution) {
  std::error_code error;
  for (const std::string& path :
       {distribution.rootfs(), scratch_directory(distribution), distribution.log()}) {
    std::filesystem::remove_all(path, error);
    if (error) throw common::Failure("'{}' cannot be removed: {}.", path, error.message());
  }
  // A directory in which the person put something else stays.
  if (distribution.made_directory) std::filesystem::remove(distribution.directory, error);
}

}  // namespace lxss::distro
