// What a thread keeps of free small objects, so that most calls of operator new and delete take no
// lock and touch nothing that other threads use.
//
// For each size class a stack of names (magazine). Only the thread changes it, or whoever has its
// inheritance when it is gone for good. Each step is ordered so that the stacks are right at any
// instant, also if the host kills the thread there: an object is in at most one place, and what is
// in none for a moment is counted in `in_transit`.
#pragma once

#include <atomic>

#include "lxcore/mm/heap_slabs.h"

namespace lxss::heap {

/// Itself an object of the heap, made at the thread's first small allocation.
struct Magazines {
  u8 counts[kClassCount] = {};
  ObjectName slots[kCacheSlots];

  static constexpr std::array<u16, kClassCount> kBegin = [] {
    std::array<u16, kClassCount> begin{};
    for (u32 i = 0; i < kClassCount; ++i) begin[i] = static_cast<u16>(cache_begin(i));
    return begin;
  }();
  static constexpr std::array<u8, kClassCount> kCapacity = [] {
    std::array<u8, kClassCount> capacity{};
    for (u32 i = 0; i < kClassCount; ++i) capacity[i] = static_cast<u8>(cache_capacity(i));
    return capacity;
  }();

  bool is_full(u32 size_class) const { return counts[size_class] == kCapacity[size_class]; }

  /// 0 if there is none.
  ObjectName pop(u32 size_class) {
    const u32 count = counts[size_class];
    if (count == 0) [[unlikely]]
      return 0;
    ObjectName* const stack = &slots[kBegin[size_class]];
    ObjectName object = stack[count - 1];
    if constexpr (kPoisons) {
      // The oldest: what was freed stays out of use for a while.
      object = stack[0];
      for (u32 i = 1; i < count; ++i) stack[i - 1] = stack[i];
    }
    set_count(size_class, count - 1);
    return object;
  }
  /// It must not be full.
  void push(u32 size_class, ObjectName object) {
    const u32 count = counts[size_class];
    slots[kBegin[size_class] + count] = object;
    set_count(size_class, count + 1);
  }

 private:
  void set_count(u32 size_class, u32 count) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    counts[size_class] = static_cast<u8>(count);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
};
static_assert(sizeof(Magazines) == 448);

/// In the object of a thread; all of it is the thread's own.
struct ThreadCache {
  Magazines* magazines = nullptr;
  u64 releasing = 0;  ///< the address of a block of pages that the thread is giving back
  /// Bytes that are in no list at this instant: lost if the thread dies now.
  u32 in_transit = 0;
};

}  // namespace lxss::heap
