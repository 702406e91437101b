// open(2) and descriptors.
#include "tests/unit/vfs_fixture.h"

namespace lxss {
namespace {

using abi::OpenFlag;

constexpr abi::OpenFlags kReadOnly;

class Open : public VfsTest {};

TEST_F(Open, CreateAndExclusive) {
  EXPECT_EQ(open("/f", kReadOnly), error(Errno::kENOENT));
  EXPECT_EQ(open("/f", OpenFlag::kO_CREAT | OpenFlag::kO_RDWR), 0);
  EXPECT_EQ(open("/f", OpenFlag::kO_CREAT | OpenFlag::kO_EXCL), error(Errno::kEEXIST));
  EXPECT_EQ(open("/none/f", OpenFlag::kO_CREAT), error(Errno::kENOENT));
  EXPECT_EQ(open("/f/g", OpenFlag::kO_CREAT), error(Errno::kENOTDIR));
  EXPECT_EQ(open("/g/", OpenFlag::kO_CREAT), error(Errno::kEISDIR));
  EXPECT_EQ(open("/", OpenFlag::kO_CREAT), error(Errno::kEISDIR));
  EXPECT_EQ(open("/f", OpenFlag::kO_CREAT | OpenFlag::kO_DIRECTORY), error(Errno::kEINVAL));
}

TEST_F(Open, CreationModeIsMasked) {
  to_register(sys::umask(task(), 027));
  create("/f", 0666);
  abi::Stat status;
  EXPECT_EQ(stat("/f", &status), 0);
  EXPECT_EQ(status.st_mode, 0100640u);
  // What is created may be used as asked, whatever its mode.
  become(1000, 1000);
  EXPECT_EQ(open("/x", OpenFlag::kO_CREAT), error(Errno::kEACCES));
}

TEST_F(Open, ACreatedFileIsOpenDespiteItsMode) {
  mkdir("/tmp", 0777);
  EXPECT_EQ(to_register(sys::chmod(task(), text("/tmp"), 0777)), 0);
  become(1000, 1000);
  Fd fd = must_open("/tmp/f", OpenFlag::kO_CREAT | OpenFlag::kO_RDWR, 0);
  EXPECT_EQ(write(fd, "x"), 1);
  EXPECT_EQ(open("/tmp/f", kReadOnly), error(Errno::kEACCES));
}

TEST_F(Open, Directories) {
  mkdir("/d");
  create("/f");
  EXPECT_EQ(open("/d", OpenFlag::kO_WRONLY), error(Errno::kEISDIR));
  EXPECT_EQ(open("/d", OpenFlag::kO_CREAT), error(Errno::kEISDIR));
  EXPECT_EQ(open("/f", OpenFlag::kO_DIRECTORY), error(Errno::kENOTDIR));
  Fd fd = must_open("/d", OpenFlag::kO_DIRECTORY);
  char byte;
  EXPECT_EQ(to_register(sys::read({task()}, fd, {UserAddr{reinterpret_cast<u64>(&byte)}}, 1)),
            error(Errno::kEISDIR));
}

TEST_F(Open, SymbolicLinks) {
  create("/f");
  symlink("f", "/link");
  symlink("new", "/dangling");
  EXPECT_EQ(open("/link", OpenFlag::kO_NOFOLLOW), error(Errno::kELOOP));
  EXPECT_EQ(open("/link", OpenFlag::kO_NOFOLLOW | OpenFlag::kO_DIRECTORY), error(Errno::kENOTDIR));
  EXPECT_EQ(open("/link", OpenFlag::kO_CREAT | OpenFlag::kO_EXCL), error(Errno::kEEXIST));
  EXPECT_EQ(open("/dangling", OpenFlag::kO_CREAT | OpenFlag::kO_EXCL), error(Errno::kEEXIST));
  EXPECT_GE(open("/dangling", OpenFlag::kO_CREAT), 0);
  EXPECT_EQ(lookup("/new"), 0);
  Fd fd = must_open("/link", OpenFlag::kO_PATH | OpenFlag::kO_NOFOLLOW);
  char target[8] = {};
  EXPECT_EQ(to_register(sys::readlinkat(task(), fd, text(""), out(target), sizeof target)), 1);
  EXPECT_EQ(target[0], 'f');
}

TEST_F(Open, PathOnlyDescriptors) {
  create("/f", 0);
  Fd fd = must_open("/f", OpenFlag::kO_PATH | OpenFlag::kO_RDWR);
  EXPECT_EQ(write(fd, "x"), error(Errno::kEBADF));
  EXPECT_EQ(to_register(sys::fchmod(task(), fd, 0600)), error(Errno::kEBADF));
  abi::Stat status;
  EXPECT_EQ(to_register(sys::fstat(task(), fd, out(&status))), 0);
  EXPECT_EQ(to_register(sys::fcntl(task(), fd, abi::kF_GETFL, 0)),
            static_cast<i64>(OpenFlag::kO_PATH));
  EXPECT_EQ(to_register(sys::fcntl(task(), fd, abi::kF_SETFL, 0)), error(Errno::kEBADF));
  EXPECT_GE(to_register(sys::dup(task(), fd)), 0);
}

TEST_F(Open, TruncateNeedsWritePermission) {
  create("/f", 0444, "text");
  become(1000, 1000);
  EXPECT_EQ(open("/f", OpenFlag::kO_TRUNC), error(Errno::kEACCES));
  EXPECT_EQ(content("/f"), "text");
}

TEST_F(Open, SpecialFiles) {
  EXPECT_EQ(to_register(sys::mknod(task(), text("/socket"), abi::kS_IFSOCK | 0666, 0)), 0);
  EXPECT_EQ(open("/socket", kReadOnly), error(Errno::kENXIO));
  EXPECT_EQ(to_register(sys::mknod(task(), text("/block"), abi::kS_IFBLK | 0666, 0x0800)), 0);
  EXPECT_EQ(open("/block", kReadOnly), error(Errno::kENXIO));
  EXPECT_EQ(to_register(sys::mknod(task(), text("/dir"), abi::kS_IFDIR | 0666, 0)),
            error(Errno::kEPERM));
  EXPECT_EQ(to_register(sys::mknod(task(), text("/odd"), abi::kS_IFLNK | 0666, 0)),
            error(Errno::kEINVAL));
  abi::Stat status;
  EXPECT_EQ(stat("/block", &status), 0);
  EXPECT_EQ(status.st_rdev, 0x0800u);
  become(1000, 1000);
  EXPECT_EQ(to_register(sys::mknod(task(), text("/c"), abi::kS_IFCHR, 0x103)),
            error(Errno::kEACCES));
}

TEST_F(Open, RunningProgramsAreNotWritten) {
  create("/program", 0755);
  auto at = vfs::resolve(task(), Fd{abi::kAT_FDCWD}, "/program", {});
  ASSERT_TRUE(at->inode().begin_executing());
  EXPECT_EQ(open("/program", OpenFlag::kO_WRONLY), error(Errno::kETXTBSY));
  EXPECT_EQ(to_register(sys::truncate(task(), text("/program"), 0)), error(Errno::kETXTBSY));
  EXPECT_GE(open("/program", kReadOnly), 0);
  at->inode().end_executing();
  Fd fd = must_open("/program", OpenFlag::kO_RDWR);
  EXPECT_TRUE(at->inode().has_writers());
  close(fd);
  EXPECT_FALSE(at->inode().has_writers());
}

TEST_F(Open, Temporary) {
  EXPECT_EQ(open("/", OpenFlag::kO_TMPFILE), error(Errno::kEINVAL));
  Fd fd = must_open("/", OpenFlag::kO_TMPFILE | OpenFlag::kO_RDWR);
  EXPECT_EQ(write(fd, "text"), 4);
  abi::Stat status;
  EXPECT_EQ(to_register(sys::fstat(task(), fd, out(&status))), 0);
  EXPECT_EQ(status.st_nlink, 0u);
  EXPECT_EQ(list("/"), (std::vector<std::string>{".", ".."}));
  EXPECT_EQ(to_register(sys::linkat(task(), fd, text(""), Fd{abi::kAT_FDCWD}, text("/named"),
                                    abi::AtFlag::kAT_EMPTY_PATH)),
            0);
  EXPECT_EQ(content("/named"), "text");
}

TEST_F(Open, Descriptors) {
  create("/f");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(open("/f", kReadOnly), i);
  close(Fd{1});
  EXPECT_EQ(open("/f", OpenFlag::kO_CLOEXEC), 1);
  EXPECT_EQ(to_register(sys::fcntl(task(), Fd{1}, abi::kF_GETFD, 0)), 1);
  EXPECT_EQ(to_register(sys::dup2(task(), Fd{1}, Fd{7})), 7);
  EXPECT_EQ(to_register(sys::fcntl(task(), Fd{7}, abi::kF_GETFD, 0)), 0);
  EXPECT_EQ(to_register(sys::dup2(task(), Fd{7}, Fd{7})), 7);
  EXPECT_EQ(to_register(sys::dup3(task(), Fd{7}, Fd{7}, {})), error(Errno::kEINVAL));
  EXPECT_EQ(to_register(sys::dup2(task(), Fd{99}, Fd{7})), error(Errno::kEBADF));
  EXPECT_EQ(to_register(sys::fcntl(task(), Fd{0}, abi::kF_DUPFD, 5)), 5);
  EXPECT_EQ(to_register(sys::fcntl(task(), Fd{0}, abi::kF_DUPFD, 1024)), error(Errno::kEINVAL));
  EXPECT_EQ(to_register(sys::close(task(), Fd{3})), error(Errno::kEBADF));
  EXPECT_EQ(to_register(sys::close_range(task(), 2, ~0u, {})), 0);
  EXPECT_EQ(to_register(sys::close(task(), Fd{7})), error(Errno::kEBADF));
  task().process->limits[abi::kRLIMIT_NOFILE].rlim_cur = 2;
  EXPECT_EQ(open("/f", kReadOnly), error(Errno::kEMFILE));
  EXPECT_EQ(to_register(sys::dup2(task(), Fd{0}, Fd{2})), error(Errno::kEBADF));
}

TEST_F(Open, AppendWritesAtTheEnd) {
  create("/f", 0644, "one");
  Fd a = must_open("/f", OpenFlag::kO_WRONLY | OpenFlag::kO_APPEND);
  Fd b = must_open("/f", OpenFlag::kO_WRONLY | OpenFlag::kO_APPEND);
  EXPECT_EQ(write(a, "two"), 3);
  EXPECT_EQ(write(b, "three"), 5);
  EXPECT_EQ(to_register(sys::lseek({task()}, a, 0, abi::kSEEK_SET)), 0);
  EXPECT_EQ(write(a, "!"), 1);
  EXPECT_EQ(to_register(sys::lseek({task()}, a, 0, abi::kSEEK_CUR)), 12);
  EXPECT_EQ(content("/f"), "onetwothree!");
}

TEST_F(Open, AFaultInTheMiddleIsAPartialTransfer) {
  create("/f", 0644, std::string(100, 'x'));
  Fd fd = must_open("/f", OpenFlag::kO_RDWR);
  char buffer[100];
  instance_.make_inaccessible(buffer + 40, 60);
  auto at = [&](usize i) { return sys::Bytes{UserAddr{reinterpret_cast<u64>(buffer + i)}}; };
  EXPECT_EQ(to_register(sys::read({task()}, fd, at(0), 100)), 40);
  EXPECT_EQ(to_register(sys::read({task()}, fd, at(50), 10)), error(Errno::kEFAULT));
  EXPECT_EQ(to_register(sys::lseek({task()}, fd, 0, abi::kSEEK_CUR)), 40);
}

TEST_F(Open, SizeLimit) {
  task().process->limits[abi::kRLIMIT_FSIZE] = {10, 10};
  Fd fd = must_open("/f", OpenFlag::kO_CREAT | OpenFlag::kO_RDWR);
  EXPECT_EQ(write(fd, "123456789012345"), 10);
  EXPECT_EQ(write(fd, "x"), error(Errno::kEFBIG));
  EXPECT_TRUE((task().pending.set() | task().process->pending.set()).has(abi::kSIGXFSZ));
  EXPECT_EQ(to_register(sys::ftruncate(task(), fd, 11)), error(Errno::kEFBIG));
  EXPECT_EQ(to_register(sys::ftruncate(task(), fd, 5)), 0);
}

}  // namespace
}  // namespace lxss
