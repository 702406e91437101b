#include "lxss/distro/volfs_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <deque>

#include "lxss/common/failure.h"
#include "lxss/common/text.h"

namespace lxss::distro {
namespace {

constexpr int kMaxSymlinks = 40;          // As path_resolution(7).
constexpr std::size_t kMaxTarget = 4095;  // PATH_MAX without its NUL.

std::string joined(const std::vector<std::string>& components) {
  std::string path;
  for (const std::string& component : components) {
    if (!path.empty()) path += '/';
    path += component;
  }
  return path;
}

void prepend(std::deque<std::string>& pending, std::string_view path) {
  const std::vector<std::string> pieces = common::split(path, '/');
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
    if (!piece->empty() && *piece != ".") pending.push_front(*piece);
  }
}

}  // namespace

std::optional<volfs::InodeRecord> read_record(int fd) {
  volfs::EncodedRecord bytes;
  const ssize_t size = ::fgetxattr(fd, volfs::kInodeAttribute, bytes.data(), bytes.size());
  if (size != ssize_t(bytes.size())) return std::nullopt;
  return volfs::decode(bytes);
}

VolfsTree VolfsTree::open(const std::string& path) {
  return VolfsTree(common::open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
}

common::UniqueFd VolfsTree::open_resolved(const std::string& resolved, int flags,
                                          mode_t mode) const {
  open_how how{};
  how.flags = std::uint64_t(flags) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const char* path = resolved.empty() ? "." : resolved.c_str();
  return common::UniqueFd(int(::syscall(SYS_openat2, root_.get(), path, &how, sizeof how)));
}

std::optional<std::string> VolfsTree::resolve(std::string_view path, bool follow_last) const {
  std::deque<std::string> pending;
  prepend(pending, path);
  std::vector<std::string> done;
  int links = 0;
  while (!pending.empty()) {
    std::string name = std::move(pending.front());
    pending.pop_front();
    if (name == "..") {
      if (!done.empty()) done.pop_back();
      continue;
    }
    done.push_back(std::move(name));
    const bool last = pending.empty();
    if (last && !follow_last) break;
    const common::UniqueFd fd = open_resolved(joined(done), O_RDONLY);
    if (!fd) {
      if (last && errno == ENOENT) break;
      return std::nullopt;
    }
    struct stat status;
    if (::fstat(fd.get(), &status) != 0) return std::nullopt;
    if (S_ISDIR(status.st_mode)) continue;
    const std::optional<volfs::InodeRecord> record = read_record(fd.get());
    if (!S_ISREG(status.st_mode) || !record || (record->mode & kTypeMask) != kSymlink) {
      if (last) break;
      return std::nullopt;
    }
    const std::optional<std::string> target = common::read_all(fd.get(), kMaxTarget);
    if (!target || target->empty() || ++links > kMaxSymlinks) return std::nullopt;
    done.pop_back();
    if (target->front() == '/') done.clear();
    prepend(pending, *target);
  }
  return joined(done);
}

std::optional<std::string> VolfsTree::read_file(std::string_view path, std::size_t limit) const {
  const std::optional<std::string> resolved = resolve(path, true);
  if (!resolved) return std::nullopt;
  const common::UniqueFd fd = open_resolved(*resolved, O_RDONLY);
  if (!fd) return std::nullopt;
  struct stat status;
  const std::optional<volfs::InodeRecord> record = read_record(fd.get());
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || !record ||
      (record->mode & kTypeMask) != kRegular) {
    return std::nullopt;
  }
  return common::read_all(fd.get(), limit);
}

}  // namespace lxss::distro
