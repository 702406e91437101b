// Vectored input and output.
// Man pages: readv(2), process_vm_readv(2).
#pragma once

#include <cstddef>

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

struct IoVec {
  u64 iov_base;  // user address
  u64 iov_len;
};
static_assert(sizeof(IoVec) == 16);
inline constexpr usize kIOV_MAX = 1024;
// The most that one transfer moves.
inline constexpr usize kMAX_RW_COUNT = 0x7ffff000;

// preadv2(2), pwritev2(2)
enum class RwfFlag : u32 {
  kRWF_HIPRI = 0x1,
  kRWF_DSYNC = 0x2,
  kRWF_SYNC = 0x4,
  kRWF_NOWAIT = 0x8,
  kRWF_APPEND = 0x10,
  kRWF_NOAPPEND = 0x20,
};
LXSS_FLAGS(RwfFlag)
using RwfFlags = Flags<RwfFlag>;

}  // namespace lxss::abi
