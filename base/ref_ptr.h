// Intrusive reference counting for shared kernel objects.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <utility>

#include "base/assert.h"
#include "base/types.h"

namespace lxss {

/// Base of objects held by RefPtr. A new object has one reference, which
/// adopt() or make_ref() hands to its first RefPtr.
class RefCounted {
 public:
  void ref() const { references_.fetch_add(1, std::memory_order_relaxed); }
  void unref() const {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      const_cast<RefCounted*>(this)->last_unref();
    }
  }
  /// For who has it without a reference, from a table that it leaves at its end: false if it is
  /// going already.
  bool try_ref() const {
    u32 count = references_.load(std::memory_order_relaxed);
    while (count != 0) {
      if (references_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed))
        return true;
    }
    return false;
  }
  u32 reference_count() const { return references_.load(std::memory_order_relaxed); }

  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

 protected:
  RefCounted() = default;
  virtual ~RefCounted() = default;
  /// Called once, without references left; the default deletes the object.
  virtual void last_unref() { delete this; }

 private:
  mutable std::atomic<u32> references_{1};
};

template <typename T>
class RefPtr {
 public:
  constexpr RefPtr() = default;
  constexpr RefPtr(std::nullptr_t) {}
  RefPtr(T* object) : object_(object) {
    if (object_) object_->ref();
  }
  RefPtr(T& object) : RefPtr(&object) {}
  RefPtr(const RefPtr& other) : RefPtr(other.object_) {}
  RefPtr(RefPtr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <typename U>
  requires std::derived_from<U, T> RefPtr(const RefPtr<U>& other)
      : RefPtr(static_cast<T*>(other.get())) {}
  template <typename U>
  requires std::derived_from<U, T> RefPtr(RefPtr<U>&& other)
  noexcept : object_(other.leak()) {}
  RefPtr& operator=(RefPtr other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~RefPtr() {
    if (object_) object_->unref();
  }

  T* get() const { return object_; }
  T& operator*() const {
    LXSS_ASSERT(object_);
    return *object_;
  }
  T* operator->() const {
    LXSS_ASSERT(object_);
    return object_;
  }
  explicit operator bool() const { return object_ != nullptr; }
  bool operator==(const RefPtr& other) const { return object_ == other.object_; }
  bool operator==(const T* other) const { return object_ == other; }
  bool operator==(std::nullptr_t) const { return object_ == nullptr; }
  auto operator<=>(const RefPtr& other) const { return object_ <=> other.object_; }

  /// Gives up ownership of the reference without dropping it.
  T* leak() { return std::exchange(object_, nullptr); }
  static RefPtr adopt(T* object) {
    RefPtr result;
    result.object_ = object;
    return result;
  }

 private:
  T* object_ = nullptr;
};

template <typename T, typename... Args>
RefPtr<T> make_ref(Args&&... args) {
  return RefPtr<T>::adopt(new T(std::forward<Args>(args)...));
}

}  // namespace lxss
