// The heap's small objects: for each size class slabs of objects, shared by all threads.
//
// A slab is a block of pages with a header and objects of one size. The truth is its bitmap of free
// objects, each change of which is one store, and the head of its block, which says that it is a
// slab of the class: both change under the class's lock. The list of slabs with free objects
// follows from them, so that a death at any instant leaves what rebuild() can put in order; it may
// cost what was on its way, at most a batch of objects or a slab.
//
// Objects come and go in batches. Slabs are made, and empty ones given back, without the lock. The
// debug kernel fills free objects with kPoison and looks whether it is still there when it hands
// one out.
#pragma once

#include <span>

#include "lxcore/mm/heap_classes.h"
#include "lxcore/mm/heap_pages.h"

namespace lxss::heap {

#ifdef LXSS_DEBUG
inline constexpr bool kPoisons = true;
#else
inline constexpr bool kPoisons = false;
#endif
inline constexpr u8 kPoison = 0xa5;
/// What fills an object that was handed out.
inline constexpr u8 kUninitialised = 0x5a;
/// Only if kPoisons: marks what is free; panics if somebody has written to it since.
void poison(void* begin, usize size);
void check_poison(const void* begin, usize size);
bool is_poisoned(const void* begin, usize size);

/// An object: its distance from PageAllocator::base() in grains, never 0.
using ObjectName = u32;

inline constexpr u32 kSlabOrder = 2;
inline constexpr usize kSlabSize = kPageSize << kSlabOrder;

/// All of it is guarded by the class's lock while the slab is the class's.
struct Slab {
  Slab* next = nullptr;
  Slab* previous = nullptr;
  u16 free_count = 0;
  u16 first_word = 0;  ///< no free object is below this word of the bitmap
  u32 unused = 0;
  u64 free[1];  ///< bitmap, of as many words as the class has
};

/// The numbers of a class's slabs.
struct SlabShape {
  u16 size = 0;      ///< of an object
  u16 capacity = 0;  ///< objects
  u16 words = 0;     ///< of the bitmap
  u16 begin = 0;     ///< of the objects, from the slab's begin
};
constexpr SlabShape slab_shape(u32 size_class) {
  constexpr usize kLine = 64;
  const usize size = kClassSizes[size_class];
  for (usize capacity = kSlabSize / size;; --capacity) {
    const usize words = (capacity + 63) / 64;
    const usize begin = align_up(offsetof(Slab, free) + words * sizeof(u64), kLine);
    if (begin + capacity * size <= kSlabSize)
      return {u16(size), u16(capacity), u16(words), u16(begin)};
  }
}

class SizeClass {
 public:
  void initialise(u32 size_class);

  /// Takes at least one object and at most as many as there is room for: how many. The caller
  /// counts them, and a slab, as lost if it dies in here.
  usize take(PageAllocator& pages, Owner self, std::span<ObjectName> to);
  /// Gives objects back, at most kCacheObjects at a time.
  void put(PageAllocator& pages, Owner self, std::span<const ObjectName> objects);

  /// After a death: puts in order what `dead` was changing, if it held the lock.
  bool recover(PageAllocator& pages, Owner dead, Owner self);
  Owner lock_owner() const { return lock_.owner(); }

 private:
  friend struct SizeClassTest;
  class Held;

  Slab* make_slab(PageAllocator& pages, Owner self) const;
  usize take_from(const PageAllocator& pages, Slab& slab, std::span<ObjectName> to);
  void put_into_slab(Slab& slab, u64 address);
  bool is_spare(const Slab& slab) const;
  void link(Slab& slab);
  void unlink(Slab& slab);
  void rebuild(PageAllocator& pages, Owner self);

  // Set once by initialise().
  u32 size_class_ = 0;
  SlabShape shape_;

  alignas(64) Lock lock_;
  Slab* partial_ = nullptr;  ///< slabs with free objects; guarded by lock_
};

}  // namespace lxss::heap
