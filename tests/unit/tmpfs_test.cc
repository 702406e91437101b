// tmpfs: contents, limits, listings, seals.
#include "tests/unit/vfs_fixture.h"

namespace lxss {
namespace {

using abi::FallocateFlag;
using abi::OpenFlag;
using abi::SealFlag;

class Tmpfs : public VfsTest {
 protected:
  Fd new_file() {
    return must_open("/f", OpenFlag::kO_CREAT | OpenFlag::kO_RDWR | OpenFlag::kO_TRUNC);
  }
  i64 write_at(Fd fd, std::string_view data, i64 offset) {
    return to_register(sys::pwrite64({task()}, fd, {UserAddr{reinterpret_cast<u64>(data.data())}},
                                     data.size(), offset));
  }
  i64 seek(Fd fd, i64 offset, i32 whence) {
    return to_register(sys::lseek({task()}, fd, offset, whence));
  }
  void mount(const char* options) {
    mkdir("/m");
    ASSERT_EQ(
        to_register(sys::mount(task(), text("none"), text("/m"), text("tmpfs"), {}, text(options))),
        0);
  }
};

TEST_F(Tmpfs, SmallAndLargeContents) {
  Fd fd = new_file();
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    ASSERT_EQ(write(fd, line), static_cast<i64>(line.size()));
    expected += line;
  }
  EXPECT_EQ(content("/f"), expected);
  EXPECT_EQ(to_register(sys::ftruncate(task(), fd, 10)), 0);
  EXPECT_EQ(to_register(sys::ftruncate(task(), fd, 20)), 0);
  EXPECT_EQ(content("/f"), expected.substr(0, 10) + std::string(10, '\0'));
  EXPECT_EQ(write_at(fd, "end", 100000), 3);
  abi::Stat status;
  stat("/f", &status);
  EXPECT_EQ(status.st_size, 100003);
  EXPECT_LT(status.st_blocks * 512, 50000);
}

TEST_F(Tmpfs, HolesAndExtents) {
  Fd fd = new_file();
  EXPECT_EQ(to_register(sys::ftruncate(task(), fd, 1 << 20)), 0);
  EXPECT_EQ(write_at(fd, "data", 8 * 4096), 4);
  EXPECT_EQ(seek(fd, 0, abi::kSEEK_DATA), 8 * 4096);
  EXPECT_EQ(seek(fd, 8 * 4096, abi::kSEEK_HOLE), 9 * 4096);
  EXPECT_EQ(seek(fd, 10 * 4096, abi::kSEEK_DATA), error(Errno::kENXIO));
  EXPECT_EQ(
      to_register(sys::fallocate(
          task(), fd, FallocateFlag::kFALLOC_FL_PUNCH_HOLE | FallocateFlag::kFALLOC_FL_KEEP_SIZE,
          8 * 4096, 4096)),
      0);
  EXPECT_EQ(seek(fd, 0, abi::kSEEK_DATA), error(Errno::kENXIO));
  EXPECT_EQ(to_register(sys::fallocate(task(), fd, {}, 0, 2 << 20)), 0);
  abi::Stat status;
  stat("/f", &status);
  EXPECT_EQ(status.st_size, 2 << 20);
  EXPECT_EQ(status.st_blocks, (2 << 20) / 512);
  EXPECT_EQ(to_register(sys::fallocate(task(), fd, FallocateFlag::kFALLOC_FL_PUNCH_HOLE, 0, 1)),
            error(Errno::kEOPNOTSUPP));
}

TEST_F(Tmpfs, LimitOfSize) {
  mount("size=64k,nr_inodes=4");
  Fd fd = must_open("/m/f", OpenFlag::kO_CREAT | OpenFlag::kO_RDWR);
  const std::string data(100000, 'x');
  EXPECT_EQ(write(fd, data), 65536);
  EXPECT_EQ(write(fd, data), error(Errno::kENOSPC));
  abi::Statfs status;
  EXPECT_EQ(to_register(sys::statfs(task(), text("/m"), out(&status))), 0);
  EXPECT_EQ(status.f_type, abi::kTMPFS_MAGIC);
  EXPECT_EQ(status.f_blocks, 16u);
  EXPECT_EQ(status.f_bfree, 0u);
  EXPECT_EQ(to_register(sys::ftruncate(task(), fd, 4096)), 0);
  EXPECT_EQ(to_register(sys::fallocate(task(), fd, {}, 0, 1 << 20)), error(Errno::kENOSPC));
  EXPECT_EQ(seek(fd, 0, abi::kSEEK_END), 4096);
  EXPECT_EQ(write(fd, data), 65536 - 4096);
  close(fd);
  EXPECT_EQ(unlink("/m/f"), 0);
  EXPECT_EQ(to_register(sys::statfs(task(), text("/m"), out(&status))), 0);
  EXPECT_EQ(status.f_bfree, 16u);
}

TEST_F(Tmpfs, LimitOfInodes) {
  mount("nr_inodes=3");
  create("/m/a");
  create("/m/b");
  EXPECT_EQ(open("/m/c", OpenFlag::kO_CREAT), error(Errno::kENOSPC));
  EXPECT_EQ(unlink("/m/a"), 0);
  EXPECT_GE(open("/m/c", OpenFlag::kO_CREAT), 0);
}

TEST_F(Tmpfs, MountOptions) {
  mkdir("/m");
  EXPECT_EQ(to_register(sys::mount(task(), text("none"), text("/m"), text("tmpfs"), {},
                                   text("nonsense=1"))),
            error(Errno::kEINVAL));
  EXPECT_EQ(to_register(sys::mount(task(), text("none"), text("/m"), text("nofs"), {}, {})),
            error(Errno::kENODEV));
  mount("mode=0750,uid=12,gid=34,size=1m");
  abi::Stat status;
  stat("/m", &status);
  EXPECT_EQ(status.st_mode, 040750u);
  EXPECT_EQ(status.st_uid, 12u);
  EXPECT_EQ(status.st_gid, 34u);
}

TEST_F(Tmpfs, ListingsSurviveChanges) {
  std::vector<std::string> expected{".", ".."};
  for (int i = 0; i < 50; ++i) {
    const std::string name = "file" + std::to_string(i);
    create(("/" + name).c_str());
    expected.push_back(name);
  }
  EXPECT_EQ(list("/"), expected);
  // Removing what is listed while it is listed skips nothing.
  Fd fd = must_open("/", OpenFlag::kO_DIRECTORY);
  char buffer[200];
  int removed = 0;
  for (;;) {
    auto got = sys::getdents64(task(), fd, {UserAddr{reinterpret_cast<u64>(buffer)}}, 200);
    ASSERT_TRUE(got.ok());
    if (got.value() == 0) break;
    for (usize at = 0; at < got.value();) {
      abi::Dirent64 entry;
      std::memcpy(&entry, buffer + at, sizeof entry);
      const std::string name = buffer + at + abi::kDirent64NameOffset;
      if (name[0] != '.') {
        EXPECT_EQ(entry.d_type, abi::kDT_REG);
        EXPECT_EQ(unlink(("/" + name).c_str()), 0);
        ++removed;
      }
      at += entry.d_reclen;
    }
  }
  EXPECT_EQ(removed, 50);
  EXPECT_EQ(to_register(sys::getdents64(task(), fd, {UserAddr{reinterpret_cast<u64>(buffer)}}, 0)),
            0);
  EXPECT_EQ(seek(fd, 0, abi::kSEEK_SET), 0);
  EXPECT_EQ(to_register(sys::getdents64(task(), fd, {UserAddr{reinterpret_cast<u64>(buffer)}}, 8)),
            error(Errno::kEINVAL));
}

TEST_F(Tmpfs, Copies) {
  create("/from", 0644, "0123456789");
  Fd from = must_open("/from", {}), to = new_file();
  i64 offset = 2;
  EXPECT_EQ(
      to_register(sys::sendfile({task()}, to, from, {UserAddr{reinterpret_cast<u64>(&offset)}}, 5)),
      5);
  EXPECT_EQ(offset, 7);
  EXPECT_EQ(to_register(sys::sendfile({task()}, to, from, {}, 100)), 10);
  EXPECT_EQ(content("/f"), "234560123456789");
  EXPECT_EQ(seek(from, 0, abi::kSEEK_SET), 0);
  EXPECT_EQ(to_register(sys::copy_file_range({task()}, from, {}, to, {}, 3, 0)), 3);
  EXPECT_EQ(content("/f"), "234560123456789012");
  EXPECT_EQ(to_register(sys::copy_file_range({task()}, to, {}, to, {}, 3, 1)),
            error(Errno::kEINVAL));
}

TEST_F(Tmpfs, Seals) {
  using abi::MemfdFlag;
  auto made = sys::memfd_create(task(), text("name"), MemfdFlag::kMFD_ALLOW_SEALING);
  ASSERT_TRUE(made.ok());
  Fd fd = made.value();
  auto seal = [&](abi::SealFlags seals) {
    return to_register(sys::fcntl(task(), fd, abi::kF_ADD_SEALS, seals.raw()));
  };
  EXPECT_EQ(vfs::path_text(task(), task().files->get(fd).value()->path()), "/memfd:name (deleted)");
  EXPECT_EQ(write(fd, "content"), 7);
  EXPECT_EQ(seal(SealFlag::kF_SEAL_GROW), 0);
  EXPECT_EQ(write(fd, "x"), error(Errno::kEPERM));
  EXPECT_EQ(write_at(fd, "C", 0), 1);
  EXPECT_EQ(to_register(sys::ftruncate(task(), fd, 8)), error(Errno::kEPERM));
  EXPECT_EQ(to_register(sys::ftruncate(task(), fd, 6)), 0);
  EXPECT_EQ(seal(SealFlag::kF_SEAL_SHRINK | SealFlag::kF_SEAL_WRITE), 0);
  EXPECT_EQ(write_at(fd, "c", 0), error(Errno::kEPERM));
  EXPECT_EQ(to_register(sys::ftruncate(task(), fd, 5)), error(Errno::kEPERM));
  EXPECT_EQ(to_register(sys::fcntl(task(), fd, abi::kF_GET_SEALS, 0)), 14);
  EXPECT_EQ(seal(SealFlag::kF_SEAL_SEAL), 0);
  EXPECT_EQ(seal(SealFlag::kF_SEAL_GROW), error(Errno::kEPERM));
  made = sys::memfd_create(task(), text("name"), {});
  fd = made.value();
  EXPECT_EQ(seal(SealFlag::kF_SEAL_GROW), error(Errno::kEPERM));
}

}  // namespace
}  // namespace lxss
