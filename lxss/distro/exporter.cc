#include "lxss/distro/exporter.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>

#include "lxss/common/failure.h"
#include "lxss/distro/volfs_tree.h"

namespace lxss::distro {
namespace {

using common::Failure;
using common::throw_errno;
using common::UniqueFd;

constexpr std::uint64_t kProgressStep = 500;

struct FreeWriter {
  void operator()(archive* a) const { archive_write_free(a); }
};
struct FreeEntry {
  void operator()(archive_entry* e) const { archive_entry_free(e); }
};
struct CloseDirectory {
  void operator()(DIR* d) const { ::closedir(d); }
};

std::vector<std::string> names_in(int directory) {
  const std::unique_ptr<DIR, CloseDirectory> stream(
      ::fdopendir(::fcntl(directory, F_DUPFD_CLOEXEC, 0)));
  if (!stream) throw_errno("list a directory");
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void add_attributes(archive_entry* entry, int fd) {
  std::string names(std::size_t(std::max<ssize_t>(::flistxattr(fd, nullptr, 0), 0)), '\0');
  const ssize_t length = ::flistxattr(fd, names.data(), names.size());
  const std::string_view prefix = volfs::kGuestAttributePrefix;
  for (std::size_t at = 0; length > 0 && at < std::size_t(length);) {
    const std::string name = names.c_str() + at;
    at += name.size() + 1;
    if (!name.starts_with(prefix)) continue;
    std::string value(64 * 1024, '\0');  // XATTR_SIZE_MAX
    const ssize_t size = ::fgetxattr(fd, name.c_str(), value.data(), value.size());
    if (size < 0) throw_errno(fmt::format("read the attribute {}", name));
    archive_entry_xattr_add_entry(entry, name.c_str() + prefix.size(), value.data(),
                                  std::size_t(size));
  }
}

class Exporter {
 public:
  Exporter(const std::string& root, int fd, ArchiveFormat format, const Progress& progress)
      : tree_(VolfsTree::open(root)), archive_(archive_write_new()), progress_(progress) {
    archive_write_set_format_pax_restricted(archive_.get());
    switch (format) {
      case ArchiveFormat::kTar:
        break;
      case ArchiveFormat::kTarGz:
        check(archive_write_add_filter_gzip(archive_.get()));
        break;
      case ArchiveFormat::kTarXz:
        check(archive_write_add_filter_xz(archive_.get()));
        break;
      case ArchiveFormat::kTarZst:
        check(archive_write_add_filter_zstd(archive_.get()));
        break;
    }
    check(archive_write_open_fd(archive_.get(), fd));
  }

  void run() {
    pack(tree_.root(), ".");
    check(archive_write_close(archive_.get()));
  }

 private:
  void check(int status) {
    if (status >= ARCHIVE_WARN) return;
    errno = archive_errno(archive_.get());
    if (errno == ENOSPC) throw_errno("write the archive");
    const char* reason = archive_error_string(archive_.get());
    throw Failure("The archive cannot be written: {}.", reason == nullptr ? "no reason" : reason);
  }

  /// One host file and, if it is a directory, what is below it. What has no
  /// record does not exist for Linux.
  void pack(int fd, const std::string& path) {
    struct stat status;
    if (::fstat(fd, &status) != 0) throw_errno(fmt::format("read '{}'", path));
    const std::optional<volfs::InodeRecord> record = read_record(fd);
    if (!record || (record->mode & kTypeMask) == kSocket) return;
    pack_entry(fd, path, status, *record);
    if (++files_ % kProgressStep == 0 && progress_) progress_(files_);
    if (!S_ISDIR(status.st_mode)) return;
    for (const std::string& name : names_in(fd)) {
      const UniqueFd child(
          ::openat(fd, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      if (child) pack(child.get(), path + '/' + name);
    }
  }

  void pack_entry(int fd, const std::string& path, const struct stat& status,
                  const volfs::InodeRecord& record) {
    const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
    archive_entry_set_pathname(entry.get(), path.c_str());
    archive_entry_set_mode(entry.get(), record.mode);
    archive_entry_set_uid(entry.get(), record.uid);
    archive_entry_set_gid(entry.get(), record.gid);
    archive_entry_set_mtime(entry.get(), status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    const std::uint32_t type = record.mode & kTypeMask;
    if (type == kCharacterDevice || type == kBlockDevice) {
      archive_entry_set_rdevmajor(entry.get(), record.rdev_major);
      archive_entry_set_rdevminor(entry.get(), record.rdev_minor);
    }
    if (type != kDirectory && status.st_nlink > 1) {
      const auto [first, is_new] = links_.try_emplace(status.st_ino, path);
      if (!is_new) {
        archive_entry_set_hardlink(entry.get(), first->second.c_str());
        return check(archive_write_header(archive_.get(), entry.get()));
      }
    }
    add_attributes(entry.get(), fd);
    if (type == kSymlink) {
      archive_entry_set_symlink(entry.get(), common::read_all(fd, 4095).value_or("").c_str());
    }
    archive_entry_set_size(entry.get(), type == kRegular ? status.st_size : 0);
    check(archive_write_header(archive_.get(), entry.get()));
    if (type == kRegular) pack_content(fd, path);
  }

  void pack_content(int fd, const std::string& path) {
    char buffer[128 * 1024];
    while (true) {
      const ssize_t count = ::read(fd, buffer, sizeof buffer);
      if (count < 0) throw_errno(fmt::format("read '{}'", path));
      if (count == 0) return;
      if (archive_write_data(archive_.get(), buffer, std::size_t(count)) < 0) check(ARCHIVE_FATAL);
    }
  }

  VolfsTree tree_;
  std::unique_ptr<archive, FreeWriter> archive_;
  const Progress& progress_;
  std::map<ino_t, std::string> links_;
  std::uint64_t files_ = 0;
};

}  // namespace

ArchiveFormat archive_format(const std::string& name) {
  if (name == "tar") return ArchiveFormat::kTar;
  if (name == "tar.gz") return ArchiveFormat::kTarGz;
  if (name == "tar.xz") return ArchiveFormat::kTarXz;
  if (name == "tar.zst") return ArchiveFormat::kTarZst;
  throw Failure("'{}' is no archive format; there are tar, tar.gz, tar.xz and tar.zst.", name);
}

void export_archive(const std::string& root, int archive, ArchiveFormat format,
                    const Progress& progress) {
  Exporter(root, archive, format, progress).run();
}

}  // namespace lxss::distro
