// The time that file systems write into inodes.
#pragma once

#include "abi/linux/stat.h"
#include "base/types.h"
#include "host/clock.h"

namespace lxss::vfs {

inline abi::Timespec now() {
  u64 ns = host::realtime_ns();
  return {static_cast<i64>(ns / abi::kNSEC_PER_SEC), static_cast<i64>(ns % abi::kNSEC_PER_SEC)};
}

/// The time to set for one that a guest gave: kUTIME_NOW is now.
inline abi::Timespec resolve_time(const abi::Timespec& given) {
  return given.tv_nsec == abi::kUTIME_NOW ? now() : given;
}

}  // namespace lxss::vfs
