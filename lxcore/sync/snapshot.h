// A small value that is read without a lock, as it was at one moment (a sequence count).
#pragma once

#include <atomic>
#include <cstring>
#include <type_traits>

#include "base/types.h"

namespace lxss {

/// T is trivially copyable. Writers exclude each other by a lock of their own. A reader that meets
/// a writer tries again a few times; then it must read under that lock.
template <typename T>
class Snapshot {
  static_assert(std::is_trivially_copyable_v<T>);
  static constexpr usize kWords = (sizeof(T) + 7) / 8;

 public:
  Snapshot() = default;
  explicit Snapshot(const T& value) { write(value); }

  /// False if a writer was at it all the time.
  bool read(T& value) const {
    constexpr int kTries = 64;
    for (int i = 0; i < kTries; ++i) {
      const u32 before = sequence_.load(std::memory_order_acquire);
      if (before & 1) {
        __builtin_ia32_pause();
        continue;
      }
      u64 words[kWords];
      for (usize w = 0; w < kWords; ++w) words[w] = words_[w].load(std::memory_order_acquire);
      if (sequence_.load(std::memory_order_relaxed) != before) continue;
      std::memcpy(&value, words, sizeof(T));
      return true;
    }
    return false;
  }
  /// Under the writers' lock.
  T get() const {
    u64 words[kWords];
    for (usize w = 0; w < kWords; ++w) words[w] = words_[w].load(std::memory_order_relaxed);
    T value;
    std::memcpy(&value, words, sizeof(T));
    return value;
  }
  void write(const T& value) {
    u64 words[kWords] = {};
    std::memcpy(words, &value, sizeof(T));
    const u32 before = sequence_.load(std::memory_order_relaxed);
    sequence_.store(before + 1, std::memory_order_relaxed);
    for (usize w = 0; w < kWords; ++w) words_[w].store(words[w], std::memory_order_release);
    sequence_.store(before + 2, std::memory_order_release);
  }

 private:
  std::atomic<u32> sequence_{0};  ///< odd while a writer is at it
  std::atomic<u64> words_[kWords] = {};
};

}  // namespace lxss
