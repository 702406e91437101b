// Renaming, linking and removing.
#include "tests/unit/vfs_fixture.h"

namespace lxss {
namespace {

using abi::RenameFlag;

class Rename : public VfsTest {};

TEST_F(Rename, MovesAndReplaces) {
  create("/a", 0644, "a");
  create("/b", 0644, "b");
  mkdir("/d");
  const u64 number = inode_number("/a");
  EXPECT_EQ(rename("/a", "/d/a"), 0);
  EXPECT_EQ(lookup("/a"), error(Errno::kENOENT));
  EXPECT_EQ(inode_number("/d/a"), number);
  EXPECT_EQ(rename("/d/a", "/b"), 0);
  EXPECT_EQ(content("/b"), "a");
  EXPECT_EQ(rename("/none", "/x"), error(Errno::kENOENT));
  EXPECT_EQ(rename("/b", "/none/x"), error(Errno::kENOENT));
}

TEST_F(Rename, KindsMustAgree) {
  create("/f");
  mkdir("/d");
  mkdir("/full");
  create("/full/x");
  EXPECT_EQ(rename("/f", "/d"), error(Errno::kEISDIR));
  EXPECT_EQ(rename("/d", "/f"), error(Errno::kENOTDIR));
  EXPECT_EQ(rename("/d", "/full"), error(Errno::kENOTEMPTY));
  EXPECT_EQ(rename("/full", "/d"), 0);
  EXPECT_EQ(lookup("/d/x"), 0);
  EXPECT_EQ(rename("/f", "/g/"), error(Errno::kENOTDIR));
  EXPECT_EQ(rename("/d", "/e/"), 0);
}

TEST_F(Rename, NotBelowItself) {
  mkdir("/d");
  mkdir("/d/e");
  EXPECT_EQ(rename("/d", "/d/e/f"), error(Errno::kEINVAL));
  EXPECT_EQ(rename("/d/e", "/d"), error(Errno::kENOTEMPTY));
  EXPECT_EQ(rename("/d/.", "/x"), error(Errno::kEBUSY));
  EXPECT_EQ(rename("/d", "/d"), 0);
}

TEST_F(Rename, OfHardLinksToTheSameFileDoesNothing) {
  create("/a");
  EXPECT_EQ(to_register(sys::link(task(), text("/a"), text("/b"))), 0);
  EXPECT_EQ(rename("/a", "/b"), 0);
  EXPECT_EQ(lookup("/a"), 0);
  EXPECT_EQ(lookup("/b"), 0);
}

TEST_F(Rename, Flags) {
  create("/a", 0644, "a");
  mkdir("/d");
  create("/d/x");
  EXPECT_EQ(rename("/a", "/d", RenameFlag::kRENAME_NOREPLACE), error(Errno::kEEXIST));
  EXPECT_EQ(rename("/a", "/none", RenameFlag::kRENAME_EXCHANGE), error(Errno::kENOENT));
  EXPECT_EQ(rename("/a", "/b", RenameFlag::kRENAME_EXCHANGE | RenameFlag::kRENAME_NOREPLACE),
            error(Errno::kEINVAL));
  EXPECT_EQ(rename("/a", "/d", RenameFlag::kRENAME_EXCHANGE), 0);
  EXPECT_EQ(content("/d"), "a");
  EXPECT_EQ(lookup("/a/x"), 0);
  EXPECT_EQ(rename("/a", "/b", RenameFlag::kRENAME_NOREPLACE), 0);
  EXPECT_EQ(lookup("/b/x"), 0);
}

TEST_F(Rename, TheCacheFollows) {
  mkdir("/d");
  mkdir("/d/e");
  create("/d/e/f");
  EXPECT_EQ(to_register(sys::chdir(task(), text("/d/e"))), 0);
  EXPECT_EQ(rename("/d", "/n"), 0);
  EXPECT_EQ(path_of("f"), "/n/e/f");
  EXPECT_EQ(lookup("/d/e/f"), error(Errno::kENOENT));
  abi::Stat status;
  EXPECT_EQ(stat("/", &status), 0);
  EXPECT_EQ(status.st_nlink, 3u);
}

TEST_F(Rename, StickyDirectories) {
  mkdir("/t");
  EXPECT_EQ(to_register(sys::chmod(task(), text("/t"), 01777)), 0);
  create("/t/root");
  become(1000, 1000);
  create("/t/mine");
  EXPECT_EQ(unlink("/t/root"), error(Errno::kEPERM));
  EXPECT_EQ(rename("/t/root", "/t/x"), error(Errno::kEPERM));
  EXPECT_EQ(rename("/t/mine", "/t/root"), error(Errno::kEPERM));
  EXPECT_EQ(unlink("/t/mine"), 0);
}

TEST_F(Rename, Links) {
  create("/a", 0644, "a");
  mkdir("/d");
  EXPECT_EQ(to_register(sys::link(task(), text("/a"), text("/d/b"))), 0);
  EXPECT_EQ(inode_number("/a"), inode_number("/d/b"));
  EXPECT_EQ(to_register(sys::link(task(), text("/a"), text("/d/b"))), error(Errno::kEEXIST));
  EXPECT_EQ(to_register(sys::link(task(), text("/d"), text("/e"))), error(Errno::kEPERM));
  EXPECT_EQ(unlink("/a"), 0);
  EXPECT_EQ(content("/d/b"), "a");
}

TEST_F(Rename, Removing) {
  mkdir("/d");
  create("/d/f");
  EXPECT_EQ(unlink("/d"), error(Errno::kEISDIR));
  EXPECT_EQ(rmdir("/d"), error(Errno::kENOTEMPTY));
  EXPECT_EQ(rmdir("/d/f"), error(Errno::kENOTDIR));
  EXPECT_EQ(rmdir("/d/."), error(Errno::kEINVAL));
  EXPECT_EQ(rmdir("/d/.."), error(Errno::kENOTEMPTY));
  EXPECT_EQ(unlink("/d/f/"), error(Errno::kENOTDIR));
  EXPECT_EQ(unlink("/d/f"), 0);
  EXPECT_EQ(rmdir("/d"), 0);
  EXPECT_EQ(rmdir("/d"), error(Errno::kENOENT));
  EXPECT_EQ(mkdir("/"), error(Errno::kEEXIST));
  EXPECT_EQ(mkdir("/new/"), 0);
  EXPECT_EQ(symlink("x", "/l/"), error(Errno::kENOENT));
}

}  // namespace
}  // namespace lxss
