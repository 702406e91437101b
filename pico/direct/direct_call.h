// Direct calls: system calls of rewritten code (call_site.h), without a trap. What their files
// share.
//
// A gate jumps through the word at kEntryOfDirectCalls to the entry (direct_entry.cc), which saves
// the general registers in the direct frame (direct_frame.cc) and has the call served
// (direct_call.cc). Signals that find a thread on the way, or in rewritten code, are dealt with in
// site_trap.cc.
#pragma once

#include "pico/direct/direct.h"

extern "C" const char lxss_direct_entry[];
extern "C" const char lxss_direct_exit_begin[];
extern "C" const char lxss_direct_exit_end[];
extern "C" const char lxss_direct_leave[];

namespace lxss::pico::direct {

/// The table: the entry's address, and behind it ud2, where the entry goes when GS is the guest's
/// own: SIGILL there is the call's trap.
inline constexpr u64 kEntryOfDirectCalls = kCallTable;
inline constexpr u64 kTrapInTable = kCallTable + 8;

/// The context becomes that of a trap by the `syscall` that ends at `behind`.
inline void enter_call(ucontext_t& frame, u64 behind) {
  greg_t* regs = frame.uc_mcontext.gregs;
  regs[REG_RIP] = regs[REG_RCX] = static_cast<greg_t>(behind);
  regs[REG_R11] = regs[REG_EFL];
}

}  // namespace lxss::pico::direct
