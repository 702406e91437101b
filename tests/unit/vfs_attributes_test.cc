// Permissions, modes, owners, times and extended attributes.
#include "tests/unit/vfs_fixture.h"

namespace lxss {
namespace {

using abi::OpenFlag;

class AttributesTest : public VfsTest {
 protected:
  u32 mode(const char* path) {
    abi::Stat status{};
    EXPECT_EQ(stat(path, &status), 0);
    return status.st_mode & 07777;
  }
  i64 chmod(const char* path, u32 mode) {
    return to_register(sys::chmod(task(), text(path), mode));
  }
  i64 chown(const char* path, u32 uid, u32 gid) {
    return to_register(sys::chown(task(), text(path), uid, gid));
  }
  i64 access(const char* path, i32 mode) {
    return to_register(sys::access(task(), text(path), mode));
  }
};

TEST_F(AttributesTest, AccessByClass) {
  create("/f");
  chown("/f", 1000, 2000);
  chmod("/f", 0640);
  become(1000, 1);
  EXPECT_EQ(access("/f", abi::kR_OK | abi::kW_OK), 0);
  EXPECT_EQ(access("/f", abi::kX_OK), error(Errno::kEACCES));
  become(1001, 1, {2000});
  EXPECT_EQ(access("/f", abi::kR_OK), 0);
  EXPECT_EQ(access("/f", abi::kW_OK), error(Errno::kEACCES));
  become(1001, 1);
  EXPECT_EQ(access("/f", abi::kR_OK), error(Errno::kEACCES));
  EXPECT_EQ(access("/f", abi::kF_OK), 0);
  EXPECT_EQ(access("/f", 8), error(Errno::kEINVAL));
}

TEST_F(AttributesTest, TheOwnersClassCountsAlone) {
  create("/f");
  chown("/f", 1000, 1000);
  chmod("/f", 0077);
  become(1000, 1000);
  EXPECT_EQ(access("/f", abi::kR_OK), error(Errno::kEACCES));
}

TEST_F(AttributesTest, Capabilities) {
  create("/f", 0);
  mkdir("/d", 0);
  EXPECT_EQ(access("/f", abi::kR_OK | abi::kW_OK), 0);
  EXPECT_EQ(access("/f", abi::kX_OK), error(Errno::kEACCES));
  EXPECT_EQ(access("/d", abi::kX_OK), 0);
  Task& reader = become(1000, 1000);
  auto who = reader.credentials->copy();
  who->effective = abi::cap_bit(abi::kCAP_DAC_READ_SEARCH);
  reader.credentials = who;
  EXPECT_GE(open("/f", {}), 0);
  EXPECT_EQ(open("/f", OpenFlag::kO_WRONLY), error(Errno::kEACCES));
  EXPECT_GE(open("/d", {}), 0);
  EXPECT_EQ(access("/f", abi::kR_OK), error(Errno::kEACCES));  // by the real ids
}

TEST_F(AttributesTest, ChangingModes) {
  create("/f");
  chown("/f", 1000, 2000);
  become(1000, 1000);
  EXPECT_EQ(chmod("/f", 02755), 0);
  EXPECT_EQ(mode("/f"), 0755u);  // not of the file's group
  become(1000, 1000, {2000});
  EXPECT_EQ(chmod("/f", 06755), 0);
  EXPECT_EQ(mode("/f"), 06755u);
  become(1001, 1001);
  EXPECT_EQ(chmod("/f", 0777), error(Errno::kEPERM));
}

TEST_F(AttributesTest, ChangingOwners) {
  create("/f");
  chown("/f", 1000, 1000);
  chmod("/f", 06755);
  EXPECT_EQ(chown("/f", 1000, ~0u), 0);
  EXPECT_EQ(mode("/f"), 0755u);
  become(1000, 1000, {2000});
  EXPECT_EQ(chown("/f", 1001, ~0u), error(Errno::kEPERM));
  EXPECT_EQ(chown("/f", ~0u, 2000), 0);
  EXPECT_EQ(chown("/f", ~0u, 3000), error(Errno::kEPERM));
}

TEST_F(AttributesTest, WritingTakesPrivilegesAway) {
  create("/f", 0644, "text");
  chown("/f", 1000, 1000);
  chmod("/f", 06777);
  become(1001, 1001);
  Fd fd = must_open("/f", OpenFlag::kO_WRONLY);
  EXPECT_EQ(mode("/f"), 06777u);
  EXPECT_EQ(write(fd, "x"), 1);
  EXPECT_EQ(mode("/f"), 0777u);
}

TEST_F(AttributesTest, GroupsAreInherited) {
  mkdir("/d");
  chown("/d", 0, 2000);
  chmod("/d", 02777);
  become(1000, 1000);
  create("/d/f", 02755);
  mkdir("/d/e");
  abi::Stat status;
  stat("/d/f", &status);
  EXPECT_EQ(status.st_gid, 2000u);
  EXPECT_EQ(status.st_mode & 07777, 0755u);
  stat("/d/e", &status);
  EXPECT_EQ(status.st_gid, 2000u);
  EXPECT_EQ(status.st_mode & 07777, 02755u);
}

TEST_F(AttributesTest, Times) {
  create("/f", 0666);
  chmod("/f", 0666);
  const abi::Timespec times[2] = {{1, 2}, {3, 4}};
  const Fd here{abi::kAT_FDCWD};
  EXPECT_EQ(to_register(sys::utimensat(task(), here, text("/f"), in(times), {})), 0);
  abi::Stat status;
  stat("/f", &status);
  EXPECT_EQ(status.st_atim.tv_nsec, 2);
  EXPECT_EQ(status.st_mtim.tv_sec, 3);
  const abi::Timespec bad[2] = {{1, -1}, {3, 4}};
  EXPECT_EQ(to_register(sys::utimensat(task(), here, text("/f"), in(bad), {})),
            error(Errno::kEINVAL));
  become(1000, 1000);
  EXPECT_EQ(to_register(sys::utimensat(task(), here, text("/f"), in(times), {})),
            error(Errno::kEPERM));
  EXPECT_EQ(to_register(sys::utimensat(task(), here, text("/f"), {}, {})), 0);
  const abi::Timespec omit[2] = {{0, abi::kUTIME_OMIT}, {0, abi::kUTIME_OMIT}};
  EXPECT_EQ(to_register(sys::utimensat(task(), here, text("/none"), in(omit), {})), 0);
}

TEST_F(AttributesTest, ExtendedAttributes) {
  create("/f");
  symlink("f", "/l");
  auto set = [&](const char* path, const char* name, std::string_view value,
                 abi::XattrFlags flags = {}) {
    return to_register(
        sys::setxattr(task(), text(path), text(name), in(value.data()), value.size(), flags));
  };
  char buffer[64] = {};
  EXPECT_EQ(set("/f", "user.a", "value"), 0);
  EXPECT_EQ(set("/f", "user.a", "v", abi::XattrFlag::kXATTR_CREATE), error(Errno::kEEXIST));
  EXPECT_EQ(set("/f", "user.b", "v", abi::XattrFlag::kXATTR_REPLACE), error(Errno::kENODATA));
  EXPECT_EQ(set("/f", "other.b", "v"), error(Errno::kEOPNOTSUPP));
  EXPECT_EQ(to_register(sys::getxattr(task(), text("/l"), text("user.a"), out(buffer), 64)), 5);
  EXPECT_STREQ(buffer, "value");
  EXPECT_EQ(to_register(sys::getxattr(task(), text("/f"), text("user.a"), out(buffer), 2)),
            error(Errno::kERANGE));
  EXPECT_EQ(to_register(sys::getxattr(task(), text("/f"), text("user.a"), {}, 0)), 5);
  EXPECT_EQ(to_register(sys::listxattr(task(), text("/f"), out(buffer), 64)), 7);
  EXPECT_EQ(to_register(sys::lsetxattr(task(), text("/l"), text("user.a"), in("x"), 1, {})),
            error(Errno::kEPERM));
  EXPECT_EQ(set("/f", "trusted.a", "v"), 0);
  become(1000, 1000);
  EXPECT_EQ(set("/f", "user.a", "v"), error(Errno::kEACCES));
  EXPECT_EQ(set("/f", "trusted.a", "v"), error(Errno::kEPERM));
  EXPECT_EQ(to_register(sys::listxattr(task(), text("/f"), out(buffer), 64)), 7);
}

}  // namespace
}  // namespace lxss
