// Call sites: how system calls of code are rewritten. Pure functions on bytes.
//
// A site is a `syscall` instruction, with a few instructions next to it when they are needed to
// make room. A jump takes its place. The jump leads, at once or through the front, to the stub:
//
//   front   the instructions that were before `syscall` in the site, and a jump to the stub
//   stub    mov $number, %cl; jmp gate        the site's number in the gate's group
//   gate    mov $id, %r11d; jmp *entry        one for all sites of a group
//   rest    what a call leaves in RCX, the instructions that were behind `syscall` in the site, and
//   a
//           jump to the site's end
//
// They lie where the code has room that nothing executes. (A call changes RCX and R11 anyway.) Best
// is a site of `syscall` alone: its two bytes are a short jump to such a place nearby. Otherwise
// the site has five bytes or more, and where an instruction began is now a byte that is no
// instruction: who jumps there, or returns there from a signal handler, causes SIGILL, and goes on
// at the same instruction's copy.
//
// Positions are distances from the code's begin.
#pragma once

#include <span>
#include <vector>

#include "pico/direct/code_map.h"

namespace lxss::pico::direct {

inline constexpr u32 kSyscallSize = 2;
inline constexpr u32 kGroupSize = 256;

struct CallSite {
  static constexpr u32 kNone = ~u32{0};

  u32 begin = 0;
  u32 stub = 0;
  u32 front = kNone, rest = kNone;
  /// Sizes of the instructions before and behind `syscall` that belong to the site.
  u8 before = 0, after = 0;

  u32 call() const { return begin + before; }
  u32 behind() const { return call() + kSyscallSize; }
  u32 end() const { return behind() + after; }
  bool has_front() const { return front != kNone; }
  bool has_rest() const { return rest != kNone; }

  // Sizes of the pieces.
  static constexpr u32 kJumpSize = 5, kStubJump = 2, kRestCopies = 7;
  static constexpr u32 kStubSize = kStubJump + kJumpSize;
  u32 size() const { return before + kSyscallSize + after; }
  u32 front_size() const { return before + kJumpSize; }
  u32 rest_size() const { return kRestCopies + after + kJumpSize; }
};

struct CallSites {
  std::vector<CallSite> sites;  ///< ascending; kGroupSize of them to a group
  std::vector<u32> gates;       ///< of the groups
};

/// Where to rewrite: all sites that there is room for, at most so many. Takes the room from the
/// map.
CallSites find_sites(CodeMap& map, usize most);
/// Rewrites them. What comes to `entry`, an address below 2 GiB of the address to go to, has `id`
/// and a group's number, times kGroupSize, in R11, the site's number in the group in CL.
void write_sites(std::span<u8> code, const CallSites& found, u32 id, u64 entry);

inline constexpr u32 kGateSize = 13;
/// True if that is what a gate looks like.
bool is_gate(std::span<const u8, kGateSize> code, u32 id_of_group, u64 entry);

/// A place in the code as it is, and what it stands for in the code as it was.
struct Place {
  enum Kind : u8 {
    kElsewhere,  ///< not one of the site's
    kSite,       ///< in the site, where there is no instruction any more
    kCopy,       ///< an instruction's copy, or the way back from it
    kToCall,     ///< on the way to the call, where nothing has been done yet
  };
  Kind kind = kElsewhere;
  /// kSite: where to go on; kCopy, kToCall: the position in the code as it was.
  u32 position = 0;
};
Place place_in(const CallSite& site, u32 position);

}  // namespace lxss::pico::direct
