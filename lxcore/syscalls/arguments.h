// System call arguments: each type decodes itself from a register and prints itself for
// the trace. A handler's signature is thereby the other half of its table row.
#pragma once

#include <concepts>

#include "base/flags.h"
#include "base/text.h"
#include "lxcore/mm/user_memory.h"
#include "lxcore/task/process.h"

namespace lxss {

/// First parameter of a handler that runs without the kernel lock.
struct UnlockedTask {
  Task& task;
  UnlockedTask(Task& of) : task(of) {}
  Task* operator->() const { return &task; }
  operator Task&() const { return task; }
};

template <typename T>
struct Argument;

template <std::integral T>
struct Argument<T> {
  static T decode(u64 raw) { return static_cast<T>(raw); }
  static void print(TextBuilder& out, T value) {
    if (value > 0xffff) {
      out << "0x";
      out.hex(static_cast<u64>(value));
    } else {
      out << value;
    }
  }
};

template <typename Tag, typename Rep>
struct Argument<StrongInt<Tag, Rep>> {
  static StrongInt<Tag, Rep> decode(u64 raw) { return StrongInt<Tag, Rep>(static_cast<Rep>(raw)); }
  static void print(TextBuilder& out, StrongInt<Tag, Rep> value) {
    if (value.value == abi::kAT_FDCWD) {
      out << "AT_FDCWD";
    } else {
      out << value.value;
    }
  }
};

template <typename E>
struct Argument<Flags<E>> {
  using Raw = typename Flags<E>::Raw;
  static Flags<E> decode(u64 raw) { return Flags<E>(static_cast<Raw>(raw)); }
  static void print(TextBuilder& out, Flags<E> value) {
    out << "0x";
    out.hex(static_cast<u64>(value.raw()));
  }
};

template <>
struct Argument<UserAddr> {
  static UserAddr decode(u64 raw) { return UserAddr{raw}; }
  static void print(TextBuilder& out, UserAddr value) {
    if (!value) {
      out << "NULL";
    } else {
      out << "0x";
      out.hex(value.value);
    }
  }
};

template <typename Pointer>
struct PointerArgument {
  static Pointer decode(u64 raw) { return Pointer{UserAddr{raw}}; }
  static void print(TextBuilder& out, const Pointer& value) {
    Argument<UserAddr>::print(out, value.address);
  }
};
template <typename T>
struct Argument<UserIn<T>> : PointerArgument<UserIn<T>> {};
template <typename T>
struct Argument<UserOut<T>> : PointerArgument<UserOut<T>> {};
template <typename T>
struct Argument<UserInOut<T>> : PointerArgument<UserInOut<T>> {};

template <>
struct Argument<UserString> {
  static UserString decode(u64 raw) { return UserString{UserAddr{raw}}; }
  static void print(TextBuilder& out, const UserString& value);
};

/// What a handler returns, as the guest's result register.
inline i64 to_register(const Result<void>& result) {
  return result.ok() ? 0 : -static_cast<i64>(result.error());
}
template <typename T>
i64 to_register(const Result<T>& result) {
  if (!result.ok()) return -static_cast<i64>(result.error());
  const T& value = result.value();
  if constexpr (requires { value.value; }) {
    return static_cast<i64>(value.value);
  } else {
    return static_cast<i64>(value);
  }
}

}  // namespace lxss
