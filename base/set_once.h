// A reference to a shared object that is set once and read by anyone without a lock.
#pragma once

#include "base/ref_ptr.h"

namespace lxss {

template <typename T>
class SetOnce {
 public:
  SetOnce() = default;
  SetOnce(const SetOnce&) = delete;
  SetOnce& operator=(const SetOnce&) = delete;
  ~SetOnce() {
    if (T* object = get()) object->unref();
  }

  /// Null until it is set; alive as long as this.
  T* get() const { return object_.load(std::memory_order_acquire); }
  explicit operator bool() const { return get() != nullptr; }
  T* operator->() const { return get(); }
  /// False, and nothing happens, if it was set.
  bool set(RefPtr<T> object) {
    T* expected = nullptr;
    if (!object_.compare_exchange_strong(expected, object.get(), std::memory_order_acq_rel)) {
      return false;
    }
    (void)object.leak();
    return true;
  }
  RefPtr<T> ref() const { return RefPtr<T>(get()); }

 private:
  std::atomic<T*> object_{nullptr};
};

}  // namespace lxss
