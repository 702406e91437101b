// The heap's pages: a buddy allocator.
//
// The truth is the head of each block: a word that says how large the block is and whether it is
// free. Each change of it is one store, before and after which the blocks lie one behind the other
// without gaps; the lists of free blocks follow from it. So a death at any instant leaves what
// rebuild() can put in order; it may cost the one block that was just being handed out.
//
// Blocks of kReleaseOrder and more give their memory back to the host when they are freed, without
// the lock.
#pragma once

#include <atomic>
#include <type_traits>

#include "base/assert.h"
#include "lxcore/mm/heap_lock.h"

namespace lxss::heap {

/// Blocks are of kPageSize << order bytes, aligned to their size.
inline constexpr u32 kMaxOrder = 14;
inline constexpr u32 kReleaseOrder = 4;

enum class BlockState : u8 { kNever = 0, kFree, kAllocated, kSlab, kReleasing };

struct BlockHead {
  u8 order = 0;
  BlockState state = BlockState::kNever;
  u8 size_class = 0;  ///< of a slab
  u8 unused = 0;
};
static_assert(std::has_unique_object_representations_v<BlockHead>);

class PageAllocator {
 public:
  struct Settings {
    u64 begin = 0, end = 0;  ///< zeroed memory; the table of pages comes first
    u64 limit_pages = 0;
    u64 reserve_pages = 0;  ///< has_room() is false when less than this is left of the limit
    u64 kept_pages = 0;     ///< the first ones are never given back to the host
  };
  /// Once.
  void initialise(const Settings& settings);

  /// The address of a block; panics at the limit.
  u64 allocate(u32 order, Owner self);
  /// Of the block that begins at `address`.
  void free(u64 address, Owner self);
  /// A thread that died may have been in free(): if so, it is finished for it.
  void finish_free(u64 address, Owner dead, Owner self);

  /// One load of a flag that rarely changes.
  bool has_room() const { return has_room_.load(std::memory_order_relaxed); }
  u64 used() const { return used_.load(std::memory_order_relaxed); }
  u64 limit() const { return limit_; }
  u64 first_address() const { return address_of(kFirstPage); }

  /// Objects are named by their distance from page 0, in grains, where that is handier than an
  /// address. Nothing has the name 0.
  u64 base() const { return base_; }

  /// The head of the block at the page of an address that is a block's, or a small object's.
  BlockHead head(u64 address) const {
    return pages_[page_of(address)].head.load(std::memory_order_relaxed);
  }
  /// The owner of an allocated block makes it a slab or an ordinary block again.
  void set_slab(u64 address, u32 size_class);
  void clear_slab(u64 address);

  /// Calls `with(address)` for each slab, under the lock.
  template <typename With>
  void for_each_slab(u32 size_class, Owner self, With with) {
    Held held(*this, self);
    for (u64 page = kFirstPage; page < frontier_;) {
      const BlockHead block = pages_[page].head.load(std::memory_order_relaxed);
      if (block.state == BlockState::kSlab && block.size_class == size_class)
        with(address_of(page));
      page += u64{1} << block.order;
    }
  }

  /// After a death: puts in order what `dead` was changing, if it held the lock.
  bool recover(Owner dead, Owner self);
  Owner lock_owner() const { return lock_.owner(); }

 private:
  friend struct PageAllocatorTest;

  /// Page number 0 means none in the lists.
  static constexpr u64 kFirstPage = u64{1} << kMaxOrder;

  struct Page {
    /// Of a free block: in the list of its order; guarded by lock_. `next` of one that is being
    /// released: who does it.
    u32 next, previous;
    std::atomic<BlockHead> head;  ///< written under lock_, or by the owner of an allocated block
  };

  class Held {
   public:
    Held(PageAllocator& pages, Owner self) : pages_(pages) {
      if (!pages_.lock_.lock(self)) pages_.rebuild();
    }
    ~Held() { pages_.lock_.unlock(); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

   private:
    PageAllocator& pages_;
  };

  u64 address_of(u64 page) const { return base_ + page * kPageSize; }
  u64 page_of(u64 address) const { return (address - base_) / kPageSize; }
  void set_head(u64 page, u32 order, BlockState state) {
    // Before and after which other memory is written: a death sees each of the stores or none that
    // comes behind.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    pages_[page].head.store({static_cast<u8>(order), state, 0, 0}, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  bool is_free(u64 page, u32 order) const {
    const BlockHead block = pages_[page].head.load(std::memory_order_relaxed);
    return block.state == BlockState::kFree && block.order == order;
  }
  void punch_and_free(u32 page, Owner self);
  void link(u32 page, u32 order);
  void unlink(u32 page, u32 order);
  void extend();
  void set_used(u64 pages);
  void rebuild();

  // Set once by initialise(), read by all.
  u64 base_ = 0;  ///< address of page 0, aligned to the largest block
  u64 page_count_ = 0;
  u64 limit_ = 0, reserve_ = 0, kept_ = 0;
  Page* pages_ = nullptr;

  /// Changes under lock_ when the reserve is reached or free again; read by all.
  std::atomic<bool> has_room_{true};

  alignas(64) Lock lock_;
  // Guarded by lock_.
  u32 free_heads_[kMaxOrder + 1] = {};
  u64 frontier_ = kFirstPage;  ///< pages from here on were never used
  std::atomic<u64> used_{0};   ///< read by all
};

}  // namespace lxss::heap
