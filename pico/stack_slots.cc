#include "pico/stack_slots.h"

#include <bit>

namespace lxss::pico {

namespace {

u64 bit_of(u32 slot) { return u64{1} << slot % 64; }

}  // namespace

StackSlots::~StackSlots() {
  for (auto& chunk : chunks_) delete chunk.load(std::memory_order_relaxed);
}

StackSlots::Chunk& StackSlots::chunk_of(u32 slot) {
  std::atomic<Chunk*>& place = chunks_[slot / kChunk];
  Chunk* chunk = place.load(std::memory_order_acquire);
  if (chunk) [[likely]]
    return *chunk;
  Chunk* made = new Chunk;
  if (place.compare_exchange_strong(chunk, made, std::memory_order_acq_rel)) return *made;
  delete made;
  return *chunk;
}

u32& StackSlots::busy_word(u32 slot) { return chunk_of(slot).busy[slot % kChunk]; }
Thread*& StackSlots::occupant(u32 slot) { return chunk_of(slot).occupants[slot % kChunk]; }

bool StackSlots::try_take(u32 slot) {
  u32 expected = 0;
  return __atomic_compare_exchange_n(&busy_word(slot), &expected, 1, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED);
}

/// One that a thread has left.
Result<u32> StackSlots::take_left() {
  for (u64 chunks = leaving_chunks_.load(); chunks != 0; chunks &= chunks - 1) {
    const u32 number = static_cast<u32>(std::countr_zero(chunks));
    Chunk& chunk = chunk_of(number * kChunk);
    u64 leaving = chunk.leaving.load();
    if (leaving == 0) {
      leaving_chunks_.fetch_and(~(u64{1} << number));
      // One that came between the two.
      leaving = chunk.leaving.load();
      if (leaving != 0) leaving_chunks_.fetch_or(u64{1} << number);
    }
    for (; leaving != 0; leaving &= leaving - 1) {
      const u32 slot = number * kChunk + static_cast<u32>(std::countr_zero(leaving));
      if (!try_take(slot)) continue;
      chunk.leaving.fetch_and(~bit_of(slot));
      return slot;
    }
  }
  return Errno::kEAGAIN;
}

Result<u32> StackSlots::take() {
  if (auto left = take_left()) return left;
  while (unused_.load(std::memory_order_relaxed) < kMaxThreads) {
    const u32 slot = unused_.fetch_add(1);
    if (slot < kMaxThreads && try_take(slot)) return slot;
  }
  // Who was ended by the host did not say that it left.
  for (u32 slot = 0; slot < kMaxThreads; ++slot) {
    if (!try_take(slot)) continue;
    chunk_of(slot).leaving.fetch_and(~bit_of(slot));
    return slot;
  }
  return Errno::kEAGAIN;
}

void StackSlots::claim(u32 slot) { __atomic_store_n(&busy_word(slot), 1, __ATOMIC_RELEASE); }

void StackSlots::give_back(u32 slot) {
  leave(slot);
  __atomic_store_n(&busy_word(slot), 0, __ATOMIC_RELEASE);
}

void StackSlots::leave(u32 slot) {
  chunk_of(slot).leaving.fetch_or(bit_of(slot));
  leaving_chunks_.fetch_or(u64{1} << slot / kChunk);
}

bool StackSlots::is_mapped(u32 slot) {
  return chunk_of(slot).mapped.load(std::memory_order_acquire) & bit_of(slot);
}

void StackSlots::set_mapped(u32 slot) {
  chunk_of(slot).mapped.fetch_or(bit_of(slot), std::memory_order_acq_rel);
}

void StackSlots::copy_mapped(const StackSlots& of) {
  for (u32 i = 0; i < kChunks; ++i) {
    const Chunk* chunk = of.chunks_[i].load(std::memory_order_acquire);
    if (chunk) chunk_of(i * kChunk).mapped = chunk->mapped.load(std::memory_order_acquire);
  }
}

}  // namespace lxss::pico
