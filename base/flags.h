// Flags<E>: a set of the bit flags that the enum class E names.
#pragma once

#include <type_traits>

#include "base/types.h"

namespace lxss {

template <typename E>
class Flags {
 public:
  using Raw = std::underlying_type_t<E>;
  constexpr Flags() = default;
  constexpr Flags(E flag) : raw_(static_cast<Raw>(flag)) {}
  constexpr explicit Flags(Raw raw) : raw_(raw) {}

  constexpr Raw raw() const { return raw_; }
  /// True if every bit of `flag` is set.
  constexpr bool has(E flag) const {
    return (raw_ & static_cast<Raw>(flag)) == static_cast<Raw>(flag);
  }
  constexpr bool any(Flags mask) const { return (raw_ & mask.raw_) != 0; }
  /// True if no bit outside `mask` is set.
  constexpr bool within(Flags mask) const { return (raw_ & ~mask.raw_) == 0; }
  constexpr Flags without(Flags mask) const { return Flags(static_cast<Raw>(raw_ & ~mask.raw_)); }
  constexpr explicit operator bool() const { return raw_ != 0; }

  constexpr Flags operator|(Flags other) const {
    return Flags(static_cast<Raw>(raw_ | other.raw_));
  }
  constexpr Flags operator&(Flags other) const {
    return Flags(static_cast<Raw>(raw_ & other.raw_));
  }
  constexpr Flags operator~() const { return Flags(static_cast<Raw>(~raw_)); }
  constexpr Flags& operator|=(Flags other) { return *this = *this | other; }
  constexpr Flags& operator&=(Flags other) { return *this = *this & other; }
  constexpr bool operator==(const Flags&) const = default;

 private:
  Raw raw_ = 0;
};

}  // namespace lxss

/// Lets flags of the enum class E be combined with |. Stands at namespace scope after E.
#define LXSS_FLAGS(E)                                                                \
  constexpr ::lxss::Flags<E> operator|(E a, E b) { return ::lxss::Flags<E>(a) | b; } \
  constexpr ::lxss::Flags<E> operator~(E a) { return ~::lxss::Flags<E>(a); }
