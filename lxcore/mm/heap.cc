// The arena's allocator: a buddy allocator of pages, and slabs of small objects on it.
//
// Blocks of kReleaseOrder and more give their memory back to the host when freed.
#include "lxcore/mm/heap.h"

#include <array>
#include <bit>
#include <new>

#include "abi/linux/mman.h"
#include "base/assert.h"
#include "host/memory.h"
#include "lxcore/sync/kernel_lock.h"
#include "pico/layout.h"

namespace lxss::heap {

namespace {

constexpr u32 kMaxOrder = 14;  // 64 MiB
constexpr u32 kReleaseOrder = 4;
/// Page number 0 means none in the free lists.
constexpr u64 kFirstPage = u64{1} << kMaxOrder;
constexpr u64 kLimitPages = (u64{4} << 30) / kPageSize;
static_assert(2 * kLimitPages * kPageSize <= pico::kArenaSize);
constexpr u64 kReservePages = (u64{64} << 20) / kPageSize;

/// The first pages of the heap, and the arena's own first ones, are huge pages of the host: every
/// new process maps them with one fault each. They are not given back piece by piece.
constexpr u64 kHugePages = (u64{4} << 20) / kPageSize;

constexpr u32 kSlabOrder = 2;
constexpr usize kSlabSize = kPageSize << kSlabOrder;
constexpr std::array<u16, 16> kClasses = {16,  32,  48,  64,  96,   128,  192,  256,
                                          320, 448, 640, 896, 1152, 1344, 1632, 2032};
constexpr usize kLargestClass = kClasses.back();

struct Slab {
  Slab* next = nullptr;
  Slab* previous = nullptr;
  void* free = nullptr;
  u16 size_class = 0;
  u16 used = 0;
  u16 fresh = 0;  ///< objects never handed out start here
  u16 capacity = 0;
};
constexpr usize kSlabHeader = 64;
static_assert(sizeof(Slab) <= kSlabHeader);

enum class PageState : u8 { kInside = 0, kFree, kAllocated, kSlab };

struct PageInfo {
  u32 next, previous;  ///< free list of its order; page numbers, 0 is none
  u8 order;
  PageState state;
};

struct Heap {
  Mutex mutex;
  u64 base = 0;  ///< address of page 0, aligned to the largest block
  u64 page_count = 0;
  u64 frontier = 0;  ///< pages from here on were never used
  u64 used = 0;
  PageInfo* pages = nullptr;
  u32 free_heads[kMaxOrder + 1] = {};
  Slab* partial[kClasses.size()] = {};

  u64 address(u64 page) const { return base + page * kPageSize; }
  u64 page_of(u64 at) const { return (at - base) / kPageSize; }

  void push_free(u32 page, u32 order) {
    PageInfo& info = pages[page];
    info = {free_heads[order], 0, static_cast<u8>(order), PageState::kFree};
    if (info.next) pages[info.next].previous = page;
    free_heads[order] = page;
  }
  void remove_free(u32 page) {
    PageInfo& info = pages[page];
    if (info.previous) {
      pages[info.previous].next = info.next;
    } else {
      free_heads[info.order] = info.next;
    }
    if (info.next) pages[info.next].previous = info.previous;
    info.state = PageState::kInside;
  }

  u32 allocate_pages(u32 order, PageState state) {
    u32 from = order;
    while (from <= kMaxOrder && !free_heads[from]) ++from;
    u32 page;
    if (from <= kMaxOrder) {
      page = free_heads[from];
      remove_free(page);
    } else {
      from = kMaxOrder;
      if (frontier + (u64{1} << kMaxOrder) > page_count) LXSS_PANIC("the arena is full");
      page = static_cast<u32>(frontier);
      frontier += u64{1} << kMaxOrder;
    }
    while (from > order) {
      --from;
      push_free(page + (1u << from), from);
    }
    pages[page].order = static_cast<u8>(order);
    pages[page].state = state;
    used += u64{1} << order;
    if (used > kLimitPages) LXSS_PANIC("the kernel's memory limit is reached");
    return page;
  }

  void free_pages(u32 page) {
    u32 order = pages[page].order;
    used -= u64{1} << order;
    if (order >= kReleaseOrder && page >= kFirstPage + kHugePages) {
      (void)host::advise_memory(address(page), kPageSize << order, 9 /* MADV_REMOVE */);
    }
    while (order < kMaxOrder) {
      u32 buddy = page ^ (1u << order);
      if (buddy == 0 || pages[buddy].state != PageState::kFree || pages[buddy].order != order)
        break;
      remove_free(buddy);
      pages[page].state = PageState::kInside;
      page &= ~(1u << order);
      ++order;
    }
    push_free(page, order);
  }

  void link_partial(Slab& slab) {
    Slab*& head = partial[slab.size_class];
    slab.next = head;
    slab.previous = nullptr;
    if (head) head->previous = &slab;
    head = &slab;
  }
  void unlink_partial(Slab& slab) {
    if (slab.previous) {
      slab.previous->next = slab.next;
    } else {
      partial[slab.size_class] = slab.next;
    }
    if (slab.next) slab.next->previous = slab.previous;
  }

  void* allocate_small(u32 size_class) {
    Slab* slab = partial[size_class];
    if (!slab) {
      u32 page = allocate_pages(kSlabOrder, PageState::kSlab);
      slab = new (reinterpret_cast<void*>(address(page))) Slab;
      slab->size_class = static_cast<u16>(size_class);
      slab->capacity = static_cast<u16>((kSlabSize - kSlabHeader) / kClasses[size_class]);
      link_partial(*slab);
    }
    void* object = slab->free;
    if (object) {
      slab->free = *static_cast<void**>(object);
    } else {
      u64 first = reinterpret_cast<u64>(slab) + kSlabHeader;
      object = reinterpret_cast<void*>(first + u64{slab->fresh++} * kClasses[size_class]);
    }
    if (++slab->used == slab->capacity) unlink_partial(*slab);
    return object;
  }

  void free_small(void* object) {
    auto* slab = reinterpret_cast<Slab*>(reinterpret_cast<u64>(object) & ~(kSlabSize - 1));
#ifdef LXSS_DEBUG
    __builtin_memset(object, 0xa5, kClasses[slab->size_class]);
#endif
    *static_cast<void**>(object) = slab->free;
    slab->free = object;
    if (slab->used-- == slab->capacity) link_partial(*slab);
    // One empty slab of a class stays, so that alternating calls do not rebuild it.
    if (slab->used == 0 && (slab->next || slab->previous)) {
      unlink_partial(*slab);
      free_pages(static_cast<u32>(page_of(reinterpret_cast<u64>(slab))));
    }
  }
};

/// At a fixed place, so that every pico process finds it.
constexpr u64 kHeapAt = pico::kArenaBegin + kPageSize;
Heap& heap() { return *reinterpret_cast<Heap*>(kHeapAt); }

u32 class_of(usize size) {
  u32 index = 0;
  while (kClasses[index] < size) ++index;
  return index;
}

void* allocate(usize size) {
  LXSS_ASSERT(size <= kMaxAllocation);
  Heap& h = heap();
  MutexHeld held(h.mutex);
  if (size <= kLargestClass) return h.allocate_small(class_of(size));
  u64 pages = page_ceil(size) / kPageSize;
  u32 order = static_cast<u32>(std::bit_width(pages - 1));
  return reinterpret_cast<void*>(h.address(h.allocate_pages(order, PageState::kAllocated)));
}

void release(void* object) {
  if (!object) return;
  Heap& h = heap();
  MutexHeld held(h.mutex);
  u64 at = reinterpret_cast<u64>(object);
  u32 page = static_cast<u32>(h.page_of(at));
  u32 slab_page = page & ~((1u << kSlabOrder) - 1);
  if (h.pages[slab_page].state == PageState::kSlab) {
    h.free_small(object);
  } else {
    LXSS_ASSERT(h.pages[page].state == PageState::kAllocated);
    h.free_pages(page);
  }
}

}  // namespace

namespace {

/// Asks the host to back a range with huge pages, whatever its policy is for memory objects. Where
/// it cannot, small pages do.
void make_huge(u64 begin, u64 size) {
  constexpr i32 kCollapse = 25;  // MADV_COLLAPSE
  for (u64 at = begin; at < begin + size; at += pico::kHugePageSize) {
    // Only what has a page already is collapsed.
    *reinterpret_cast<volatile std::byte*>(at) = *reinterpret_cast<volatile std::byte*>(at);
  }
  (void)host::advise_memory(begin, size, kCollapse);
}

}  // namespace

void initialise(u64 begin, u64 size) {
  LXSS_ASSERT(begin == kHeapAt);
  Heap& h = *new (reinterpret_cast<void*>(begin)) Heap;
  constexpr u64 kLargest = kPageSize << kMaxOrder;
  h.pages = reinterpret_cast<PageInfo*>(page_ceil(begin + sizeof(Heap)));
  u64 end = begin + size;
  h.base = align_up(reinterpret_cast<u64>(h.pages) + size / kPageSize * sizeof(PageInfo), kLargest);
  h.page_count = (end - h.base) / kPageSize;
  h.frontier = kFirstPage;
  make_huge(pico::kArenaBegin, pico::kHugePageSize);
  make_huge(h.address(kFirstPage), kHugePages * kPageSize);
}

Statistics statistics() {
  MutexHeld held(heap().mutex);
  return {heap().used, kLimitPages};
}

bool has_room() { return heap().used + kReservePages < kLimitPages; }

}  // namespace lxss::heap

void* operator new(std::size_t size) { return lxss::heap::allocate(size); }
void* operator new[](std::size_t size) { return lxss::heap::allocate(size); }
void operator delete(void* object) noexcept { lxss::heap::release(object); }
void operator delete[](void* object) noexcept { lxss::heap::release(object); }
void operator delete(void* object, std::size_t) noexcept { lxss::heap::release(object); }
void operator delete[](void* object, std::size_t) noexcept { lxss::heap::release(object); }
