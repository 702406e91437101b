// A fake instance with a tmpfs as its root, and calls as a program makes them.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "fs/tmpfs/tmpfs.h"
#include "lxcore/syscalls/file.h"
#include "lxcore/syscalls/path.h"
#include "lxcore/vfs/vfs.h"
#include "tests/unit/fake_kernel.h"

namespace lxss {

/// Results that a test compares with: the value, or the error negative, as a guest sees it.
inline constexpr i64 error(Errno number) { return -static_cast<i64>(number); }

class VfsTest : public ::testing::Test {
 protected:
  VfsTest() {
    auto filesystem = make_ref<tmpfs::TmpFileSystem>(tmpfs::Options{.mode = 0755});
    MUST(vfs::mount(filesystem, {}, "root", {}));
    task_ = &instance_.new_process();
    instance_.run_as(*task_);
  }

  static UserString text(const char* string) { return {UserAddr{reinterpret_cast<u64>(string)}}; }
  template <typename T>
  static UserOut<T> out(T* to) {
    return {UserAddr{reinterpret_cast<u64>(to)}};
  }
  template <typename T>
  static UserIn<T> in(const T* from) {
    return {UserAddr{reinterpret_cast<u64>(from)}};
  }

  Task& task() { return *task_; }
  /// From now on calls are made by a process of its own with these ids and no capabilities.
  Task& become(u32 uid, u32 gid, std::vector<u32> groups = {}) {
    Task& other = instance_.new_process();
    RefPtr<Credentials> who = other.credentials->copy();
    who->uid = who->euid = who->suid = who->fsuid = uid;
    who->gid = who->egid = who->sgid = who->fsgid = gid;
    who->groups = std::move(groups);
    who->permitted = who->effective = 0;
    other.credentials = who;
    use(other);
    return other;
  }
  void use(Task& task) {
    task_ = &task;
    instance_.run_as(task);
  }

  i64 open(const char* path, abi::OpenFlags flags, u32 mode = 0644) {
    return to_register(sys::open(*task_, text(path), flags, mode));
  }
  Fd must_open(const char* path, abi::OpenFlags flags, u32 mode = 0644) {
    i64 fd = open(path, flags, mode);
    EXPECT_GE(fd, 0) << path;
    return Fd{static_cast<i32>(fd)};
  }
  void close(Fd fd) { EXPECT_EQ(to_register(sys::close(*task_, fd)), 0); }
  void create(const char* path, u32 mode = 0644, std::string_view content = {}) {
    using abi::OpenFlag;
    Fd fd = must_open(path, OpenFlag::kO_CREAT | OpenFlag::kO_WRONLY | OpenFlag::kO_TRUNC, mode);
    if (!content.empty()) {
      EXPECT_EQ(write(fd, content), static_cast<i64>(content.size()));
    }
    close(fd);
  }
  i64 mkdir(const char* path, u32 mode = 0755) {
    return to_register(sys::mkdir(*task_, text(path), mode));
  }
  i64 symlink(const char* target, const char* path) {
    return to_register(sys::symlink(*task_, text(target), text(path)));
  }
  i64 unlink(const char* path) { return to_register(sys::unlink(*task_, text(path))); }
  i64 rmdir(const char* path) { return to_register(sys::rmdir(*task_, text(path))); }
  i64 rename(const char* from, const char* to, abi::RenameFlags flags = {}) {
    const Fd here{abi::kAT_FDCWD};
    return to_register(sys::renameat2(*task_, here, text(from), here, text(to), flags));
  }
  i64 write(Fd fd, std::string_view data) {
    return to_register(
        sys::write({*task_}, fd, {UserAddr{reinterpret_cast<u64>(data.data())}}, data.size()));
  }
  std::string read(Fd fd, usize size = 65536) {
    std::string data(size, '\0');
    auto got = sys::read({*task_}, fd, {UserAddr{reinterpret_cast<u64>(data.data())}}, size);
    EXPECT_TRUE(got.ok()) << to_register(got);
    data.resize(got.ok() ? got.value() : 0);
    return data;
  }
  std::string content(const char* path) {
    Fd fd = must_open(path, {});
    std::string data = read(fd);
    close(fd);
    return data;
  }
  i64 stat(const char* path, abi::Stat* result) {
    return to_register(sys::stat(*task_, text(path), out(result)));
  }
  /// 0 or the error.
  i64 lookup(const char* path) {
    abi::Stat ignored;
    return stat(path, &ignored);
  }
  u64 inode_number(const char* path) {
    abi::Stat status{};
    EXPECT_EQ(to_register(sys::lstat(*task_, text(path), out(&status))), 0) << path;
    return status.st_ino;
  }
  std::string path_of(const char* path) {
    auto at = vfs::resolve(*task_, Fd{abi::kAT_FDCWD}, path, vfs::Walk::kFollow);
    return at.ok() ? vfs::path_text(*task_, at.value()) : "";
  }
  /// Names in a directory, in the order of the listing.
  std::vector<std::string> list(const char* path) {
    std::vector<std::string> names;
    Fd fd = must_open(path, abi::OpenFlag::kO_DIRECTORY);
    char buffer[256];  // small, so that listing goes on where it stopped
    for (;;) {
      auto got =
          sys::getdents64(*task_, fd, {UserAddr{reinterpret_cast<u64>(buffer)}}, sizeof buffer);
      EXPECT_TRUE(got.ok());
      if (!got.ok() || got.value() == 0) break;
      for (usize at = 0; at < got.value();) {
        abi::Dirent64 entry;
        std::memcpy(&entry, buffer + at, sizeof entry);
        names.emplace_back(buffer + at + abi::kDirent64NameOffset);
        at += entry.d_reclen;
      }
    }
    close(fd);
    return names;
  }

  fake::Instance instance_;

 private:
  Task* task_ = nullptr;
};

}  // namespace lxss
