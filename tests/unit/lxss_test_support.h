// Shared by the tests of the hosted parts.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "lxss/common/files.h"

namespace lxss::test {

/// A directory that goes with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    // Not /tmp: that may be a file system without user attributes.
    path_ = (std::filesystem::current_path() / "lxss-test-XXXXXX").string();
    if (mkdtemp(path_.data()) == nullptr) abort();
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;

  std::string operator/(const std::string& name) const { return path_ + '/' + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// One entry of a tar archive made for a test.
struct Entry {
  std::string path;
  unsigned type = AE_IFREG;
  std::string content = "";  ///< or a symbolic link's target
  unsigned mode = 0644;
  std::string hard_link = "";
  unsigned uid = 0, gid = 0;
  unsigned major = 0, minor = 0;
  std::vector<std::pair<std::string, std::string>> attributes = {};
};

enum class Compression { kNone, kGzip, kXz, kZstd };

inline void write_tar(const std::string& path, const std::vector<Entry>& entries,
                      Compression compression = Compression::kNone) {
  archive* a = archive_write_new();
  archive_write_set_format_pax_restricted(a);
  if (compression == Compression::kGzip) archive_write_add_filter_gzip(a);
  if (compression == Compression::kXz) archive_write_add_filter_xz(a);
  if (compression == Compression::kZstd) archive_write_add_filter_zstd(a);
  ASSERT_EQ(archive_write_open_filename(a, path.c_str()), ARCHIVE_OK);
  for (const Entry& e : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, e.path.c_str());
    archive_entry_set_filetype(entry, e.type);
    archive_entry_set_perm(entry, mode_t(e.mode));
    archive_entry_set_uid(entry, e.uid);
    archive_entry_set_gid(entry, e.gid);
    archive_entry_set_rdevmajor(entry, e.major);
    archive_entry_set_rdevminor(entry, e.minor);
    archive_entry_set_mtime(entry, 1000, 0);
    if (e.type == AE_IFLNK) archive_entry_set_symlink(entry, e.content.c_str());
    if (!e.hard_link.empty()) archive_entry_set_hardlink(entry, e.hard_link.c_str());
    for (const auto& [name, value] : e.attributes) {
      archive_entry_xattr_add_entry(entry, name.c_str(), value.data(), value.size());
    }
    const bool has_data = e.type == AE_IFREG && e.hard_link.empty();
    archive_entry_set_size(entry, has_data ? la_int64_t(e.content.size()) : 0);
    ASSERT_GE(archive_write_header(a, entry), ARCHIVE_WARN) << e.path;
    if (has_data) archive_write_data(a, e.content.data(), e.content.size());
    archive_entry_free(entry);
  }
  archive_write_close(a);
  archive_write_free(a);
}

}  // namespace lxss::test
