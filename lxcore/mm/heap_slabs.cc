#include "lxcore/mm/heap_slabs.h"

#include <bit>
#include <new>

namespace lxss::heap {

namespace {

Slab& slab_of(u64 address) { return *reinterpret_cast<Slab*>(address & ~(kSlabSize - 1)); }
u64 address_of(const Slab& slab) { return reinterpret_cast<u64>(&slab); }

/// One store, not torn by the compiler; what is written before it stays before it.
void store(u64& word, u64 value) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  *const_cast<volatile u64*>(&word) = value;
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

}  // namespace

void poison(void* begin, usize size) { __builtin_memset(begin, kPoison, size); }

bool is_poisoned(const void* begin, usize size) {
  const auto* bytes = static_cast<const u8*>(begin);
  return std::all_of(bytes, bytes + size, [](u8 byte) { return byte == kPoison; });
}

void check_poison(const void* begin, usize size) {
  if (!is_poisoned(begin, size)) LXSS_PANIC("freed kernel memory was written to");
}

class SizeClass::Held {
 public:
  Held(SizeClass& of, PageAllocator& pages, Owner self) : class_(of) {
    if (!class_.lock_.lock(self)) class_.rebuild(pages, self);
  }
  ~Held() { class_.lock_.unlock(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  SizeClass& class_;
};

void SizeClass::initialise(u32 size_class) {
  size_class_ = size_class;
  shape_ = slab_shape(size_class);
}

void SizeClass::link(Slab& slab) {
  slab.next = partial_;
  slab.previous = nullptr;
  if (partial_) partial_->previous = &slab;
  partial_ = &slab;
}

void SizeClass::unlink(Slab& slab) {
  if (slab.previous) {
    slab.previous->next = slab.next;
  } else {
    partial_ = slab.next;
  }
  if (slab.next) slab.next->previous = slab.previous;
  slab.next = slab.previous = nullptr;
}

/// Nobody else's before it is linked.
Slab* SizeClass::make_slab(PageAllocator& pages, Owner self) const {
  const u64 at = pages.allocate(kSlabOrder, self);
  auto* slab = new (reinterpret_cast<void*>(at)) Slab;
  slab->free_count = shape_.capacity;
  for (u32 word = 0; word < shape_.words; ++word) {
    const u32 left = shape_.capacity - word * 64;
    slab->free[word] = left >= 64 ? ~u64{0} : (u64{1} << left) - 1;
  }
  if constexpr (kPoisons) {
    poison(reinterpret_cast<void*>(at + shape_.begin), usize{shape_.capacity} * shape_.size);
  }
  return slab;
}

usize SizeClass::take_from(const PageAllocator& pages, Slab& slab, std::span<ObjectName> to) {
  const u64 begin = address_of(slab) + shape_.begin - pages.base();
  usize got = 0;
  u16 word = slab.first_word;
  for (; word < shape_.words; ++word) {
    u64 free = slab.free[word];
    for (; free != 0 && got < to.size(); free &= free - 1) {
      const u64 index = word * 64u + static_cast<u32>(std::countr_zero(free));
      to[got++] = static_cast<ObjectName>((begin + index * shape_.size) / kGrain);
    }
    store(slab.free[word], free);
    if (free != 0) break;
  }
  slab.first_word = word;
  slab.free_count = static_cast<u16>(slab.free_count - got);
  return got;
}

usize SizeClass::take(PageAllocator& pages, Owner self, std::span<ObjectName> to) {
  Slab* made = nullptr;
  for (;;) {
    {
      Held held(*this, pages, self);
      if (made) {
        pages.set_slab(address_of(*made), size_class_);
        link(*made);
      }
      usize got = 0;
      while (got < to.size() && partial_) {
        Slab& slab = *partial_;
        got += take_from(pages, slab, to.subspan(got));
        if (slab.free_count == 0) unlink(slab);
      }
      if (got != 0) return got;
    }
    made = make_slab(pages, self);
  }
}

void SizeClass::put_into_slab(Slab& slab, u64 address) {
  const u32 distance = static_cast<u32>(address - address_of(slab)) - shape_.begin;
  const u32 index = distance / shape_.size;
  u64& word = slab.free[index / 64];
  const u64 bit = u64{1} << index % 64;
  LXSS_ASSERT(index < shape_.capacity && !(word & bit));
  store(word, word | bit);
  slab.first_word = std::min(slab.first_word, static_cast<u16>(index / 64));
  if (slab.free_count++ == 0) link(slab);
}

/// One empty slab of a class stays, so that alternating calls do not rebuild it.
bool SizeClass::is_spare(const Slab& slab) const {
  return slab.free_count == shape_.capacity && (slab.next || slab.previous);
}

void SizeClass::put(PageAllocator& pages, Owner self, std::span<const ObjectName> objects) {
  Slab* spares = nullptr;
  {
    Held held(*this, pages, self);
    for (ObjectName object : objects) {
      const u64 address = pages.base() + u64{object} * kGrain;
      Slab& slab = slab_of(address);
      put_into_slab(slab, address);
      if (!is_spare(slab)) continue;
      unlink(slab);
      pages.clear_slab(address_of(slab));
      slab.next = spares;
      spares = &slab;
    }
  }
  while (spares) {
    const u64 address = address_of(*spares);
    spares = spares->next;
    pages.free(address, self);
  }
}

void SizeClass::rebuild(PageAllocator& pages, Owner self) {
  partial_ = nullptr;
  pages.for_each_slab(size_class_, self, [this](u64 address) {
    Slab& slab = slab_of(address);
    u32 free_count = 0;
    for (u32 word = 0; word < shape_.words; ++word) {
      for (u64 free = slab.free[word]; free != 0; free &= free - 1) ++free_count;
    }
    slab.free_count = static_cast<u16>(free_count);
    slab.first_word = 0;
    slab.next = slab.previous = nullptr;
    if (free_count != 0) link(slab);
  });
}

bool SizeClass::recover(PageAllocator& pages, Owner dead, Owner self) {
  if (!lock_.take_over(dead, self)) return false;
  rebuild(pages, self);
  lock_.unlock();
  return true;
}

}  // namespace lxss::heap
