// A first-in first-out queue of bytes on the heap.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "base/assert.h"
#include "base/types.h"

namespace lxss {

class ByteQueue {
 public:
  usize size() const { return bytes_.size() - first_; }
  bool empty() const { return size() == 0; }
  /// All that is queued, oldest first; valid until the queue changes.
  std::span<const u8> front() const { return {bytes_.data() + first_, size()}; }

  void append(std::span<const u8> bytes) {
    // Moving what is left is paid for by the bytes that have gone.
    if (first_ > size()) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<isize>(first_));
      first_ = 0;
    }
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void consume(usize count) {
    LXSS_ASSERT(count <= size());
    first_ += count;
    if (empty()) clear();
  }
  /// Forgets all but the oldest `count` bytes.
  void truncate(usize count) {
    if (count >= size()) return;
    bytes_.resize(first_ + count);
    if (empty()) clear();
  }
  void clear() {
    bytes_.clear();
    first_ = 0;
  }

 private:
  std::vector<u8> bytes_;
  usize first_ = 0;
};

}  // namespace lxss
