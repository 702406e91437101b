// A path given by the guest, without an allocation for those of usual length.
#pragma once

#include <cstring>

#include "lxcore/mm/user_memory.h"

namespace lxss {

class PathArgument {
 public:
  // The buffer stays as it is until a path is read into it.
  PathArgument() {}  // NOLINT
  PathArgument(const PathArgument&) = delete;
  PathArgument& operator=(const PathArgument&) = delete;

  /// EFAULT, ENAMETOOLONG.
  Result<> read(UserString from) {
    const usize part = std::min<usize>(sizeof inline_, kPageSize - from.address.value % kPageSize);
    const usize got = copy_in_partial(inline_, from.address, part);
    if (const void* end = std::memchr(inline_, 0, got)) {
      view_ = {inline_, static_cast<usize>(static_cast<const char*>(end) - inline_)};
      return {};
    }
    long_ = TRY(from.path());
    view_ = long_;
    return {};
  }
  /// An absent path is an empty one (AT_EMPTY_PATH).
  Result<> read_optional(UserString from) { return from ? read(from) : Result<>(); }

  std::string_view view() const { return view_; }
  operator std::string_view() const { return view_; }

 private:
  char inline_[256];
  std::string_view view_;
  std::string long_;
};

}  // namespace lxss

/// Declares `name`, the path that the UserString `from` points to, or returns the error.
#define TRY_PATH(name, from)                        \
  [[gnu::uninitialized]] ::lxss::PathArgument name; \
  TRY(name.read(from))
