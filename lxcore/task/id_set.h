// Ids in use, of tasks, processes, groups and sessions together. Guarded by the kernel lock.
//
// A number is in use as often as it was taken: a leader's is its task's, its process's, its
// group's and its session's. The next free one is found by bits, whatever is in use.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "base/types.h"

namespace lxss {

class IdSet {
 public:
  static constexpr i32 kEnd = 4194304;  ///< all ids are below

  /// The next free id behind the one given last; from the first ones again at the end.
  std::optional<Pid> take_next();
  void take(Pid id);
  void drop(Pid id);
  bool contains(Pid id) const;
  /// The id that was given last.
  Pid last() const { return last_; }

 private:
  static constexpr i32 kChunkSize = 4096;
  static constexpr i32 kChunks = kEnd / kChunkSize;
  struct Chunk {
    u64 used[kChunkSize / 64] = {};
    u64 full = 0;  ///< words of `used` without a free bit
    u32 count = 0;
    u8 uses[kChunkSize] = {};
  };

  /// The first free id in [from, to).
  std::optional<i32> find_free(i32 from, i32 to) const;
  static std::optional<i32> find_free_in(const Chunk& chunk, i32 from);

  std::array<std::unique_ptr<Chunk>, kChunks> chunks_;
  Pid last_{0};
};

}  // namespace lxss
