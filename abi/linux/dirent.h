// Directory entries.
// Man pages: getdents(2), readdir(3).
#pragma once

#include <cstddef>

#include "base/types.h"

namespace lxss::abi {

// The part before the name. The name starts at kDirent64NameOffset, inside the last member's
// padding, and ends with a NUL; d_reclen is a multiple of 8.
struct Dirent64 {
  u64 d_ino;
  i64 d_off;
  u16 d_reclen;
  u8 d_type;
  u8 d_name_start[5];
};
inline constexpr usize kDirent64NameOffset = 19;
static_assert(sizeof(Dirent64) == 24);
static_assert(offsetof(Dirent64, d_name_start) == kDirent64NameOffset);

constexpr usize dirent64_reclen(usize name_length) {
  return (kDirent64NameOffset + name_length + 1 + 7) & ~usize{7};
}

// getdents(2): the type stands in the record's last byte.
struct Dirent {
  u64 d_ino;
  u64 d_off;
  u16 d_reclen;
  u8 d_name_start[6];
};
inline constexpr usize kDirentNameOffset = 18;
static_assert(sizeof(Dirent) == 24);
static_assert(offsetof(Dirent, d_name_start) == kDirentNameOffset);

constexpr usize dirent_reclen(usize name_length) {
  return (kDirentNameOffset + name_length + 2 + 7) & ~usize{7};
}

inline constexpr u8 kDT_UNKNOWN = 0;
inline constexpr u8 kDT_FIFO = 1;
inline constexpr u8 kDT_CHR = 2;
inline constexpr u8 kDT_DIR = 4;
inline constexpr u8 kDT_BLK = 6;
inline constexpr u8 kDT_REG = 8;
inline constexpr u8 kDT_LNK = 10;
inline constexpr u8 kDT_SOCK = 12;
inline constexpr u8 kDT_WHT = 14;

}  // namespace lxss::abi
