// The heap's parts put together: pages, the slabs of each size class, threads' caches.
#pragma once

#include "lxcore/mm/heap_magazines.h"

namespace lxss::heap {

class Allocator {
 public:
  void initialise(const PageAllocator::Settings& settings);

  /// `cache`: the calling thread's, null as long as there are no threads.
  void* allocate(usize size, Owner self, ThreadCache* cache);
  void release(void* object, Owner self, ThreadCache* cache);

  /// Returns all that a cache has, its own memory too. By its thread `of`, or when that is gone and
  /// recover() has been called for it.
  void give_back(ThreadCache& cache, Owner of, Owner self);

  /// Puts in order what a dead thread was changing, for each lock whose owner `is_dead(owner)`.
  template <typename IsDead>
  void recover(Owner self, IsDead is_dead) {
    const Owner owner = pages_.lock_owner();
    if (owner != 0 && is_dead(owner)) pages_.recover(owner, self);
    for (SizeClass& of : classes_) {
      const Owner of_class = of.lock_owner();
      if (of_class != 0 && is_dead(of_class)) of.recover(pages_, of_class, self);
    }
  }

  PageAllocator& pages() { return pages_; }
  SizeClass& size_class(u32 number) { return classes_[number]; }
  /// Most that deaths can have cost, in bytes.
  u64 lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  void* at(ObjectName object) const {
    return reinterpret_cast<void*>(pages_.base() + u64{object} * kGrain);
  }
  ObjectName name(const void* object) const {
    return static_cast<ObjectName>((reinterpret_cast<u64>(object) - pages_.base()) / kGrain);
  }
  void* allocate_small(u32 size_class, Owner self, ThreadCache* cache);
  void release_small(u32 size_class, void* object, Owner self, ThreadCache* cache);
  ObjectName refill(u32 size_class, Owner self, ThreadCache& cache);
  void drain(u32 size_class, u32 count, Owner self, ThreadCache& cache);

  PageAllocator pages_;
  SizeClass classes_[kClassCount];
  std::atomic<u64> lost_{0};
};

}  // namespace lxss::heap
