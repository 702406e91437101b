// The heap's small sizes, and what each means for slabs and for threads' caches.
#pragma once

#include <algorithm>
#include <array>

#include "base/types.h"

namespace lxss::heap {

/// Objects are multiples of this, in size and place.
inline constexpr usize kGrain = 16;

inline constexpr std::array<u16, 16> kClassSizes = {16,  32,  48,  64,  96,   128,  192,  256,
                                                    320, 448, 640, 896, 1152, 1344, 1632, 2032};
inline constexpr u32 kClassCount = kClassSizes.size();
inline constexpr usize kLargestSmall = kClassSizes.back();

namespace detail {

constexpr auto class_by_grains() {
  std::array<u8, kLargestSmall / kGrain + 1> table{};
  u8 size_class = 0;
  for (usize grains = 0; grains < table.size(); ++grains) {
    while (kClassSizes[size_class] < grains * kGrain) ++size_class;
    table[grains] = size_class;
  }
  return table;
}
inline constexpr auto kClassByGrains = class_by_grains();

}  // namespace detail

/// Of a size up to kLargestSmall.
constexpr u32 class_of(usize size) { return detail::kClassByGrains[(size + kGrain - 1) / kGrain]; }

/// How many free objects of a class a thread keeps: up to kCacheObjects or kCacheBytes, but two. A
/// thread has at most kCacheSlots objects, of kCacheTotal bytes; it moves half of a class's at a
/// time.
inline constexpr u32 kCacheObjects = 16;
inline constexpr usize kCacheBytes = 1024;
constexpr u32 cache_capacity(u32 size_class) {
  return std::clamp<u32>(u32(kCacheBytes / kClassSizes[size_class]), 2, kCacheObjects);
}
constexpr u32 cache_batch(u32 size_class) { return cache_capacity(size_class) / 2; }

/// Where the slots of a class begin among a thread's, the end of all for kClassCount.
constexpr u32 cache_begin(u32 size_class) {
  u32 begin = 0;
  for (u32 i = 0; i < size_class; ++i) begin += cache_capacity(i);
  return begin;
}
inline constexpr u32 kCacheSlots = cache_begin(kClassCount);

constexpr usize cache_total() {
  usize total = 0;
  for (u32 i = 0; i < kClassCount; ++i) total += cache_capacity(i) * kClassSizes[i];
  return total;
}
inline constexpr usize kCacheTotal = cache_total();
static_assert(kCacheSlots == 108 && kCacheTotal == 23776);

}  // namespace lxss::heap
