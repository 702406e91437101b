// Assertions that stay on in every build: a broken invariant stops the instance
// with a message. Guest input never reaches one.
#pragma once

namespace lxss {

/// Ends the instance (kernel half) or the process (hosted code). Defined by the
/// pico backend that is linked.
[[noreturn]] void panic(const char* file, int line, const char* message);

}  // namespace lxss

#define LXSS_PANIC(message) ::lxss::panic(__FILE__, __LINE__, message)
#define LXSS_ASSERT(condition)                                                   \
  do {                                                                           \
    if (__builtin_expect(!(condition), 0)) LXSS_PANIC("assertion: " #condition); \
  } while (false)
