#include "lxcore/task/id_set.h"

#include <bit>

#include "base/assert.h"

namespace lxss {

std::optional<i32> IdSet::find_free_in(const Chunk& chunk, i32 from) {
  const i32 first = from / 64;
  // The word that `from` is in may be free only below it.
  const u64 here = chunk.used[first] | ((u64{1} << from % 64) - 1);
  if (~here) return first * 64 + std::countr_one(here);
  const u64 taken = chunk.full | (first == 63 ? ~u64{0} : (u64{2} << first) - 1);
  if (!~taken) return std::nullopt;
  const i32 word = std::countr_one(taken);
  return word * 64 + std::countr_one(chunk.used[word]);
}

std::optional<i32> IdSet::find_free(i32 from, i32 to) const {
  while (from < to) {
    const i32 at = from / kChunkSize;
    std::optional<i32> found = from % kChunkSize;
    if (chunks_[static_cast<usize>(at)]) {
      found = find_free_in(*chunks_[static_cast<usize>(at)], from % kChunkSize);
    }
    if (found) {
      const i32 id = at * kChunkSize + *found;
      return id < to ? std::optional(id) : std::nullopt;
    }
    from = (at + 1) * kChunkSize;
  }
  return std::nullopt;
}

std::optional<Pid> IdSet::take_next() {
  constexpr i32 kFirstAfterWrap = 300;
  auto found = find_free(last_.value + 1, kEnd);
  if (!found) found = find_free(kFirstAfterWrap, kEnd);
  if (!found) return std::nullopt;
  last_ = Pid{*found};
  take(last_);
  return last_;
}

void IdSet::take(Pid id) {
  auto& chunk = chunks_[static_cast<usize>(id.value / kChunkSize)];
  if (!chunk) chunk = std::make_unique<Chunk>();
  const i32 at = id.value % kChunkSize;
  if (chunk->uses[at]++ != 0) return;
  ++chunk->count;
  u64& word = chunk->used[at / 64];
  word |= u64{1} << at % 64;
  if (!~word) chunk->full |= u64{1} << at / 64;
}

void IdSet::drop(Pid id) {
  auto& chunk = chunks_[static_cast<usize>(id.value / kChunkSize)];
  const i32 at = id.value % kChunkSize;
  LXSS_ASSERT(chunk && chunk->uses[at] != 0);
  if (--chunk->uses[at] != 0) return;
  chunk->used[at / 64] &= ~(u64{1} << at % 64);
  chunk->full &= ~(u64{1} << at / 64);
  if (--chunk->count == 0) chunk = nullptr;
}

bool IdSet::contains(Pid id) const {
  if (id.value < 0 || id.value >= kEnd) return false;
  const auto& chunk = chunks_[static_cast<usize>(id.value / kChunkSize)];
  return chunk && chunk->uses[id.value % kChunkSize] != 0;
}

}  // namespace lxss
