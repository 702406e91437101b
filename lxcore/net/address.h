// Socket addresses of any family, as system calls pass them.
#pragma once

#include <cstring>
#include <span>

#include "abi/linux/socket.h"
#include "base/types.h"

namespace lxss::net {

struct Address {
  static constexpr usize kMaxSize = sizeof(abi::SockaddrStorage);

  u32 size = 0;  ///< bytes in use; 0: no address
  alignas(8) std::byte bytes[kMaxSize] = {};

  explicit operator bool() const { return size != 0; }
  /// kAF_UNSPEC if there is none.
  i32 family() const {
    u16 family = 0;
    if (size >= sizeof family) std::memcpy(&family, bytes, sizeof family);
    return family;
  }
  std::span<const std::byte> span() const { return {bytes, size}; }

  /// The address as a structure, zeros where it is shorter.
  template <typename T>
  T as() const {
    static_assert(sizeof(T) <= kMaxSize);
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  template <typename T>
  static Address of(const T& value, usize size = sizeof(T)) {
    static_assert(sizeof(T) <= kMaxSize);
    Address result;
    result.size = static_cast<u32>(size);
    std::memcpy(result.bytes, &value, size);
    return result;
  }
};

}  // namespace lxss::net
