// Result<T>: a T or a guest Errno. TRY unwraps or returns the error to the caller.
#pragma once

#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "base/assert.h"
#include "base/errno.h"

namespace lxss {

template <typename T = void>
class [[nodiscard]] Result {
 public:
  Result(const T& value) : ok_(true) { std::construct_at(&value_, value); }
  Result(T&& value) : ok_(true) { std::construct_at(&value_, std::move(value)); }
  template <typename U>
  requires(std::is_convertible_v<U&&, T> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
           !std::is_same_v<std::remove_cvref_t<U>, Errno> &&
           !std::is_same_v<std::remove_cvref_t<U>, Result>) Result(U&& value)
      : ok_(true) {
    std::construct_at(&value_, std::forward<U>(value));
  }
  Result(Errno error) : error_(error), ok_(false) {}

  Result(Result&& other) noexcept : ok_(other.ok_) { take(std::move(other)); }
  Result& operator=(Result&& other) noexcept {
    if (this != &other) {
      destroy();
      ok_ = other.ok_;
      take(std::move(other));
    }
    return *this;
  }
  ~Result() { destroy(); }

  bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  Errno error() const {
    LXSS_ASSERT(!ok_);
    return error_;
  }
  bool is(Errno error) const { return !ok_ && error_ == error; }

  T& value() & {
    LXSS_ASSERT(ok_);
    return value_;
  }
  const T& value() const& {
    LXSS_ASSERT(ok_);
    return value_;
  }
  T&& value() && {
    LXSS_ASSERT(ok_);
    return std::move(value_);
  }
  T& operator*() & { return value(); }
  T* operator->() { return &value(); }
  T value_or(T fallback) const { return ok_ ? value_ : fallback; }

 private:
  void take(Result&& other) {
    if (ok_) {
      std::construct_at(&value_, std::move(other.value_));
    } else {
      error_ = other.error_;
    }
  }
  void destroy() {
    if (ok_) std::destroy_at(&value_);
  }

  union {
    T value_;
    Errno error_;
  };
  bool ok_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() : error_(Errno{0}) {}
  Result(Errno error) : error_(error) {}
  bool ok() const { return error_ == Errno{0}; }
  explicit operator bool() const { return ok(); }
  Errno error() const {
    LXSS_ASSERT(!ok());
    return error_;
  }
  bool is(Errno error) const { return error_ == error; }
  void value() const { LXSS_ASSERT(ok()); }

 private:
  Errno error_;
};

}  // namespace lxss

/// The value of a Result, or return its error from the enclosing function.
#define TRY(expression)                 \
  ({                                    \
    auto try_result_ = (expression);    \
    if (!try_result_.ok()) [[unlikely]] \
      return try_result_.error();       \
    std::move(try_result_).value();     \
  })

/// The value of a Result that cannot fail.
#define MUST(expression) ((expression).value())
