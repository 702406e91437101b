// VolFs on the host's disk: what one Linux inode looks like as a host file.
//
// Promise: this header is the only description of the format. It is shared by
// lxcore (which serves the tree) and by the installer (which writes it), so it
// touches neither the host nor the kernel.
//
// A VolFs tree is a host directory. Every Linux file is one host file of the
// same name; hard links are host hard links. Linux directories are host
// directories (mode 0700); every other type - symbolic links, devices, FIFOs
// and sockets included - is a regular host file (mode 0600). The target of a
// symbolic link is the content of its host file. Times are the host file's.
//
// Each entry carries the extended attribute kInodeAttribute with the encoded
// InodeRecord. An entry without a valid record does not exist for Linux: that
// makes creation atomic, because the record is written last.
//
// A Linux extended attribute NAME is kept as the host attribute
// kGuestAttributePrefix + NAME.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace lxss::volfs {

inline constexpr char kInodeAttribute[] = "user.lxss.inode";
inline constexpr char kGuestAttributePrefix[] = "user.lxss.x.";
inline constexpr std::uint8_t kFormatVersion = 1;
inline constexpr std::uint32_t kHostFileMode = 0600;
inline constexpr std::uint32_t kHostDirectoryMode = 0700;

/// What Linux knows of an inode and the host does not.
struct InodeRecord {
  std::uint32_t mode = 0;  ///< file type and permissions, man 7 inode
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t rdev_major = 0;  ///< device nodes only, else 0
  std::uint32_t rdev_minor = 0;

  friend bool operator==(const InodeRecord&, const InodeRecord&) = default;
};

inline constexpr std::size_t kEncodedSize = 24;
using EncodedRecord = std::array<std::byte, kEncodedSize>;

/// The record as stored: "LXI", the version, then five little-endian words.
constexpr EncodedRecord encode(const InodeRecord& record) {
  EncodedRecord out{std::byte{'L'}, std::byte{'X'}, std::byte{'I'}, std::byte{kFormatVersion}};
  const std::uint32_t words[] = {record.mode, record.uid, record.gid, record.rdev_major,
                                 record.rdev_minor};
  std::size_t at = 4;
  for (std::uint32_t word : words) {
    for (int shift = 0; shift < 32; shift += 8) out[at++] = std::byte(word >> shift);
  }
  return out;
}

/// Nothing when `bytes` is not a record of this version.
constexpr std::optional<InodeRecord> decode(std::span<const std::byte> bytes) {
  if (bytes.size() != kEncodedSize || bytes[0] != std::byte{'L'} || bytes[1] != std::byte{'X'} ||
      bytes[2] != std::byte{'I'} || bytes[3] != std::byte{kFormatVersion}) {
    return std::nullopt;
  }
  auto word = [&](std::size_t index) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      value |= std::uint32_t(bytes[4 + index * 4 + i]) << (8 * i);
    }
    return value;
  };
  return InodeRecord{word(0), word(1), word(2), word(3), word(4)};
}

}  // namespace lxss::volfs
