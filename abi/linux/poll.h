// Waiting for descriptors with poll and select.
// Man pages: poll(2), select(2).
#pragma once

#include <cstddef>

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

struct PollFd {
  i32 fd;
  i16 events;
  i16 revents;
};
static_assert(sizeof(PollFd) == 8);

enum class PollFlag : u16 {
  kPOLLIN = 0x1,
  kPOLLPRI = 0x2,
  kPOLLOUT = 0x4,
  kPOLLERR = 0x8,
  kPOLLHUP = 0x10,
  kPOLLNVAL = 0x20,
  kPOLLRDNORM = 0x40,
  kPOLLRDBAND = 0x80,
  kPOLLWRNORM = 0x100,
  kPOLLWRBAND = 0x200,
  kPOLLMSG = 0x400,
  kPOLLREMOVE = 0x1000,
  kPOLLRDHUP = 0x2000,
};
LXSS_FLAGS(PollFlag)
using PollFlags = Flags<PollFlag>;

inline constexpr usize kFD_SETSIZE = 1024;
struct FdSet {
  u64 bits[kFD_SETSIZE / 64];
};
static_assert(sizeof(FdSet) == 128);

// pselect6(2)'s last argument
struct SelectSigmask {
  u64 sigmask;  // user address
  u64 sigsetsize;
};
static_assert(sizeof(SelectSigmask) == 16);

}  // namespace lxss::abi
