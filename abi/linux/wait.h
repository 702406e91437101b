// Waiting for children.
// Man pages: wait(2), waitid(2), wait4(2).
#pragma once

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

enum class WaitFlag : u32 {
  kWNOHANG = 0x1,
  kWUNTRACED = 0x2,
  kWSTOPPED = 0x2,
  kWEXITED = 0x4,
  kWCONTINUED = 0x8,
  kWNOWAIT = 0x1000000,
  k__WNOTHREAD = 0x20000000,
  k__WALL = 0x40000000,
  k__WCLONE = 0x80000000,
};
LXSS_FLAGS(WaitFlag)
using WaitFlags = Flags<WaitFlag>;

// waitid(2)
inline constexpr i32 kP_ALL = 0;
inline constexpr i32 kP_PID = 1;
inline constexpr i32 kP_PGID = 2;
inline constexpr i32 kP_PIDFD = 3;

// The status word
constexpr i32 wait_status_exited(i32 code) { return (code & 0xff) << 8; }
constexpr i32 wait_status_signaled(i32 sig, bool core_dumped) {
  return (sig & 0x7f) | (core_dumped ? 0x80 : 0);
}
/// `event` is the ptrace event in the bits above the signal, 0 for an ordinary stop.
constexpr i32 wait_status_stopped(i32 sig, i32 event = 0) {
  return (event << 16) | ((sig & 0xff) << 8) | 0x7f;
}
constexpr i32 wait_status_continued() { return 0xffff; }

}  // namespace lxss::abi
