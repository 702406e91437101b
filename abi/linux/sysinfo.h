// Memory and load statistics, the kernel log call and reboot.
// Man pages: sysinfo(2), syslog(2), reboot(2).
#pragma once

#include <cstddef>

#include "base/types.h"

namespace lxss::abi {

struct Sysinfo {
  i64 uptime;
  u64 loads[3];
  u64 totalram;
  u64 freeram;
  u64 sharedram;
  u64 bufferram;
  u64 totalswap;
  u64 freeswap;
  u16 procs;
  u16 pad0;
  u32 pad1;
  u64 totalhigh;
  u64 freehigh;
  u32 mem_unit;
  u32 pad2;
};
static_assert(sizeof(Sysinfo) == 112);
static_assert(offsetof(Sysinfo, procs) == 80);
static_assert(offsetof(Sysinfo, mem_unit) == 104);
inline constexpr u32 kSI_LOAD_SHIFT = 16;

// syslog(2)
inline constexpr i32 kSYSLOG_ACTION_CLOSE = 0;
inline constexpr i32 kSYSLOG_ACTION_OPEN = 1;
inline constexpr i32 kSYSLOG_ACTION_READ = 2;
inline constexpr i32 kSYSLOG_ACTION_READ_ALL = 3;
inline constexpr i32 kSYSLOG_ACTION_READ_CLEAR = 4;
inline constexpr i32 kSYSLOG_ACTION_CLEAR = 5;
inline constexpr i32 kSYSLOG_ACTION_CONSOLE_OFF = 6;
inline constexpr i32 kSYSLOG_ACTION_CONSOLE_ON = 7;
inline constexpr i32 kSYSLOG_ACTION_CONSOLE_LEVEL = 8;
inline constexpr i32 kSYSLOG_ACTION_SIZE_UNREAD = 9;
inline constexpr i32 kSYSLOG_ACTION_SIZE_BUFFER = 10;

// reboot(2)
inline constexpr u32 kLINUX_REBOOT_CMD_CAD_OFF = 0x0;
inline constexpr u32 kLINUX_REBOOT_CMD_RESTART = 0x1234567;
inline constexpr u32 kLINUX_REBOOT_MAGIC2A = 0x5121996;
inline constexpr u32 kLINUX_REBOOT_MAGIC2B = 0x16041998;
inline constexpr u32 kLINUX_REBOOT_MAGIC2C = 0x20112000;
inline constexpr u32 kLINUX_REBOOT_MAGIC2 = 0x28121969;
inline constexpr u32 kLINUX_REBOOT_CMD_POWER_OFF = 0x4321fedc;
inline constexpr u32 kLINUX_REBOOT_CMD_KEXEC = 0x45584543;
inline constexpr u32 kLINUX_REBOOT_CMD_CAD_ON = 0x89abcdef;
inline constexpr u32 kLINUX_REBOOT_CMD_RESTART2 = 0xa1b2c3d4;
inline constexpr u32 kLINUX_REBOOT_CMD_HALT = 0xcdef0123;
inline constexpr u32 kLINUX_REBOOT_CMD_SW_SUSPEND = 0xd000fce2;
inline constexpr u32 kLINUX_REBOOT_MAGIC1 = 0xfee1dead;

}  // namespace lxss::abi
