// devpts seen through the VFS: terminals come and go as names.
#include "fs/devpts/devpts.h"

#include "abi/linux/ioctl.h"
#include "lxcore/kernel.h"
#include "lxcore/tty/tty.h"
#include "vfs_fixture.h"

namespace lxss {
namespace {

class Names final : public DirectorySink {
 public:
  bool add(std::string_view name, u64, u8, u64) override {
    all += std::string(name) + " ";
    return true;
  }
  std::string all;
};

class DevPtsTest : public VfsTest {
 protected:
  DevPtsTest() {
    mkdir("/pts");
    auto at = MUST(vfs::resolve(task(), Fd{abi::kAT_FDCWD}, "/pts", {}));
    MUST(vfs::mount(MUST(filesystem_types::create_devpts("gid=5,mode=620,ptmxmode=666")), at,
                    "devpts", {}));
    Process& process = *task().process;
    process.group = make_ref<ProcessGroup>(process.pid, make_ref<Session>(process.pid));
    kernel().groups[process.pid] = process.group.get();
    process.group->members.push_back(process);
  }
  RefPtr<File> open_file(const char* path, u32 flags = 2) {
    return MUST(vfs::open(task(), Fd{abi::kAT_FDCWD}, path, abi::OpenFlags(flags), 0));
  }
  Result<abi::Stat> stat(const char* path) {
    return vfs::stat(TRY(vfs::resolve(task(), Fd{abi::kAT_FDCWD}, path, {})));
  }
  std::string list() {
    Names names;
    MUST(open_file("/pts", 0)->read_directory(task(), 0, names));
    return names.all;
  }
  void unlock(File& master) {
    i32 no = 0;
    MUST(master.ioctl(task(), abi::kTIOCSPTLCK, reinterpret_cast<u64>(&no)));
  }
};

TEST_F(DevPtsTest, EntriesFollowTheMasters) {
  EXPECT_EQ(list(), ". .. ptmx ");
  EXPECT_TRUE(stat("/pts/0").is(Errno::kENOENT));
  RefPtr<File> first = open_file("/pts/ptmx");
  RefPtr<File> second = open_file("/pts/ptmx");
  EXPECT_EQ(list(), ". .. ptmx 0 1 ");
  const abi::Stat status = MUST(stat("/pts/1"));
  EXPECT_EQ(status.st_mode, abi::kS_IFCHR | 0620u);
  EXPECT_EQ(status.st_rdev, abi::make_dev(136, 1));
  EXPECT_EQ(status.st_gid, 5u);
  EXPECT_EQ(status.st_ino, 4u);
  first = nullptr;
  EXPECT_EQ(list(), ". .. ptmx 1 ");
  EXPECT_TRUE(stat("/pts/0").is(Errno::kENOENT));
  EXPECT_TRUE(stat("/pts/01").is(Errno::kENOENT));
}

TEST_F(DevPtsTest, TheNodeIsTheTerminals) {
  RefPtr<File> master = open_file("/pts/ptmx");
  EXPECT_TRUE(
      vfs::open(task(), Fd{abi::kAT_FDCWD}, "/pts/0", abi::OpenFlags(2), 0).is(Errno::kEIO));
  unlock(*master);
  RefPtr<File> slave = open_file("/pts/0");
  EXPECT_EQ(vfs::path_text(task(), slave->path()), "/pts/0");
  EXPECT_TRUE(task().session().terminal);
  AttributeChange change;
  change.permissions = 0600;
  change.uid = 1000;
  MUST(slave->inode().set_attributes(change));
  EXPECT_EQ(MUST(stat("/pts/0")).st_mode, abi::kS_IFCHR | 0600u);
  EXPECT_EQ(MUST(stat("/pts/0")).st_uid, 1000u);
  // Its number's next owner starts afresh.
  master = slave = nullptr;
  master = open_file("/pts/ptmx");
  EXPECT_EQ(MUST(stat("/pts/0")).st_mode, abi::kS_IFCHR | 0620u);
}

TEST_F(DevPtsTest, ThePeerIsOpenedThroughTheMaster) {
  RefPtr<File> master = open_file("/pts/ptmx");
  unlock(*master);
  constexpr u64 kFlags = 2 | static_cast<u64>(abi::OpenFlag::kO_NOCTTY);
  const u64 number = MUST(master->ioctl(task(), abi::kTIOCGPTPEER, kFlags));
  RefPtr<File> slave = MUST(task().file(Fd{static_cast<i32>(number)}));
  EXPECT_EQ(vfs::path_text(task(), slave->path()), "/pts/0");
  EXPECT_FALSE(task().session().terminal);
}

TEST(DevPtsOptions, AreParsed) {
  auto options = devpts::Options::parse("newinstance,gid=7,mode=600,ptmxmode=0666");
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->gid, 7u);
  EXPECT_EQ(options->mode, 0600u);
  EXPECT_TRUE(devpts::Options::parse("mode=9").is(Errno::kEINVAL));
  EXPECT_TRUE(devpts::Options::parse("nonsense=1").is(Errno::kEINVAL));
}

}  // namespace
}  // namespace lxss
