// Event polling.
// Man pages: epoll(7), epoll_ctl(2), epoll_create(2), epoll_wait(2).
#pragma once

#include <cstddef>

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

enum class EpollFlag : u32 {
  kEPOLLIN = 0x1,
  kEPOLLPRI = 0x2,
  kEPOLLOUT = 0x4,
  kEPOLLERR = 0x8,
  kEPOLLHUP = 0x10,
  kEPOLLRDNORM = 0x40,
  kEPOLLRDBAND = 0x80,
  kEPOLLWRNORM = 0x100,
  kEPOLLWRBAND = 0x200,
  kEPOLLMSG = 0x400,
  kEPOLLRDHUP = 0x2000,
  kEPOLLEXCLUSIVE = 0x10000000,
  kEPOLLWAKEUP = 0x20000000,
  kEPOLLONESHOT = 0x40000000,
  kEPOLLET = 0x80000000,
};
LXSS_FLAGS(EpollFlag)
using EpollFlags = Flags<EpollFlag>;

inline constexpr i32 kEPOLL_CTL_ADD = 1;
inline constexpr i32 kEPOLL_CTL_DEL = 2;
inline constexpr i32 kEPOLL_CTL_MOD = 3;

enum class EpollCreateFlag : u32 {
  kEPOLL_CLOEXEC = 02000000,
};
LXSS_FLAGS(EpollCreateFlag)
using EpollCreateFlags = Flags<EpollCreateFlag>;

struct EpollEvent {
  u32 events;
  u64 data;
} __attribute__((packed));
static_assert(sizeof(EpollEvent) == 12);
static_assert(offsetof(EpollEvent, data) == 4);

}  // namespace lxss::abi
