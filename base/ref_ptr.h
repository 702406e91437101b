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
  /// Takes a reference unless there is none left: then the object is on its way out. For those who
  /// found it without holding one, where its memory stays (lxcore/sync/epoch.h).
  bool try_ref() const {
    u32 seen = references_.load(std::memory_order_relaxed);
    while (seen != 0) {
      if (references_.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire)) return true;
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
  /// As unref(), but leaves the rest to the caller: true if there is no reference left.
  bool drop_reference() const { return references_.fetch_sub(1, std::memory_order_acq_rel) == 1; }
  /// Drops the last reference, if there is only one.
  bool drop_only_reference() const {
    u32 one = 1;
    return references_.compare_exchange_strong(one, 0, std::memory_order_acq_rel);
  }

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

  /// Of an object found without holding it: null if it has no reference left.
  static RefPtr try_take(T* object) {
    return object && object->try_ref() ? adopt(object) : RefPtr();
  }
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
