// The dentry cache: what is asked of a file system, and what is remembered.
#include "tests/unit/vfs_fixture.h"

namespace lxss {
namespace {

/// A file system that counts lookups; its files are the names in `names`.
class CountingFileSystem final : public FileSystem {
 public:
  explicit CountingFileSystem(bool stable) : FileSystem("counting", 1), stable_(stable) {}
  Result<RefPtr<Inode>> root() override;
  bool dentries_are_stable() const override { return stable_; }

  std::vector<std::string> names;
  int lookups = 0;
  bool valid = true;

 private:
  bool stable_;
};

class CountingInode final : public Inode {
 public:
  CountingInode(CountingFileSystem& of, u64 number, u32 mode)
      : Inode(of, number, mode, 0, 0), of_(of) {}
  Result<Attributes> attributes() override {
    Attributes result;
    result.number = number();
    result.mode = mode();
    return result;
  }
  Result<RefPtr<Inode>> lookup(std::string_view name) override {
    ++of_.lookups;
    for (usize i = 0; i < of_.names.size(); ++i) {
      if (of_.names[i] == name) return RefPtr<Inode>(make_ref<CountingInode>(of_, i + 2, 0100644));
    }
    return Errno::kENOENT;
  }
  bool still_valid() override { return of_.valid; }

 private:
  CountingFileSystem& of_;
};

Result<RefPtr<Inode>> CountingFileSystem::root() {
  return RefPtr<Inode>(make_ref<CountingInode>(*this, 1, 040755));
}

class DentryCacheTest : public VfsTest {
 protected:
  RefPtr<CountingFileSystem> mount(bool stable) {
    auto filesystem = make_ref<CountingFileSystem>(stable);
    mkdir("/m");
    auto at = vfs::resolve(task(), Fd{abi::kAT_FDCWD}, "/m", {});
    MUST(vfs::mount(filesystem, at.value(), "none", {}));
    return filesystem;
  }
};

TEST_F(DentryCacheTest, NamesAreAskedOnce) {
  auto filesystem = mount(true);
  filesystem->names = {"there"};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(lookup("/m/there"), 0);
    EXPECT_EQ(lookup("/m/none"), error(Errno::kENOENT));
  }
  EXPECT_EQ(filesystem->lookups, 2);
}

TEST_F(DentryCacheTest, UnstableNamesAreAskedAgain) {
  auto filesystem = mount(false);
  EXPECT_EQ(lookup("/m/x"), error(Errno::kENOENT));
  filesystem->names = {"x"};
  EXPECT_EQ(lookup("/m/x"), 0);
  EXPECT_EQ(filesystem->lookups, 2);
  // While the inode says that it is still right, nothing is asked.
  EXPECT_EQ(lookup("/m/x"), 0);
  EXPECT_EQ(filesystem->lookups, 2);
  filesystem->valid = false;
  filesystem->names = {"y", "x"};
  EXPECT_EQ(inode_number("/m/x"), 3u);
  filesystem->names = {};
  EXPECT_EQ(lookup("/m/x"), error(Errno::kENOENT));
}

TEST_F(DentryCacheTest, UnlinkLeavesANegativeDentry) {
  create("/file");
  EXPECT_EQ(unlink("/file"), 0);
  Dentry* cached = kernel().dentries.find(*kernel().root.dentry, "file");
  ASSERT_NE(cached, nullptr);
  EXPECT_TRUE(cached->is_negative());
  create("/file");
  EXPECT_EQ(lookup("/file"), 0);
}

TEST_F(DentryCacheTest, AnOpenFileKeepsItsDentry) {
  create("/file", 0644, "old");
  Fd fd = must_open("/file", {});
  EXPECT_EQ(unlink("/file"), 0);
  create("/file", 0644, "new");
  EXPECT_EQ(read(fd), "old");
  EXPECT_EQ(content("/file"), "new");
  auto file = task().files->get(fd);
  EXPECT_EQ(vfs::path_text(task(), file.value()->path()), "/file (deleted)");
}

TEST_F(DentryCacheTest, UnusedDentriesAreBounded) {
  auto filesystem = mount(true);
  for (usize i = 0; i < DentryCache::kMaxUnused + 1000; ++i) {
    lookup(("/m/" + std::to_string(i)).c_str());
  }
  const int asked = filesystem->lookups;
  EXPECT_EQ(lookup(("/m/" + std::to_string(DentryCache::kMaxUnused + 999)).c_str()),
            error(Errno::kENOENT));
  EXPECT_EQ(filesystem->lookups, asked);  // the newest is remembered
  lookup("/m/0");
  EXPECT_EQ(filesystem->lookups, asked + 1);  // the oldest is not
}

TEST_F(DentryCacheTest, DeepTreesDieWithoutRecursion) {
  constexpr int kDepth = 20000;
  Fd directory = must_open("/", abi::OpenFlag::kO_DIRECTORY);
  for (int i = 0; i < kDepth; ++i) {
    ASSERT_EQ(to_register(sys::mkdirat(task(), directory, text("d"), 0755)), 0);
    i64 next = to_register(sys::openat(task(), directory, text("d"), {}, 0));
    close(directory);
    directory = Fd{static_cast<i32>(next)};
  }
  EXPECT_EQ(to_register(sys::fchdir(task(), directory)), 0);
  close(directory);
  for (int i = 0; i < kDepth; ++i) {
    ASSERT_EQ(to_register(sys::unlinkat(task(), Fd{abi::kAT_FDCWD}, text("../d"),
                                        abi::AtFlag::kAT_REMOVEDIR)),
              0);
    if (i + 1 < kDepth) {
      i64 up = to_register(sys::open(task(), text(".."), {}, 0));
      // The removed ones are kept by the descriptor of the deepest.
      ASSERT_GE(up, 0);
      ASSERT_EQ(to_register(sys::fchdir(task(), Fd{static_cast<i32>(up)})), 0);
      close(Fd{static_cast<i32>(up)});
    }
  }
}

}  // namespace
}  // namespace lxss
