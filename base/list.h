// Intrusive doubly linked list. An element derives from ListNode<Tag> once for
// each list that it can be on; it knows whether it is linked and unlinks itself.
//
// At each instant the list is whole when followed forwards: who is stopped in the middle of a
// change leaves what repair() can mend.
#pragma once

#include <atomic>

#include "base/assert.h"
#include "base/types.h"

namespace lxss {

template <typename Tag>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool linked() const { return next_ != nullptr; }
  void unlink() {
    if (!next_) return;
    previous_->next_ = next_;
    std::atomic_signal_fence(std::memory_order_release);
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <typename, typename>
  friend class List;
  ListNode* next_ = nullptr;
  ListNode* previous_ = nullptr;
};

/// A list of T, which derives from ListNode<Tag>. The list owns nothing.
template <typename T, typename Tag = T>
class List {
  using Node = ListNode<Tag>;

 public:
  List() { head_.next_ = head_.previous_ = &head_; }
  ~List() {
    while (!empty()) front().Node::unlink();
    head_.next_ = head_.previous_ = nullptr;
  }

  bool empty() const { return head_.next_ == &head_; }
  T& front() { return *static_cast<T*>(head_.next_); }
  T& back() { return *static_cast<T*>(head_.previous_); }
  void push_back(T& element) { insert(&head_, element); }
  void push_front(T& element) { insert(head_.next_, element); }
  T& pop_front() {
    LXSS_ASSERT(!empty());
    T& first = front();
    first.Node::unlink();
    return first;
  }

  bool contains(const T& element) {
    const Node* wanted = &element;
    for (Node* node = head_.next_; node != &head_; node = node->next_) {
      if (node == wanted) return true;
    }
    return false;
  }
  /// The number of elements, after an insertion or removal that was not finished: the one it was of
  /// is on the list or is not, and may say that it is linked when it is not (disown()).
  usize repair() {
    usize count = 0;
    Node* before = &head_;
    for (Node* node = head_.next_; node != &head_; node = node->next_, ++count) {
      node->previous_ = before;
      before = node;
    }
    head_.previous_ = before;
    return count;
  }
  static void disown(T& element) {
    Node* node = &element;
    node->next_ = node->previous_ = nullptr;
  }

  class Iterator {
   public:
    explicit Iterator(Node* at) : at_(at), next_(at->next_) {}
    T& operator*() const { return *static_cast<T*>(at_); }
    T* operator->() const { return static_cast<T*>(at_); }
    /// The element just visited may have been unlinked.
    Iterator& operator++() {
      at_ = next_;
      next_ = at_->next_;
      return *this;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    Node* at_;
    Node* next_;
  };
  Iterator begin() { return Iterator(head_.next_); }
  Iterator end() { return Iterator(&head_); }

 private:
  void insert(Node* before, T& element) {
    Node* node = &element;
    LXSS_ASSERT(!node->linked());
    node->next_ = before;
    node->previous_ = before->previous_;
    std::atomic_signal_fence(std::memory_order_release);
    before->previous_->next_ = node;
    std::atomic_signal_fence(std::memory_order_release);
    before->previous_ = node;
  }

  Node head_;
};

}  // namespace lxss
