#include "lxss/common/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lxss/common/failure.h"

namespace lxss::common {

void UniqueFd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

UniqueFd UniqueFd::duplicate() const {
  UniqueFd copy(::fcntl(fd_, F_DUPFD_CLOEXEC, 0));
  if (!copy) throw_errno("duplicate a file descriptor");
  return copy;
}

UniqueFd open_file(const std::string& path, int flags, mode_t mode) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd) throw_errno(fmt::format("open '{}'", path));
  return fd;
}

std::optional<std::string> read_all(int fd, std::size_t limit) {
  std::string text;
  char buffer[16 * 1024];
  while (true) {
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 || text.size() + std::size_t(count) > limit) return std::nullopt;
    if (count == 0) return text;
    text.append(buffer, std::size_t(count));
  }
}

std::optional<std::string> read_text_file(const std::string& path, std::size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status;
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return read_all(fd.get(), limit);
}

void write_all(int fd, std::string_view data, const std::string& what) {
  while (!data.empty()) {
    const ssize_t count = ::write(fd, data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno(what);
    data.remove_prefix(std::size_t(count));
  }
}

void make_directories(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string prefix = path.substr(0, end);
    if (::mkdir(prefix.c_str(), 0700) != 0 && errno != EEXIST) {
      throw_errno(fmt::format("create the directory '{}'", prefix));
    }
    if (end == std::string::npos) return;
  }
}

}  // namespace lxss::common
