#include "lxcore/mm/heap_pages.h"

#include "abi/linux/mman.h"
#include "host/memory.h"

namespace lxss::heap {

void PageAllocator::initialise(const Settings& settings) {
  constexpr u64 kLargest = kPageSize << kMaxOrder;
  const u64 most_pages = (settings.end - settings.begin) / kPageSize;
  pages_ = reinterpret_cast<Page*>(settings.begin);
  base_ = align_up(settings.begin + most_pages * sizeof(Page), kLargest);
  page_count_ = (settings.end - base_) / kPageSize;
  limit_ = settings.limit_pages;
  reserve_ = settings.reserve_pages;
  kept_ = settings.kept_pages;
}

void PageAllocator::link(u32 page, u32 order) {
  Page& info = pages_[page];
  info.next = free_heads_[order];
  info.previous = 0;
  if (info.next) pages_[info.next].previous = page;
  free_heads_[order] = page;
}

void PageAllocator::unlink(u32 page, u32 order) {
  Page& info = pages_[page];
  if (info.previous) {
    pages_[info.previous].next = info.next;
  } else {
    free_heads_[order] = info.next;
  }
  if (info.next) pages_[info.next].previous = info.previous;
}

/// One more block of the largest size.
void PageAllocator::extend() {
  constexpr u64 kStep = u64{1} << kMaxOrder;
  if (frontier_ + kStep > page_count_) LXSS_PANIC("the arena is full");
  const u32 page = static_cast<u32>(frontier_);
  set_head(page, kMaxOrder, BlockState::kFree);
  frontier_ += kStep;
  link(page, kMaxOrder);
}

void PageAllocator::set_used(u64 pages) {
  used_.store(pages, std::memory_order_relaxed);
  const bool room = pages + reserve_ < limit_;
  if (room != has_room_.load(std::memory_order_relaxed)) {
    has_room_.store(room, std::memory_order_relaxed);
  }
}

u64 PageAllocator::allocate(u32 order, Owner self) {
  Held held(*this, self);
  const u64 used = used_.load(std::memory_order_relaxed) + (u64{1} << order);
  if (used > limit_) LXSS_PANIC("the kernel's memory limit is reached");
  u32 from = order;
  while (from <= kMaxOrder && !free_heads_[from]) ++from;
  if (from > kMaxOrder) {
    extend();
    from = kMaxOrder;
  }
  const u32 page = free_heads_[from];
  unlink(page, from);
  while (from > order) {
    --from;
    const u32 upper = page + (1u << from);
    set_head(upper, from, BlockState::kFree);
    link(upper, from);
    set_head(page, from, BlockState::kFree);
  }
  set_head(page, order, BlockState::kAllocated);
  set_used(used);
  return address_of(page);
}

void PageAllocator::free(u64 address, Owner self) {
  const BlockHead block = head(address);
  LXSS_ASSERT(block.state == BlockState::kAllocated && address % (kPageSize << block.order) == 0);
  const u32 page = static_cast<u32>(page_of(address));
  pages_[page].next = self;
  set_head(page, block.order, BlockState::kReleasing);
  punch_and_free(page, self);
}

void PageAllocator::finish_free(u64 address, Owner dead, Owner self) {
  const u32 page = static_cast<u32>(page_of(address));
  if (head(address).state != BlockState::kReleasing || pages_[page].next != dead) return;
  pages_[page].next = self;
  punch_and_free(page, self);
}

/// Without the lock nobody but the caller looks at a block that is being released.
void PageAllocator::punch_and_free(u32 page, Owner self) {
  u32 order = pages_[page].head.load(std::memory_order_relaxed).order;
  if (order >= kReleaseOrder && page >= kFirstPage + kept_) {
    (void)host::advise_memory(address_of(page), kPageSize << order, abi::kMADV_REMOVE);
  }
  Held held(*this, self);
  set_used(used_.load(std::memory_order_relaxed) - (u64{1} << order));
  set_head(page, order, BlockState::kFree);
  while (order < kMaxOrder) {
    const u32 buddy = page ^ (1u << order);
    if (!is_free(buddy, order)) break;
    unlink(buddy, order);
    page &= ~(1u << order);
    ++order;
  }
  set_head(page, order, BlockState::kFree);
  link(page, order);
}

void PageAllocator::set_slab(u64 address, u32 size_class) {
  auto& head = pages_[page_of(address)].head;
  BlockHead block = head.load(std::memory_order_relaxed);
  block.state = BlockState::kSlab;
  block.size_class = static_cast<u8>(size_class);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  head.store(block, std::memory_order_relaxed);
}

void PageAllocator::clear_slab(u64 address) {
  auto& head = pages_[page_of(address)].head;
  BlockHead block = head.load(std::memory_order_relaxed);
  block.state = BlockState::kAllocated;
  head.store(block, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

void PageAllocator::rebuild() {
  for (u32& head : free_heads_) head = 0;
  u64 used = 0;
  for (u64 page = kFirstPage; page < frontier_;) {
    const BlockHead block = pages_[page].head.load(std::memory_order_relaxed);
    LXSS_ASSERT(block.state != BlockState::kNever && block.order <= kMaxOrder);
    if (block.state == BlockState::kFree) {
      link(static_cast<u32>(page), block.order);
    } else {
      used += u64{1} << block.order;
    }
    page += u64{1} << block.order;
  }
  set_used(used);
}

bool PageAllocator::recover(Owner dead, Owner self) {
  if (!lock_.take_over(dead, self)) return false;
  rebuild();
  lock_.unlock();
  return true;
}

}  // namespace lxss::heap
