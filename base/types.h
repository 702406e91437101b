// Fixed-width integers and the strong types that every layer uses.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace lxss {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using usize = std::size_t;
using isize = std::ptrdiff_t;

inline constexpr usize kPageSize = 4096;

constexpr u64 page_floor(u64 value) { return value & ~u64{kPageSize - 1}; }
constexpr u64 page_ceil(u64 value) { return (value + kPageSize - 1) & ~u64{kPageSize - 1}; }
constexpr u64 align_up(u64 value, u64 alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

/// An integer that does not mix with others of its representation.
template <typename Tag, typename Rep>
struct StrongInt {
  Rep value{};
  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Rep raw) : value(raw) {}
  constexpr auto operator<=>(const StrongInt&) const = default;
};

using Fd = StrongInt<struct FdTag, i32>;    ///< a guest's descriptor number
using Pid = StrongInt<struct PidTag, i32>;  ///< guest process, thread, group or session id

/// An address in a guest's address space; nothing dereferences it.
struct UserAddr {
  u64 value = 0;
  constexpr UserAddr() = default;
  constexpr explicit UserAddr(u64 raw) : value(raw) {}
  constexpr explicit operator bool() const { return value != 0; }
  constexpr UserAddr operator+(u64 bytes) const { return UserAddr{value + bytes}; }
  constexpr auto operator<=>(const UserAddr&) const = default;
};

}  // namespace lxss
