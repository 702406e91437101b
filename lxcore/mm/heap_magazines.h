// The free small objects that a thread keeps: for each size class a stack of names (magazine).
//
// Only the thread changes it, or who gives it back when the thread is gone for good. Each step is
// ordered so that the stacks are right at any instant, also if the host kills the thread there: an
// object is in at most one place, and what is in none for a moment is counted in
// ThreadCache::in_transit.
#pragma once

#include <atomic>
#include <utility>

#include "lxcore/mm/heap_cache.h"
#include "lxcore/mm/heap_slabs.h"

namespace lxss::heap {

/// Itself an object of the heap.
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
    const ObjectName object = stack[count - 1];
    set_count(size_class, count - 1);
    // What was freed just now is to stay out of use for a while.
    if (kPoisons && count > 1) return std::exchange(stack[object % (count - 1)], object);
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

}  // namespace lxss::heap
