// Unpacks a root file system from a tar archive into a new VolFs tree.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace lxss::distro {

/// Called now and then with the number of files unpacked so far.
using Progress = std::function<void(std::uint64_t files)>;

/// Reads the archive (tar, plain or compressed by gzip, bzip2, xz or zstd) from
/// the descriptor `archive`, which may be a pipe, into the host directory
/// `root`, which must not exist yet.
///
/// Leading '/' are dropped; a name with a '..' component ends the import; links
/// are resolved inside the tree as tar does under chroot. Owners are taken by
/// number. Throws Failure, and then `root` is gone again.
void import_archive(int archive, const std::string& root, const Progress& progress = {});

}  // namespace lxss::distro
