// Random bytes.
// Man pages: getrandom(2), random(4).
#pragma once

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

enum class GrndFlag : u32 {
  kGRND_NONBLOCK = 0x1,
  kGRND_RANDOM = 0x2,
  kGRND_INSECURE = 0x4,
};
LXSS_FLAGS(GrndFlag)
using GrndFlags = Flags<GrndFlag>;

// ioctls of /dev/random
inline constexpr u32 kRNDGETENTCNT = 0x80045200;
inline constexpr u32 kRNDADDTOENTCNT = 0x40045201;
inline constexpr u32 kRNDADDENTROPY = 0x40085203;
inline constexpr u32 kRNDZAPENTCNT = 0x5204;
inline constexpr u32 kRNDCLEARPOOL = 0x5206;
inline constexpr u32 kRNDRESEEDCRNG = 0x5207;

}  // namespace lxss::abi
