#include "lxss/distro/importer.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "lxss/common/failure.h"
#include "lxss/common/text.h"
#include "lxss/distro/volfs_writer.h"

namespace lxss::distro {
namespace {

using common::Failure;
using common::throw_errno;

constexpr std::size_t kReadBlock = 256 * 1024;
constexpr std::uint64_t kProgressStep = 500;

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};

/// An entry's name without leading '/', "./" and doubled slashes; "" is the root.
std::string clean_path(const char* name) {
  if (name == nullptr) throw Failure("The archive holds a file without a name.");
  std::string path;
  for (const std::string& component : common::split(name, '/')) {
    if (component.empty() || component == ".") continue;
    if (component == "..") throw Failure("The archive holds '{}', which leads out of it.", name);
    if (!path.empty()) path += '/';
    path += component;
  }
  return path;
}

/// The Linux attributes of an entry; access control lists are not kept.
std::vector<Attribute> attributes_of(archive_entry* entry) {
  std::vector<Attribute> attributes;
  archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    const std::string_view text(name == nullptr ? "" : name);
    if (text.starts_with("user.") || text.starts_with("security.") ||
        text.starts_with("trusted.")) {
      attributes.push_back({name, {static_cast<const char*>(value), size}});
    }
  }
  return attributes;
}

Metadata metadata_of(archive_entry* entry, std::uint32_t type) {
  Metadata metadata;
  metadata.record.mode = type | (archive_entry_perm(entry) & 07777);
  metadata.record.uid = std::uint32_t(archive_entry_uid(entry));
  metadata.record.gid = std::uint32_t(archive_entry_gid(entry));
  if (type == kCharacterDevice || type == kBlockDevice) {
    metadata.record.rdev_major = std::uint32_t(archive_entry_rdevmajor(entry));
    metadata.record.rdev_minor = std::uint32_t(archive_entry_rdevminor(entry));
  }
  metadata.modified = {archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
  metadata.attributes = attributes_of(entry);
  return metadata;
}

class Importer {
 public:
  Importer(int fd, const std::string& root)
      : archive_(archive_read_new()), writer_(VolfsWriter::create(root)) {
    archive_read_support_format_tar(archive_.get());
    archive_read_support_filter_gzip(archive_.get());
    archive_read_support_filter_bzip2(archive_.get());
    archive_read_support_filter_xz(archive_.get());
    archive_read_support_filter_zstd(archive_.get());
    check(archive_read_open_fd(archive_.get(), fd, kReadBlock));
  }

  void run(const Progress& progress) {
    archive_entry* entry = nullptr;
    std::uint64_t files = 0;
    while (true) {
      const int status = archive_read_next_header(archive_.get(), &entry);
      if (status == ARCHIVE_EOF) break;
      check(status);
      unpack(entry);
      if (++files % kProgressStep == 0 && progress) progress(files);
    }
    if (files == 0) throw Failure("The archive is empty.");
    // Filling a directory moved its time.
    for (const auto& [path, metadata] : directories_) writer_.create_directory(path, metadata);
  }

 private:
  void check(int status) {
    if (status >= ARCHIVE_WARN) return;
    const char* reason = archive_error_string(archive_.get());
    throw Failure("The archive cannot be read: {}.", reason == nullptr ? "no tar archive" : reason);
  }

  void unpack(archive_entry* entry) {
    const std::string path = clean_path(archive_entry_pathname(entry));
    if (const char* existing = archive_entry_hardlink(entry)) {
      return writer_.create_hard_link(path, clean_path(existing));
    }
    const std::uint32_t type = archive_entry_filetype(entry);
    if (path.empty() && type != kDirectory) throw Failure("The archive's root is no directory.");
    const Metadata metadata = metadata_of(entry, type);
    switch (type) {
      case kDirectory:
        writer_.create_directory(path, metadata);
        directories_.emplace_back(path, metadata);
        return;
      case kSymlink: {
        const char* target = archive_entry_symlink(entry);
        if (target == nullptr || *target == '\0') {
          throw Failure("The archive holds the symbolic link '{}' without a target.", path);
        }
        return writer_.create_symlink(path, target, metadata);
      }
      case kRegular: {
        VolfsWriter::NewFile file = writer_.create_file(path);
        copy_content(file.fd(), path, archive_entry_size(entry));
        return file.finish(metadata);
      }
      case kCharacterDevice:
      case kBlockDevice:
      case kFifo:
        return writer_.create_special(path, metadata);
      default:
        throw Failure("The archive holds '{}', whose type is unknown.", path);
    }
  }

  /// Holes stay holes.
  void copy_content(int fd, const std::string& path, std::int64_t size) {
    const void* block = nullptr;
    std::size_t length = 0;
    std::int64_t offset = 0;
    while (true) {
      const int status = archive_read_data_block(archive_.get(), &block, &length, &offset);
      if (status == ARCHIVE_EOF) break;
      check(status);
      const char* data = static_cast<const char*>(block);
      while (length > 0) {
        const ssize_t count = ::pwrite(fd, data, length, offset);
        if (count < 0) throw_errno(fmt::format("write '{}'", path));
        data += count;
        length -= std::size_t(count);
        offset += count;
      }
    }
    if (size > 0 && ::ftruncate(fd, size) != 0) throw_errno(fmt::format("write '{}'", path));
  }

  std::unique_ptr<archive, FreeArchive> archive_;
  VolfsWriter writer_;
  std::vector<std::pair<std::string, Metadata>> directories_;
};

}  // namespace

void import_archive(int archive, const std::string& root, const Progress& progress) {
  struct stat status;
  if (::lstat(root.c_str(), &status) == 0) throw Failure("'{}' exists already.", root);
  try {
    Importer(archive, root).run(progress);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove_all(root, ignored);
    throw;
  }
}

}  // namespace lxss::distro
