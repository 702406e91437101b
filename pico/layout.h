// The address space that lxcore and its guests share (47 bits, x86-64).
//
//   0x0000_0001_0000 .. 0x6c00_0000_0000   guest
//   0x6c00_0000_0000 .. 0x7000_0000_0000   kernel window: stacks, arena, image
//   0x7000_0000_0000 .. 0x7fff_ffff_f000   guest
//
// A page of guest space is lxcore's, too: the table for direct calls.
#pragma once

#include "base/types.h"

namespace lxss::pico {

inline constexpr u64 kUserBegin = 0x1'0000;
inline constexpr u64 kUserEnd = 0x7fff'ffff'f000;
inline constexpr u64 kWindowBegin = 0x6c00'0000'0000;
inline constexpr u64 kWindowEnd = 0x7000'0000'0000;

/// What nearly every process touches lies within one gibibyte, so that a new process needs few page
/// tables: the scratch piece of slot 0, the image, the first stacks, the arena's first pages.
inline constexpr u64 kCentre = 0x6d00'0000'0000;

/// Private memory, a piece of kScratchSize for each stack slot, downwards: its lower half is for
/// exec's copies (lxcore/task/argument_stack.h), its upper half for mm/text.cc.
inline constexpr u32 kMaxThreads = 4096;
inline constexpr u64 kScratchSize = u64{128} << 20;
inline constexpr u64 kScratchEnd = kCentre + kScratchSize;
constexpr u64 scratch_of(u32 slot) { return kScratchEnd - (slot + 1) * kScratchSize; }
static_assert(kScratchEnd - kMaxThreads * kScratchSize > kWindowBegin);

inline constexpr u64 kImageBegin = kScratchEnd;
inline constexpr u64 kImageRoom = u64{16} << 20;

/// Kernel stacks of one address space: kMaxThreads slots of kStackSize. The lowest
/// page of a slot is a guard, the last kStackHeaderSize bytes hold its StackHeader.
inline constexpr u64 kStackArea = kImageBegin + kImageRoom;
inline constexpr u64 kStackSize = 128 * 1024;
inline constexpr u64 kStackHeaderSize = 64;
inline constexpr u64 kStackAreaEnd = kStackArea + kMaxThreads * kStackSize;

/// The arena: shared by all pico processes of an instance. Twice what the heap may have in use
/// (lxcore/mm/heap.cc), and no larger: the host gives memory for what a hostile guest reads of it.
inline constexpr u64 kArenaBegin = kCentre + (u64{672} << 20);
inline constexpr u64 kArenaSize = u64{8} << 30;
static_assert(kStackAreaEnd <= kArenaBegin && kArenaBegin + kArenaSize <= kWindowEnd);

/// Rewritten text enters lxcore by way of this page (pico/direct/direct_call.h), which is where an
/// instruction can name its address in four bytes.
inline constexpr u64 kCallTable = 0x7f06'0000;
inline constexpr u64 kCallTableEnd = kCallTable + 4096;
/// Numbers of rewritten texts in an instance; there is no text 0.
inline constexpr u32 kMaxTexts = 128;

/// Of the host, on x86-64.
inline constexpr u64 kHugePageSize = u64{2} << 20;

/// True if [address, address + size) is all guest space (it need not be mapped).
constexpr bool is_user_range(u64 address, u64 size) {
  u64 end = address + size;
  if (end < address || end > kUserEnd) return false;
  return (end <= kWindowBegin || address >= kWindowEnd) &&
         (end <= kCallTable || address >= kCallTableEnd);
}

/// True if a range of user addresses has the whole window in it.
constexpr bool covers_window(u64 address, u64 size) {
  u64 end = address + size;
  return end >= address && end <= kUserEnd && address <= kWindowBegin && end >= kWindowEnd;
}

}  // namespace lxss::pico
