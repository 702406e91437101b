// Which kernel stack slots of an address space are in use, and by whom.
//
// A slot is busy until the host clears its word, when the thread is truly gone (man 2 clone,
// CLONE_CHILD_CLEARTID); nobody is told. So a thread that ends says before which slot it leaves,
// and who looks for one tries those first, then the lowest never used: neither depends on how many
// threads there are. Only when all have been used, every word is looked at.
#pragma once

#include <atomic>

#include "base/result.h"
#include "pico/layout.h"

namespace lxss::pico {

struct Thread;

/// All of it may be used by several threads at once; each word is atomic.
class StackSlots {
 public:
  StackSlots() = default;
  ~StackSlots();
  StackSlots(const StackSlots&) = delete;
  StackSlots& operator=(const StackSlots&) = delete;

  /// A slot that was free and is busy now; EAGAIN.
  Result<u32> take();
  /// Makes a certain slot busy.
  void claim(u32 slot);
  /// It was taken, but no thread has come to run on it.
  void give_back(u32 slot);
  /// The calling thread ends; the slot is free when the host clears its word.
  void leave(u32 slot);

  /// The word that the host clears; the chunk exists once the slot was taken or claimed.
  u32& busy_word(u32 slot);
  /// The last thread on the slot, perhaps gone. Changed only by who has taken the slot.
  Thread*& occupant(u32 slot);
  template <typename With>
  void for_each_occupant(With with) {
    for (auto& place : chunks_) {
      Chunk* chunk = place.load(std::memory_order_acquire);
      if (!chunk) continue;
      for (Thread* occupant : chunk->occupants) {
        if (occupant) with(*occupant);
      }
    }
  }

  /// Whether the slot's stack is mapped in this address space.
  bool is_mapped(u32 slot);
  void set_mapped(u32 slot);
  /// For a copy of the memory whose slots `of` describes: the same stacks are mapped, none is busy.
  void copy_mapped(const StackSlots& of);

 private:
  static constexpr u32 kChunk = 64;
  static constexpr u32 kChunks = kMaxThreads / kChunk;
  static_assert(kChunks <= 64);

  struct Chunk {
    u32 busy[kChunk] = {};           ///< cleared by the host
    std::atomic<u64> mapped{0};      ///< a bit each
    std::atomic<u64> leaving{0};     ///< likewise: slots that are free, or about to be
    Thread* occupants[kChunk] = {};  ///< owned by who has the slot
  };

  Chunk& chunk_of(u32 slot);
  bool try_take(u32 slot);
  Result<u32> take_left();

  std::atomic<Chunk*> chunks_[kChunks] = {};
  std::atomic<u64> leaving_chunks_{0};  ///< those that may have a bit in `leaving`
  std::atomic<u32> unused_{0};          ///< no slot from here on was taken, except by claim()
};

}  // namespace lxss::pico
