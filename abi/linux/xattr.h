// Extended attributes.
// Man pages: xattr(7), setxattr(2), getxattr(2), listxattr(2).
#pragma once

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

enum class XattrFlag : u32 {
  kXATTR_CREATE = 0x1,
  kXATTR_REPLACE = 0x2,
};
LXSS_FLAGS(XattrFlag)
using XattrFlags = Flags<XattrFlag>;

inline constexpr usize kXATTR_NAME_MAX = 255;
inline constexpr usize kXATTR_SIZE_MAX = 65536;
inline constexpr usize kXATTR_LIST_MAX = 65536;

}  // namespace lxss::abi
