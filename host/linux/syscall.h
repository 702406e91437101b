// Host system calls without libc: the FS register belongs to the guest, so
// there is no errno. Only host/linux and pico/direct include this.
#pragma once

#include <sys/syscall.h>

#include "base/result.h"

namespace lxss::host::sys {

inline i64 raw(i64 number, u64 a = 0, u64 b = 0, u64 c = 0, u64 d = 0, u64 e = 0, u64 f = 0) {
  i64 result;
  register u64 r10 asm("r10") = d;
  register u64 r8 asm("r8") = e;
  register u64 r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

/// An argument of any scalar type as a register.
template <typename T>
u64 reg(T value) {
  if constexpr (std::is_null_pointer_v<T>) {
    return 0;
  } else if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<u64>(value);
  } else {
    return static_cast<u64>(static_cast<i64>(value));
  }
}

/// Goes on after an interruption, which is not masked in a direct call and not meant for this one.
template <typename... Args>
i64 call(i64 number, Args... args) {
  i64 result;
  do {
    result = raw(number, reg(args)...);
  } while (result == -static_cast<i64>(Errno::kEINTR));
  return result;
}

/// The host's error numbers are Linux's on this host: the one place that says so.
inline Errno to_errno(i64 result) { return static_cast<Errno>(-result); }

inline Result<u64> check(i64 result) {
  if (result < 0 && result > -4096) return to_errno(result);
  return static_cast<u64>(result);
}

inline Result<> check_void(i64 result) {
  if (result < 0 && result > -4096) return to_errno(result);
  return {};
}

/// Executes a host call that pico::interrupt() can end: it then returns -EINTR, also when
/// the interruption came just before. Defined in pico/direct/trap.cc.
i64 interruptible(i64 number, u64 a = 0, u64 b = 0, u64 c = 0, u64 d = 0, u64 e = 0, u64 f = 0);

template <typename... Args>
i64 call_interruptible(i64 number, Args... args) {
  return interruptible(number, reg(args)...);
}

}  // namespace lxss::host::sys
