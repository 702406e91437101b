#include "lxcore/mm/heap_allocator.h"

#include <bit>
#include <new>

namespace lxss::heap {

namespace {

/// Sets ThreadCache::in_transit while what it counts is nowhere else.
class Transit {
 public:
  Transit(ThreadCache& cache, usize bytes) : cache_(cache) { set(static_cast<u32>(bytes)); }
  ~Transit() { set(0); }
  Transit(const Transit&) = delete;
  Transit& operator=(const Transit&) = delete;

 private:
  void set(u32 bytes) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    cache_.in_transit = bytes;
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ThreadCache& cache_;
};

constexpr u32 kMagazinesClass = class_of(sizeof(Magazines));

}  // namespace

void Allocator::initialise(const PageAllocator::Settings& settings) {
  pages_.initialise(settings);
  for (u32 i = 0; i < kClassCount; ++i) classes_[i].initialise(i);
}

void* Allocator::allocate(usize size, Owner self, ThreadCache* cache) {
  if (size <= kLargestSmall) [[likely]]
    return allocate_small(class_of(size), self, cache);
  const u64 pages = page_ceil(size) / kPageSize;
  const u32 order = static_cast<u32>(std::bit_width(pages - 1));
  LXSS_ASSERT(order <= kMaxOrder);
  return reinterpret_cast<void*>(pages_.allocate(order, self));
}

void Allocator::release(void* object, Owner self, ThreadCache* cache) {
  const u64 address = reinterpret_cast<u64>(object);
  // If it is a small object, this is the head of its slab; of another block, at most of one that is
  // no slab.
  const BlockHead head = pages_.head(address & ~(kSlabSize - 1));
  if (head.state == BlockState::kSlab) [[likely]]
    return release_small(head.size_class, object, self, cache);
  if constexpr (kPoisons) {
    const u32 order = pages_.head(address).order;
    if (order < kReleaseOrder) poison(object, kPageSize << order);
  }
  if (!cache) return pages_.free(address, self);
  cache->releasing = address;
  pages_.free(address, self);
  cache->releasing = 0;
}

void* Allocator::allocate_small(u32 size_class, Owner self, ThreadCache* cache) {
  ObjectName object = 0;
  if (!cache) [[unlikely]] {
    classes_[size_class].take(pages_, self, {&object, 1});
  } else {
    if (cache->magazines) [[likely]]
      object = cache->magazines->pop(size_class);
    if (object == 0) [[unlikely]]
      object = refill(size_class, self, *cache);
  }
  if constexpr (kPoisons) {
    check_poison(at(object), kClassSizes[size_class]);
    __builtin_memset(at(object), kUninitialised, kClassSizes[size_class]);
  }
  return at(object);
}

void Allocator::release_small(u32 size_class, void* object, Owner self, ThreadCache* cache) {
  if constexpr (kPoisons) {
    if (is_poisoned(object, kClassSizes[size_class])) LXSS_PANIC("kernel memory is freed twice");
    poison(object, kClassSizes[size_class]);
  }
  const ObjectName freed = name(object);
  if (!cache || !cache->magazines) [[unlikely]]
    return classes_[size_class].put(pages_, self, {&freed, 1});
  if (cache->magazines->is_full(size_class)) [[unlikely]] {
    // In want nothing is kept beyond what is about to be used.
    const u32 count = pages_.has_room() ? cache_batch(size_class) : cache_capacity(size_class);
    drain(size_class, count, self, *cache);
  }
  cache->magazines->push(size_class, freed);
}

/// The magazine is empty, or there is none yet. One object comes back, more go into it.
ObjectName Allocator::refill(u32 size_class, Owner self, ThreadCache& cache) {
  ObjectName taken[kCacheObjects];
  if (!cache.magazines) {
    const Transit transit(cache, kClassSizes[kMagazinesClass] + kSlabSize);
    classes_[kMagazinesClass].take(pages_, self, {taken, 1});
    cache.magazines = new (at(taken[0])) Magazines;
  }
  const u32 wanted = pages_.has_room() ? cache_batch(size_class) : 1;
  const Transit transit(cache, usize{wanted} * kClassSizes[size_class] + kSlabSize);
  const usize got = classes_[size_class].take(pages_, self, {taken, wanted});
  // The first one is the caller's.
  for (usize i = got; i > 1; --i) cache.magazines->push(size_class, taken[i - 1]);
  return taken[0];
}

void Allocator::drain(u32 size_class, u32 count, Owner self, ThreadCache& cache) {
  ObjectName given[kCacheObjects];
  const Transit transit(cache, usize{count} * kClassSizes[size_class] + kSlabSize);
  for (u32 i = 0; i < count; ++i) given[i] = cache.magazines->pop(size_class);
  classes_[size_class].put(pages_, self, {given, count});
}

void Allocator::give_back(ThreadCache& cache, Owner of, Owner self) {
  // Of a living thread there is neither.
  if (cache.in_transit != 0) {
    lost_.fetch_add(cache.in_transit, std::memory_order_relaxed);
    cache.in_transit = 0;
  }
  if (cache.releasing != 0) {
    pages_.finish_free(cache.releasing, of, self);
    cache.releasing = 0;
  }
  if (!cache.magazines) return;
  for (u32 i = 0; i < kClassCount; ++i) {
    if (const u32 count = cache.magazines->counts[i]) drain(i, count, self, cache);
  }
  const Transit transit(cache, kClassSizes[kMagazinesClass]);
  const ObjectName magazines = name(cache.magazines);
  if constexpr (kPoisons) poison(cache.magazines, kClassSizes[kMagazinesClass]);
  cache.magazines = nullptr;
  classes_[kMagazinesClass].put(pages_, self, {&magazines, 1});
}

}  // namespace lxss::heap
