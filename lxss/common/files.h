// Host descriptors and whole-file helpers.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace lxss::common {

/// Sole owner of a host file descriptor; closes it.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset();
  /// Another descriptor for the same open file description; throws Failure.
  UniqueFd duplicate() const;

 private:
  int fd_ = -1;
};

/// open(2) with O_CLOEXEC; throws Failure naming `path`.
UniqueFd open_file(const std::string& path, int flags, mode_t mode = 0);

/// The rest of what `fd` holds, or nothing when that is more than `limit` bytes
/// or cannot be read.
std::optional<std::string> read_all(int fd, std::size_t limit);

/// The content of a regular file, or nothing when it is absent, is no regular
/// file, or is larger than `limit` bytes.
std::optional<std::string> read_text_file(const std::string& path, std::size_t limit = 1 << 20);

/// Writes everything; throws Failure ("Could not <what>: ...").
void write_all(int fd, std::string_view data, const std::string& what);

/// Creates `path` and its parents with mode 0700 where missing; throws Failure.
void make_directories(const std::string& path);

}  // namespace lxss::common
