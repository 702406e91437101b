// How the hosted parts report what went wrong.
//
// A Failure carries one clear sentence for the person at the terminal; whoever
// throws it has already undone its own half-made work (by RAII).
#pragma once

#include <fmt/core.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

namespace lxss::common {

class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;

  template <typename... Args>
  explicit Failure(fmt::format_string<Args...> format, Args&&... args)
      : std::runtime_error(fmt::format(format, std::forward<Args>(args)...)) {}
};

/// A Failure made from errno: "cannot <what>: <reason>.", or, when the disk is
/// full, the sentence that says so.
[[noreturn]] inline void throw_errno(const std::string& what) {
  const int error = errno;
  if (error == ENOSPC || error == EDQUOT) {
    throw Failure("The host's disk is full; could not {}.", what);
  }
  throw Failure("Could not {}: {}.", what, std::strerror(error));
}

}  // namespace lxss::common
