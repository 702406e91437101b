// A hash table that is searched without a lock, inside an Epoch::Reading.
#pragma once

#include <atomic>

#include "base/types.h"

namespace lxss {

/// Elements derive from this. One that was taken out keeps its way on, so that a reader who stands
/// on it gets to the end of the chain, or of the one that the element was put into since.
template <typename T>
struct ReadTableNode {
  std::atomic<T*> next_in_table{nullptr};
};

/// T derives from ReadTableNode<T>. Changes exclude each other by a lock of the owner's. A reader
/// may miss what is being moved: who must know for certain looks again under that lock.
template <typename T, usize kBuckets>
class ReadTable {
 public:
  T* first(u32 hash) const { return bucket(hash).load(std::memory_order_acquire); }
  static T* next(const T& element) {
    return node(element).next_in_table.load(std::memory_order_acquire);
  }
  void insert(u32 hash, T& element) {
    auto& head = bucket(hash);
    node(element).next_in_table.store(head.load(std::memory_order_relaxed),
                                      std::memory_order_release);
    head.store(&element, std::memory_order_release);
  }
  void remove(u32 hash, T& element) {
    std::atomic<T*>* link = &bucket(hash);
    while (T* at = link->load(std::memory_order_relaxed)) {
      if (at == &element) {
        link->store(next(element), std::memory_order_release);
        return;
      }
      link = &node(*at).next_in_table;
    }
  }

 private:
  static ReadTableNode<T>& node(const T& element) {
    return const_cast<ReadTableNode<T>&>(static_cast<const ReadTableNode<T>&>(element));
  }
  std::atomic<T*>& bucket(u32 hash) const { return buckets_[hash % kBuckets]; }

  mutable std::atomic<T*> buckets_[kBuckets] = {};
};

}  // namespace lxss
