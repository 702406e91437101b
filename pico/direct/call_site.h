// Call sites: how system calls of text are recognised and rewritten. Pure functions on bytes.
//
// A site is the `syscall` instruction with the instruction before it, as the C libraries have
// them. Together they are as long as `jmp *slot`, and what is left of them behind it is an
// instruction that does not exist: who jumps to where `syscall` or the instruction behind it was,
// causes SIGILL, which tells lxcore what was meant.
#pragma once

#include <optional>
#include <span>

#include "pico/layout.h"

namespace lxss::pico::direct {

/// The instruction before `syscall`, which a direct call executes too.
enum class Displaced : u8 {
  kMovEax,  ///< mov $number, %eax
  kMovEdi,  ///< mov $AT_FDCWD, %edi
  kMovR9,   ///< mov 8(%rsp), %r9
  /// xor %eax, %eax. Two bytes are too few: `cmp $-4096, %rax` (or -4095) behind `syscall`
  /// belongs to the site as well.
  kXorEax,
};

/// A call site of a rewritten text.
struct CallSite {
  u32 offset = 0;   ///< in the text's file
  u16 operand = 0;  ///< kMovEax: the number; kXorEax: the low half of the comparison's operand
  u8 text = 0;      ///< 0: the slot is free
  Displaced displaced = Displaced::kMovEax;

  /// From the site's begin to behind `syscall`, and to where the rewritten text goes on.
  u32 call_size() const { return displaced == Displaced::kXorEax ? 4 : 7; }
  u32 size() const { return displaced == Displaced::kXorEax ? 10 : 7; }
};
static_assert(sizeof(CallSite) == 8);

/// The last slot of the table is none.
inline constexpr u32 kCallSites = kCallSlots - 1;
inline constexpr u32 kNoSlot = kCallSites;
/// Sites of kXorEax have the slots whose address has a further byte that is no instruction.
inline constexpr u32 kXorSlotsBegin = 0x600 / sizeof(u64), kXorSlotsEnd = 0x700 / sizeof(u64);

/// Bytes before and behind a `syscall` that is_site() may look at.
inline constexpr usize kBefore = 8, kBehind = 8;
inline constexpr u8 kSyscall[] = {0x0f, 0x05};
inline constexpr usize kSyscallSize = sizeof kSyscall;

/// The site of the `syscall` at `at`; offset is relative to `code`. The rest of text is left as it
/// is: none too many is more important than none too few.
std::optional<CallSite> find_site(std::span<const u8> code, usize at);
/// True if a direct jump of the code may lead to where `syscall` of a kXorEax site, or what is
/// behind it, was. Takes every byte for the beginning of an instruction.
bool is_jumped_into(std::span<const u8> code, const CallSite& site);
/// Writes the jump. `at` is the site's first byte.
void write_jump(u8* at, Displaced displaced, u32 slot);
/// The slot of the jump at `at`, which has 7 bytes, or kNoSlot.
u32 slot_of_jump(const u8* at);

}  // namespace lxss::pico::direct
