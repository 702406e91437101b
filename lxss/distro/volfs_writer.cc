#include "lxss/distro/volfs_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lxss/common/failure.h"

namespace lxss::distro {
namespace {

using common::Failure;
using common::throw_errno;
using common::UniqueFd;

constexpr volfs::InodeRecord kDirectory755{.mode = kDirectory | 0755};

/// Attributes and time first, the record last.
void apply(int fd, const std::string& path, const Metadata& metadata) {
  for (const Attribute& attribute : metadata.attributes) {
    const std::string name = volfs::kGuestAttributePrefix + attribute.name;
    if (::fsetxattr(fd, name.c_str(), attribute.value.data(), attribute.value.size(), 0) != 0) {
      throw_errno(fmt::format("store the attribute {} of '{}'", attribute.name, path));
    }
  }
  const timespec times[2] = {metadata.modified, metadata.modified};
  if (::futimens(fd, times) != 0) throw_errno(fmt::format("set the time of '{}'", path));
  const volfs::EncodedRecord record = volfs::encode(metadata.record);
  if (::fsetxattr(fd, volfs::kInodeAttribute, record.data(), record.size(), 0) != 0) {
    if (errno == EOPNOTSUPP) {
      throw Failure(
          "The host's file system keeps no extended attributes of users, which VolFs needs.");
    }
    throw_errno(fmt::format("store the metadata of '{}'", path));
  }
}

}  // namespace

VolfsWriter VolfsWriter::create(const std::string& path) {
  if (::mkdir(path.c_str(), volfs::kHostDirectoryMode) != 0) {
    throw_errno(fmt::format("create '{}'", path));
  }
  VolfsWriter writer(VolfsTree::open(path));
  apply(writer.tree_.root(), "/", {.record = kDirectory755});
  return writer;
}

void VolfsWriter::NewFile::finish(const Metadata& metadata) { apply(fd_.get(), name_, metadata); }

VolfsWriter::Place VolfsWriter::locate(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "" : path.substr(0, slash);
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") throw Failure("'{}' names no file.", path);
  if (!last_parent_ || parent != last_parent_path_) {
    std::optional<std::string> resolved = tree_.resolve(parent, true);
    UniqueFd directory;
    if (resolved) directory = tree_.open_resolved(*resolved, O_RDONLY | O_DIRECTORY);
    if (!directory) {
      make_parents(parent);
      resolved = tree_.resolve(parent, true);
      if (resolved) directory = tree_.open_resolved(*resolved, O_RDONLY | O_DIRECTORY);
      if (!directory) throw Failure("'{}' has a parent that is no directory.", path);
    }
    last_parent_ = std::move(directory);
    last_parent_path_ = parent;
  }
  return {last_parent_.get(), std::move(name)};
}

void VolfsWriter::make_parents(const std::string& path) {
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string prefix = path.substr(0, end);
    const std::optional<std::string> resolved = tree_.resolve(prefix, true);
    if (!resolved) throw Failure("'{}' leads through something that is no directory.", path);
    if (!resolved->empty() && !tree_.open_resolved(*resolved, O_RDONLY)) {
      create_directory(*resolved, {.record = kDirectory755});
    }
    if (end == std::string::npos) return;
  }
}

void VolfsWriter::remove_existing(const Place& place, const std::string& path) {
  if (::unlinkat(place.parent, place.name.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno == EISDIR && ::unlinkat(place.parent, place.name.c_str(), AT_REMOVEDIR) == 0) return;
  throw_errno(fmt::format("replace '{}'", path));
}

VolfsWriter::NewFile VolfsWriter::create_file(const std::string& path) {
  const Place place = locate(path);
  remove_existing(place, path);
  UniqueFd fd(::openat(place.parent, place.name.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, volfs::kHostFileMode));
  if (!fd) throw_errno(fmt::format("create '{}'", path));
  return NewFile(std::move(fd), path);
}

void VolfsWriter::create_symlink(const std::string& path, std::string_view target,
                                 const Metadata& metadata) {
  NewFile file = create_file(path);
  common::write_all(file.fd(), target, fmt::format("write '{}'", path));
  file.finish(metadata);
}

void VolfsWriter::create_special(const std::string& path, const Metadata& metadata) {
  create_file(path).finish(metadata);
}

void VolfsWriter::create_directory(const std::string& path, const Metadata& metadata) {
  if (path.empty()) return apply(tree_.root(), "/", metadata);
  const Place place = locate(path);
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd directory(::openat(place.parent, place.name.c_str(), kFlags));
  if (!directory) {
    if (errno != ENOENT) remove_existing(place, path);
    if (::mkdirat(place.parent, place.name.c_str(), volfs::kHostDirectoryMode) != 0) {
      throw_errno(fmt::format("create '{}'", path));
    }
    directory = UniqueFd(::openat(place.parent, place.name.c_str(), kFlags));
    if (!directory) throw_errno(fmt::format("open '{}'", path));
  }
  apply(directory.get(), path, metadata);
}

void VolfsWriter::create_hard_link(const std::string& path, const std::string& existing) {
  const Place source_place = locate(existing);
  // The second locate() may close the first one's directory.
  const UniqueFd source_parent(::fcntl(source_place.parent, F_DUPFD_CLOEXEC, 0));
  const UniqueFd source(::openat(source_place.parent, source_place.name.c_str(),
                                 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!source) throw_errno(fmt::format("link '{}' to '{}'", path, existing));
  const Place place = locate(path);
  struct stat status;
  struct stat present;
  if (::fstat(source.get(), &status) != 0 || S_ISDIR(status.st_mode)) {
    throw Failure("'{}' cannot be a hard link to the directory '{}'.", path, existing);
  }
  if (::fstatat(place.parent, place.name.c_str(), &present, AT_SYMLINK_NOFOLLOW) == 0) {
    if (present.st_dev == status.st_dev && present.st_ino == status.st_ino) return;
    remove_existing(place, path);
  }
  if (::linkat(source_parent.get(), source_place.name.c_str(), place.parent, place.name.c_str(),
               0) != 0) {
    throw_errno(fmt::format("link '{}' to '{}'", path, existing));
  }
}

void VolfsWriter::replace_file(const std::string& path, std::string_view text, std::uint32_t mode) {
  replace(path, text, kRegular | mode);
}

void VolfsWriter::replace_symlink(const std::string& path, std::string_view target) {
  replace(path, target, kSymlink | 0777);
}

void VolfsWriter::replace(const std::string& path, std::string_view content, std::uint32_t mode) {
  const std::string temporary = path + ".lxss-new";
  NewFile file = create_file(temporary);
  common::write_all(file.fd(), content, fmt::format("write '{}'", path));
  file.finish({.record = {.mode = mode}});
  const Place place = locate(path);
  const std::string old_name = place.name + ".lxss-new";
  if (::renameat(place.parent, old_name.c_str(), place.parent, place.name.c_str()) != 0) {
    ::unlinkat(place.parent, old_name.c_str(), 0);
    throw_errno(fmt::format("replace '{}'", path));
  }
}

}  // namespace lxss::distro
