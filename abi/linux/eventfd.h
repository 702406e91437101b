// Event counters as descriptors.
// Man pages: eventfd(2).
#pragma once

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

enum class EfdFlag : u32 {
  kEFD_SEMAPHORE = 01,
  kEFD_CLOEXEC = 02000000,
  kEFD_NONBLOCK = 04000,
};
LXSS_FLAGS(EfdFlag)
using EfdFlags = Flags<EfdFlag>;

inline constexpr u64 kEventfdMax = ~u64{0} - 1;

}  // namespace lxss::abi
