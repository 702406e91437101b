// Host descriptors. On a Linux host the descriptor table is shared by all pico
// processes of an instance, so a number kept in the arena is good in each of them.
#pragma once

#include <utility>

#include "base/types.h"

namespace lxss::host {

using Fd = StrongInt<struct HostFdTag, i32>;
inline constexpr Fd kNoFd{-1};

void close(Fd fd);

/// Sole owner of a host descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(Fd fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = other.release();
    }
    return *this;
  }
  ~UniqueFd() { reset(); }

  Fd get() const { return fd_; }
  explicit operator bool() const { return fd_.value >= 0; }
  Fd release() { return std::exchange(fd_, kNoFd); }
  void reset() {
    if (fd_.value >= 0) close(release());
  }

 private:
  Fd fd_ = kNoFd;
};

}  // namespace lxss::host
