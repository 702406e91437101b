// A VolFs tree in a host directory, mounted as the root of a fake instance.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <string>

#include "fs/volfs/format.h"
#include "fs/volfs/volfs.h"
#include "lxcore/vfs/vfs.h"
#include "tests/unit/fake_kernel.h"

namespace lxss {

template <typename T>
Errno error_of(const Result<T>& result) {
  return result.ok() ? Errno{0} : result.error();
}
#define EXPECT_OK(expression) EXPECT_EQ(error_of(expression), Errno{0})
#define ASSERT_OK(expression) ASSERT_EQ(error_of(expression), Errno{0})
#define EXPECT_ERROR(expression, name) EXPECT_EQ(error_of(expression), Errno::name)

/// Takes everything.
class ListSink final : public DirectorySink {
 public:
  bool add(std::string_view name, u64 number, u8 type, u64 next_offset) override {
    if (limit == 0) return false;
    --limit;
    entries[std::string(name)] = {number, type};
    order.emplace_back(name);
    position = next_offset;
    return true;
  }
  struct Entry {
    u64 number;
    u8 type;
  };
  std::map<std::string, Entry> entries;
  std::vector<std::string> order;
  u64 position = 0;
  usize limit = ~usize{0};
};

/// A directory of the host that goes with the object.
class HostDirectory {
 public:
  explicit HostDirectory(const char* where = "/tmp") {
    std::string path = std::string(where) + "/lxss-unit-XXXXXX";
    path_ = mkdtemp(path.data());
    open_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  ~HostDirectory() {
    ::close(open_);
    (void)!system(("rm -rf " + path_).c_str());
  }
  const std::string& path() const { return path_; }
  host::Fd fd() const { return host::Fd(open_); }
  std::string at(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
  int open_;
};

inline void store_record(const std::string& path, u32 mode) {
  auto bytes = volfs::encode({mode, 0, 0, 0, 0});
  ASSERT_EQ(setxattr(path.c_str(), volfs::kInodeAttribute, bytes.data(), bytes.size(), 0), 0);
}

/// What tests of host file systems share: a mounted root, files by path below it.
class TreeTest : public testing::Test {
 protected:
  Task& task() { return *task_; }

  void mount_root(RefPtr<FileSystem> filesystem) {
    filesystem_ = filesystem;
    ASSERT_OK(vfs::mount(filesystem, Path{}, "none", {}));
    task_ = &instance_.new_process();
    instance_.run_as(*task_);
  }
  void TearDown() override {
    if (!task_) return;
    instance_.run_as(*instance_.kernel().init->leader);
    instance_.forget(*task_);
  }

  RefPtr<Inode> root() { return MUST(filesystem_->root()); }
  static NewInode made(u32 mode, std::string_view target = {}) {
    NewInode what;
    what.mode = mode;
    what.symlink_target = target;
    return what;
  }
  RefPtr<File> open(std::string_view path, u32 flags, u32 mode = 0644) {
    auto file = vfs::open(task(), Fd{abi::kAT_FDCWD}, path, abi::OpenFlags(flags), mode);
    EXPECT_OK(file);
    return file.ok() ? std::move(file).value() : nullptr;
  }
  Errno open_error(std::string_view path, u32 flags, u32 mode = 0644) {
    return error_of(vfs::open(task(), Fd{abi::kAT_FDCWD}, path, abi::OpenFlags(flags), mode));
  }
  usize write(File& file, std::string_view text, u64 offset) {
    IoBuffer buffer = IoBuffer::kernel(std::as_bytes(std::span(text)));
    auto done = file.write(task(), buffer, &offset);
    EXPECT_OK(done);
    return done.value_or(0);
  }
  std::string read(File& file, usize size, u64 offset) {
    std::string text(size, '\0');
    IoBuffer buffer = IoBuffer::kernel(text.data(), size);
    auto done = file.read(task(), buffer, &offset);
    EXPECT_OK(done);
    text.resize(done.value_or(0));
    return text;
  }
  ListSink list(std::string_view path) {
    ListSink sink;
    auto file = open(path, O_RDONLY | O_DIRECTORY);
    if (!file) return sink;
    EXPECT_OK(file->read_directory(task(), 0, sink));
    return sink;
  }
  bool exists(std::string_view path) {
    return vfs::resolve(task(), Fd{abi::kAT_FDCWD}, path, {}).ok();
  }
  RefPtr<Inode> inode(std::string_view path) {
    auto found = vfs::resolve(task(), Fd{abi::kAT_FDCWD}, path, {});
    EXPECT_OK(found);
    return found.ok() ? RefPtr<Inode>(found->inode()) : nullptr;
  }

  fake::Instance instance_;
  RefPtr<FileSystem> filesystem_;
  Task* task_ = nullptr;
};

}  // namespace lxss
