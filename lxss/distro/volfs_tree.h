// A VolFs tree seen from the host while no instance runs: path resolution as in
// a chroot, and reading.
//
// Promise: nothing outside the tree is ever touched, whatever the tree holds.
// Host symbolic links in it are never followed (openat2 refuses them); Linux's
// symbolic links, which are regular host files here, are resolved inside.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fs/volfs/format.h"
#include "lxss/common/files.h"

namespace lxss::distro {

/// Linux's file types in a mode (man 7 inode); the host's need not be the same.
inline constexpr std::uint32_t kTypeMask = 0170000;
inline constexpr std::uint32_t kFifo = 0010000;
inline constexpr std::uint32_t kCharacterDevice = 0020000;
inline constexpr std::uint32_t kDirectory = 0040000;
inline constexpr std::uint32_t kBlockDevice = 0060000;
inline constexpr std::uint32_t kRegular = 0100000;
inline constexpr std::uint32_t kSymlink = 0120000;
inline constexpr std::uint32_t kSocket = 0140000;

/// The record of an open host file, or nothing when it is none of VolFs.
std::optional<volfs::InodeRecord> read_record(int fd);

class VolfsTree {
 public:
  explicit VolfsTree(common::UniqueFd root) : root_(std::move(root)) {}
  /// Opens the tree in the host directory `path`; throws Failure.
  static VolfsTree open(const std::string& path);

  int root() const { return root_.get(); }

  /// `path` (absolute or relative to the tree's root) with every Linux symbolic
  /// link in it resolved and `.` and `..` removed: relative to the host
  /// directory of the tree, "" for its root. A last component that does not
  /// exist is kept; a missing component before it, or a loop, gives nothing.
  std::optional<std::string> resolve(std::string_view path, bool follow_last) const;

  /// Opens a resolved path with no symbolic link followed; -1 (errno) on failure.
  common::UniqueFd open_resolved(const std::string& resolved, int flags, mode_t mode = 0) const;

  /// The content of the regular Linux file at `path`, or nothing.
  std::optional<std::string> read_file(std::string_view path, std::size_t limit = 1 << 20) const;

 private:
  common::UniqueFd root_;
};

}  // namespace lxss::distro
