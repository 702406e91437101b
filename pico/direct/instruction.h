// The length of an x86-64 instruction, and where a direct jump leads: a pure function on bytes.
//
// What it promises: for every instruction that a processor executes in 64-bit mode the length is
// right. Bytes that are no instruction may be taken for one; those that no program has (of the
// system's, obsolete ones) are told apart, so that who reads data for code finds out.
#pragma once

#include <span>

#include "base/types.h"

namespace lxss::pico::direct {

struct Instruction {
  enum Kind : u8 {
    kNone,    ///< not an instruction of 64-bit mode, or cut off
    kPlain,   ///< goes on behind itself
    kRare,    ///< the same, but ordinary programs have none: what is read is perhaps data
    kNop,     ///< does nothing
    kBranch,  ///< a direct jump or call that may also go on, or come back, behind itself
    kJump,    ///< a direct jump that never does
    kEnd,     ///< returns, jumps indirectly or traps: never goes on
    kSyscall,
  };
  static constexpr u32 kMaxSize = 15;

  Kind kind = kNone;
  u8 size = 0;  ///< in bytes; 0: none
  /// Where in the instruction the four bytes are that name an operand by its distance from behind
  /// the instruction; 0: there is none.
  u8 relative_operand = 0;
  i32 distance = 0;  ///< kBranch, kJump: from behind the instruction to its target
};

/// The instruction that begins with the first byte.
Instruction decode(std::span<const u8> code);

}  // namespace lxss::pico::direct
