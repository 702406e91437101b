// Walking paths.
#include "lxcore/vfs/mount.h"
#include "tests/unit/vfs_fixture.h"

namespace lxss {
namespace {

using abi::OpenFlag;

constexpr Fd kHere{abi::kAT_FDCWD};

class Walk : public VfsTest {
 protected:
  Walk() {
    mkdir("/a");
    mkdir("/a/b");
    create("/a/b/file", 0644, "text");
  }
  i64 resolve(const char* path, vfs::WalkFlags flags = {}, abi::ResolveFlags how = {}) {
    auto found = vfs::resolve(task(), kHere, path, flags, how);
    return found.ok() ? 0 : error(found.error());
  }
};

TEST_F(Walk, FindsNames) {
  EXPECT_EQ(lookup("/"), 0);
  EXPECT_EQ(lookup("/a/b/file"), 0);
  EXPECT_EQ(lookup("//a///b//file"), 0);
  EXPECT_EQ(lookup("a/./b/../b/file"), 0);
  EXPECT_EQ(lookup(""), error(Errno::kENOENT));
  EXPECT_EQ(lookup("/a/none"), error(Errno::kENOENT));
  EXPECT_EQ(lookup("/a/none/x"), error(Errno::kENOENT));
  EXPECT_EQ(lookup("/a/b/file/x"), error(Errno::kENOTDIR));
  EXPECT_EQ(lookup("/a/b/file/"), error(Errno::kENOTDIR));
  EXPECT_EQ(lookup("/a/b/file/."), error(Errno::kENOTDIR));
  EXPECT_EQ(lookup("/a/b/"), 0);
}

TEST_F(Walk, NamesHaveALimit) {
  EXPECT_EQ(lookup(std::string(255, 'x').c_str()), error(Errno::kENOENT));
  EXPECT_EQ(lookup(std::string(256, 'x').c_str()), error(Errno::kENAMETOOLONG));
  EXPECT_EQ(lookup(("/" + std::string(4094, '/')).c_str()), 0);
  EXPECT_EQ(lookup(("/" + std::string(4095, '/')).c_str()), error(Errno::kENAMETOOLONG));
}

TEST_F(Walk, TheRootIsItsOwnParent) {
  EXPECT_EQ(path_of("/../../a/.."), "/");
  EXPECT_EQ(path_of("/a/b/../../a/b/file"), "/a/b/file");
}

TEST_F(Walk, SymbolicLinks) {
  symlink("b/file", "/a/relative");
  symlink("/a/b", "/a/absolute");
  symlink("../a", "/a/up");
  symlink("nowhere", "/a/dangling");
  EXPECT_EQ(path_of("/a/relative"), "/a/b/file");
  EXPECT_EQ(path_of("/a/absolute/file"), "/a/b/file");
  EXPECT_EQ(path_of("/a/up/up/up/b"), "/a/b");
  EXPECT_EQ(lookup("/a/dangling"), error(Errno::kENOENT));
  EXPECT_EQ(resolve("/a/dangling"), 0);
  EXPECT_EQ(resolve("/a/dangling/"), error(Errno::kENOENT));
  EXPECT_EQ(resolve("/a/relative/"), error(Errno::kENOTDIR));
  // A slash behind a link follows it.
  auto at = vfs::resolve(task(), kHere, "/a/absolute/", {});
  ASSERT_TRUE(at.ok());
  EXPECT_TRUE(at->inode().is_directory());
}

TEST_F(Walk, FortyLinksAtMost) {
  create("/end");
  symlink("/end", "/l1");
  for (int i = 2; i <= 41; ++i) {
    symlink(("/l" + std::to_string(i - 1)).c_str(), ("/l" + std::to_string(i)).c_str());
  }
  EXPECT_EQ(lookup("/l40"), 0);
  EXPECT_EQ(lookup("/l41"), error(Errno::kELOOP));
  symlink("loop", "/loop");
  EXPECT_EQ(lookup("/loop"), error(Errno::kELOOP));
  EXPECT_EQ(resolve("/loop"), 0);
}

TEST_F(Walk, SearchPermissionOnEveryDirectory) {
  mkdir("/closed", 0700);
  create("/closed/file");
  become(1000, 1000);
  EXPECT_EQ(lookup("/closed"), 0);
  EXPECT_EQ(lookup("/closed/file"), error(Errno::kEACCES));
  EXPECT_EQ(lookup("/closed/.."), error(Errno::kEACCES));
}

TEST_F(Walk, DescriptorsAndEmptyPaths) {
  Fd directory = must_open("/a", OpenFlag::kO_DIRECTORY);
  Fd file = must_open("/a/b/file", {});
  EXPECT_TRUE(vfs::resolve(task(), directory, "b/file", {}).ok());
  EXPECT_TRUE(vfs::resolve(task(), directory, "/a", {}).ok());
  EXPECT_TRUE(vfs::resolve(task(), file, "x", {}).is(Errno::kENOTDIR));
  EXPECT_TRUE(vfs::resolve(task(), Fd{99}, "x", {}).is(Errno::kEBADF));
  EXPECT_TRUE(vfs::resolve(task(), Fd{99}, "/a", {}).ok());
  EXPECT_TRUE(vfs::resolve(task(), file, "", {}).is(Errno::kENOENT));
  EXPECT_TRUE(vfs::resolve(task(), file, "", vfs::Walk::kEmptyPath).ok());
}

TEST_F(Walk, WorkingDirectoryAndRoot) {
  EXPECT_EQ(to_register(sys::chdir(task(), text("/a/b"))), 0);
  EXPECT_EQ(lookup("file"), 0);
  EXPECT_EQ(path_of("."), "/a/b");
  EXPECT_EQ(to_register(sys::chroot(task(), text("/a"))), 0);
  EXPECT_EQ(lookup("/b/file"), 0);
  EXPECT_EQ(path_of("/../../b"), "/b");
  EXPECT_EQ(path_of("."), "/b");
  symlink("/b/file", "/link");
  EXPECT_EQ(path_of("/link"), "/b/file");
  char buffer[16];
  EXPECT_EQ(to_register(sys::getcwd(task(), out(buffer), sizeof buffer)), 3);
  EXPECT_STREQ(buffer, "/b");
  EXPECT_EQ(to_register(sys::getcwd(task(), out(buffer), 2)), error(Errno::kERANGE));
}

TEST_F(Walk, RemovedWorkingDirectory) {
  mkdir("/gone");
  EXPECT_EQ(to_register(sys::chdir(task(), text("/gone"))), 0);
  EXPECT_EQ(rmdir("/gone"), 0);
  char buffer[64];
  EXPECT_EQ(to_register(sys::getcwd(task(), out(buffer), sizeof buffer)), error(Errno::kENOENT));
  EXPECT_EQ(lookup("."), 0);
  EXPECT_EQ(lookup("x"), error(Errno::kENOENT));
  EXPECT_EQ(open("x", OpenFlag::kO_CREAT), error(Errno::kENOENT));
  EXPECT_EQ(path_of("."), "/gone (deleted)");
  EXPECT_EQ(path_of(".."), "/");
}

TEST_F(Walk, MountsAreCrossedBothWays) {
  const char* type = "tmpfs";
  EXPECT_EQ(to_register(sys::mount(task(), text("none"), text("/a/b"), text(type), {}, {})), 0);
  EXPECT_EQ(lookup("/a/b/file"), error(Errno::kENOENT));
  create("/a/b/inner");
  EXPECT_EQ(path_of("/a/b/inner"), "/a/b/inner");
  EXPECT_EQ(path_of("/a/b/.."), "/a");
  EXPECT_NE(inode_number("/a"), 0u);
  // Mounted on top once more, and taken off in the other order.
  EXPECT_EQ(to_register(sys::mount(task(), text("none"), text("/a/b"), text(type), {}, {})), 0);
  EXPECT_EQ(lookup("/a/b/inner"), error(Errno::kENOENT));
  EXPECT_EQ(rmdir("/a/b"), error(Errno::kEBUSY));
  EXPECT_EQ(to_register(sys::umount2(task(), text("/a/b"), {})), 0);
  EXPECT_EQ(lookup("/a/b/inner"), 0);
  Fd used = must_open("/a/b/inner", {});
  EXPECT_EQ(to_register(sys::umount2(task(), text("/a/b"), {})), error(Errno::kEBUSY));
  EXPECT_EQ(rename("/a/b/inner", "/a/inner"), error(Errno::kEXDEV));
  close(used);
  EXPECT_EQ(to_register(sys::umount2(task(), text("/a/b"), {})), 0);
  EXPECT_EQ(lookup("/a/b/file"), 0);
  EXPECT_EQ(to_register(sys::umount2(task(), text("/a/b"), {})), error(Errno::kEINVAL));
}

TEST_F(Walk, BindMounts) {
  mkdir("/other");
  using abi::MountFlag;
  EXPECT_EQ(
      to_register(sys::mount(task(), text("/a"), text("/other"), {}, MountFlag::kMS_BIND, {})), 0);
  EXPECT_EQ(path_of("/other/b/file"), "/other/b/file");
  EXPECT_EQ(path_of("/other/.."), "/");
  EXPECT_EQ(to_register(sys::mount(
                task(), {}, text("/other"), {},
                MountFlag::kMS_REMOUNT | MountFlag::kMS_BIND | MountFlag::kMS_RDONLY, {})),
            0);
  EXPECT_EQ(open("/other/b/file", OpenFlag::kO_WRONLY), error(Errno::kEROFS));
  EXPECT_EQ(open("/a/b/file", OpenFlag::kO_WRONLY) >= 0, true);
  EXPECT_EQ(to_register(sys::umount2(task(), text("/other"), {})), 0);
}

TEST_F(Walk, DetachedMountsLiveOnWhileUsed) {
  EXPECT_EQ(to_register(sys::mount(task(), text("none"), text("/a/b"), text("tmpfs"), {}, {})), 0);
  create("/a/b/inner", 0644, "inside");
  Fd fd = must_open("/a/b/inner", {});
  EXPECT_EQ(to_register(sys::umount2(task(), text("/a/b"), abi::UmountFlag::kMNT_DETACH)), 0);
  EXPECT_EQ(lookup("/a/b/inner"), error(Errno::kENOENT));
  EXPECT_EQ(read(fd), "inside");
  close(fd);
}

TEST_F(Walk, RestrictedWalks) {
  using abi::ResolveFlag;
  symlink("/a/b/file", "/a/absolute");
  symlink("b/file", "/a/relative");
  EXPECT_EQ(to_register(sys::chdir(task(), text("/a"))), 0);
  const vfs::WalkFlags follow = vfs::Walk::kFollow;
  EXPECT_EQ(resolve("relative", follow, ResolveFlag::kRESOLVE_NO_SYMLINKS), error(Errno::kELOOP));
  EXPECT_EQ(resolve("b/file", follow, ResolveFlag::kRESOLVE_NO_SYMLINKS), 0);
  EXPECT_EQ(resolve("relative", follow, ResolveFlag::kRESOLVE_BENEATH), 0);
  EXPECT_EQ(resolve("absolute", follow, ResolveFlag::kRESOLVE_BENEATH), error(Errno::kEXDEV));
  EXPECT_EQ(resolve("../a", follow, ResolveFlag::kRESOLVE_BENEATH), error(Errno::kEXDEV));
  EXPECT_EQ(resolve("b/../b/file", follow, ResolveFlag::kRESOLVE_BENEATH), 0);
  EXPECT_EQ(resolve("/b/file", follow, ResolveFlag::kRESOLVE_IN_ROOT), 0);
  EXPECT_EQ(resolve("../../b/file", follow, ResolveFlag::kRESOLVE_IN_ROOT), 0);
  EXPECT_EQ(resolve("absolute", follow, ResolveFlag::kRESOLVE_IN_ROOT), error(Errno::kENOENT));
}

}  // namespace
}  // namespace lxss
