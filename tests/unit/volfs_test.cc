// VolFs on a real host directory: format, names, links, crash leftovers, descriptors.
#include <dirent.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "fs/host_tree/host_tree.h"
#include "lxcore/vfs/namespace.h"
#include "tests/unit/volfs_fixture.h"

namespace lxss {
namespace {

constexpr u32 kRegular = abi::kS_IFREG | 0644;
constexpr u32 kDirectory = abi::kS_IFDIR | 0755;
constexpr Fd kCwd{abi::kAT_FDCWD};

class VolFs : public TreeTest {
 protected:
  explicit VolFs(usize idle = HostTree::kMaxOpenDescriptors) {
    store_record(host_.path(), kDirectory);
    mount_root(MUST(volfs::mount(host_.fd(), idle)));
  }
  /// The tree as the next instance finds it.
  RefPtr<FileSystem> remount() { return MUST(volfs::mount(host_.fd())); }
  static usize open_descriptors() {
    usize count = 0;
    DIR* fds = opendir("/proc/self/fd");
    while (readdir(fds)) ++count;
    closedir(fds);
    return count;
  }

  HostDirectory host_;
};

TEST_F(VolFs, MountWantsARecord) {
  HostDirectory plain;
  EXPECT_ERROR(volfs::mount(plain.fd()), kEINVAL);
  store_record(plain.path(), kRegular);
  EXPECT_ERROR(volfs::mount(plain.fd()), kEINVAL);
  EXPECT_STREQ(filesystem_->type(), "volfs");
  EXPECT_EQ(MUST(filesystem_->statistics()).f_type, 0xef53);
}

TEST_F(VolFs, CreatesEveryType) {
  NewInode what = made(abi::kS_IFCHR | 0600);
  what.uid = 5;
  what.gid = 6;
  what.rdev = abi::make_dev(4, 300);
  auto device = MUST(root()->create("tty", what));
  EXPECT_EQ(device->rdev(), abi::make_dev(4, 300));
  for (auto [name, type] : {std::pair{"fifo", abi::kS_IFIFO},
                            {"socket", abi::kS_IFSOCK},
                            {"file", abi::kS_IFREG},
                            {"directory", abi::kS_IFDIR}}) {
    EXPECT_OK(root()->create(name, made(type | 0640)));
  }
  EXPECT_OK(root()->create("link", made(abi::kS_IFLNK | 0777, "some/where")));
  EXPECT_ERROR(root()->create("file", made(kRegular)), kEEXIST);

  // A second mount knows only what the disk knows.
  auto again = MUST(remount()->root());
  EXPECT_EQ(MUST(again->lookup("link"))->mode(), abi::kS_IFLNK | 0777);
  EXPECT_EQ(MUST(MUST(again->lookup("link"))->read_link()), "some/where");
  EXPECT_EQ(MUST(MUST(again->lookup("link"))->attributes()).size, 10u);
  EXPECT_EQ(MUST(again->lookup("socket"))->mode(), abi::kS_IFSOCK | 0640);
  auto found = MUST(again->lookup("tty"));
  EXPECT_EQ(found->mode(), abi::kS_IFCHR | 0600);
  EXPECT_EQ(found->uid(), 5u);
  EXPECT_EQ(found->gid(), 6u);
  EXPECT_EQ(found->rdev(), abi::make_dev(4, 300));
  EXPECT_ERROR(again->lookup("nothing"), kENOENT);
  EXPECT_ERROR(MUST(again->lookup("file"))->lookup("x"), kENOTDIR);

  struct stat status;
  ASSERT_EQ(lstat(host_.at("link").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFREG | 0600u);
  ASSERT_EQ(lstat(host_.at("directory").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFDIR | 0700u);
}

TEST_F(VolFs, ListsTypesAndNumbers) {
  auto directory = MUST(root()->create("d", made(kDirectory)));
  EXPECT_OK(directory->create("l", made(abi::kS_IFLNK | 0777, "x")));
  EXPECT_OK(directory->create("p", made(abi::kS_IFIFO | 0600)));
  EXPECT_OK(directory->create("f", made(kRegular)));
  EXPECT_OK(directory->create("d", made(kDirectory)));
  ASSERT_EQ(mknod(host_.at("d/leftover").c_str(), S_IFREG | 0600, 0), 0);
  // Without inode objects, and with them.
  auto held = MUST(directory->lookup("p"));
  ListSink sink = list("/d");
  ASSERT_EQ(sink.entries.size(), 6u);
  EXPECT_EQ(sink.entries["l"].type, abi::kDT_LNK);
  EXPECT_EQ(sink.entries["p"].type, abi::kDT_FIFO);
  EXPECT_EQ(sink.entries["f"].type, abi::kDT_REG);
  EXPECT_EQ(sink.entries["d"].type, abi::kDT_DIR);
  EXPECT_EQ(sink.entries["p"].number, held->number());
  EXPECT_EQ(sink.entries["."].number, directory->number());
  EXPECT_EQ(sink.entries[".."].number, root()->number());
  EXPECT_EQ(list("/").entries[".."].number, root()->number());
}

TEST_F(VolFs, ListsFromAnyPosition) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_OK(root()->create("a-name-of-some-length-" + std::to_string(i), made(kRegular)));
  }
  auto file = open("/", O_RDONLY | O_DIRECTORY);
  std::map<std::string, int> seen;
  std::vector<std::string> order;
  std::map<u64, usize> positions;
  u64 position = 0;
  for (;;) {
    positions[position] = order.size();
    ListSink sink;
    sink.limit = 7;
    ASSERT_OK(file->read_directory(task(), position, sink));
    if (sink.order.empty()) break;
    for (auto& name : sink.order) ++seen[name], order.push_back(name);
    position = sink.position;
  }
  EXPECT_EQ(seen.size(), 1002u);
  EXPECT_EQ(order.size(), 1002u);
  // telldir and seekdir.
  usize checked = 0;
  for (auto [at, index] : positions) {
    if (index >= order.size() || checked++ > 20) continue;
    ListSink sink;
    sink.limit = 1;
    ASSERT_OK(file->read_directory(task(), at, sink));
    EXPECT_EQ(sink.order.at(0), order[index]);
  }
}

TEST_F(VolFs, UnfinishedCreationsDoNotExist) {
  auto inner = MUST(root()->create("d", made(kDirectory)));
  // As a crash leaves them.
  for (const char* name : {"file", "d/file"}) {
    ASSERT_EQ(mknod(host_.at(name).c_str(), S_IFREG | 0600, 0), 0);
  }
  for (const char* name : {"directory", "d/directory", "directory2"}) {
    ASSERT_EQ(mkdir(host_.at(name).c_str(), 0700), 0);
  }
  // A record that is not of the host file's type, or of another version.
  ASSERT_EQ(mknod(host_.at("odd").c_str(), S_IFREG | 0600, 0), 0);
  store_record(host_.at("odd"), kDirectory);
  ASSERT_EQ(mknod(host_.at("old").c_str(), S_IFREG | 0600, 0), 0);
  ASSERT_EQ(setxattr(host_.at("old").c_str(), volfs::kInodeAttribute, "LXI\0", 4, 0), 0);

  for (const char* name : {"file", "directory", "odd", "old"}) {
    EXPECT_ERROR(root()->lookup(name), kENOENT);
  }
  EXPECT_EQ(list("/").entries.size(), 3u);

  EXPECT_OK(root()->create("file", made(kRegular)));
  EXPECT_OK(root()->create("directory", made(abi::kS_IFLNK | 0777, "t")));
  EXPECT_OK(root()->create("odd", made(kDirectory)));
  auto old = MUST(root()->lookup("file"));
  EXPECT_OK(root()->link("old", *old));
  EXPECT_OK(root()->rename("file", *old, *root(), "directory2", nullptr, {}));
  EXPECT_EQ(MUST(old->attributes()).links, 2u);
  // A directory with nothing but leftovers is empty.
  EXPECT_OK(root()->remove_directory("d", *inner));
  EXPECT_ERROR(root()->lookup("d"), kENOENT);
}

TEST_F(VolFs, HardLinksShareTheInode) {
  auto file = MUST(root()->create("a", made(kRegular)));
  auto directory = MUST(root()->create("d", made(kDirectory)));
  EXPECT_OK(directory->link("b", *file));
  EXPECT_EQ(MUST(directory->lookup("b")), file);
  EXPECT_EQ(MUST(file->attributes()).links, 2u);
  AttributeChange change;
  change.permissions = 04711;
  change.uid = 9;
  EXPECT_OK(MUST(directory->lookup("b"))->set_attributes(change));
  EXPECT_EQ(file->mode(), abi::kS_IFREG | 04711);
  EXPECT_OK(root()->unlink("a", *file));
  EXPECT_EQ(MUST(file->attributes()).links, 1u);
  EXPECT_ERROR(directory->link("b", *file), kEEXIST);
  auto again = MUST(MUST(MUST(remount()->root())->lookup("d"))->lookup("b"));
  EXPECT_EQ(again->mode(), abi::kS_IFREG | 04711);
  EXPECT_EQ(again->uid(), 9u);
}

TEST_F(VolFs, ReadsAndWrites) {
  auto file = open("/f", O_RDWR | O_CREAT);
  EXPECT_EQ(write(*file, "hello", 0), 5u);
  EXPECT_EQ(write(*file, "!", 100000), 1u);
  EXPECT_EQ(read(*file, 3, 1), "ell");
  EXPECT_EQ(read(*file, 10, 100001), "");
  EXPECT_EQ(MUST(file->inode().attributes()).size, 100001u);
  EXPECT_EQ(MUST(file->seek(0, SEEK_END)), 100001u);
  EXPECT_EQ(MUST(file->seek(5, SEEK_DATA)), 5u);
  EXPECT_EQ(MUST(file->seek(0, SEEK_HOLE)), 4096u);
  EXPECT_ERROR(file->seek(200000, SEEK_DATA), kENXIO);
  EXPECT_OK(file->truncate(2));
  EXPECT_EQ(read(*file, 10, 0), "he");
  EXPECT_EQ(MUST(file->inode().attributes()).size, 2u);
  EXPECT_OK(file->allocate(0, 0, 8192));
  EXPECT_EQ(MUST(file->inode().attributes()).size, 8192u);
  EXPECT_GE(MUST(file->inode().attributes()).blocks, 16u);
  EXPECT_OK(file->sync(false));
  EXPECT_OK(file->sync(true));
  EXPECT_TRUE(MUST(file->map()).fd.value >= 0);
  EXPECT_ERROR(open("/", O_RDONLY)->truncate(0), kEINVAL);
}

TEST_F(VolFs, AppendGoesToTheEnd) {
  auto file = open("/f", O_RDWR | O_CREAT | O_APPEND);
  write(*file, "one", 0);
  u64 offset = 0;
  std::string_view text = "two";
  IoBuffer buffer = IoBuffer::kernel(std::as_bytes(std::span(text)));
  EXPECT_EQ(MUST(file->write(task(), buffer, &offset)), 3u);
  EXPECT_EQ(offset, 3u);
  EXPECT_EQ(read(*file, 10, 0), "onetwo");
}

TEST_F(VolFs, WritingDropsSetuid) {
  auto file = open("/f", O_RDWR | O_CREAT, 06755);
  write(*file, "x", 0);
  EXPECT_EQ(file->inode().mode() & 07777, 06755u);
  auto user = task().credentials->copy();
  user->effective = 0;
  task().credentials = user;
  write(*file, "x", 0);
  EXPECT_EQ(file->inode().mode() & 07777, 0755u);
}

TEST_F(VolFs, RemovedFilesLiveWhileOpen) {
  auto file = open("/f", O_RDWR | O_CREAT);
  write(*file, "still here", 0);
  EXPECT_OK(vfs::unlink(task(), kCwd, "/f"));
  EXPECT_FALSE(exists("/f"));
  EXPECT_EQ(read(*file, 20, 0), "still here");
  Attributes attributes = MUST(file->inode().attributes());
  EXPECT_EQ(attributes.links, 0u);
  AttributeChange change;
  change.permissions = 0400;
  EXPECT_OK(file->inode().set_attributes(change));
  EXPECT_EQ(MUST(file->inode().attributes()).mode & 0777, 0400u);
  EXPECT_ERROR(root()->link("again", file->inode()), kENOENT);

  auto second = open("/f", O_RDWR | O_CREAT);
  EXPECT_NE(MUST(second->inode().attributes()).number, attributes.number);
  EXPECT_EQ(read(*second, 20, 0), "");
}

TEST_F(VolFs, RemovedDirectoriesAreDead) {
  EXPECT_OK(vfs::make_directory(task(), kCwd, "/d", 0755));
  auto directory = inode("/d");
  EXPECT_OK(directory->create("f", made(kRegular)));
  EXPECT_ERROR(vfs::remove_directory(task(), kCwd, "/d"), kENOTEMPTY);
  EXPECT_OK(vfs::unlink(task(), kCwd, "/d/f"));
  auto listing = open("/d", O_RDONLY | O_DIRECTORY);
  EXPECT_OK(vfs::remove_directory(task(), kCwd, "/d"));
  EXPECT_ERROR(directory->create("g", made(kRegular)), kENOENT);
  EXPECT_ERROR(directory->lookup("f"), kENOENT);
  EXPECT_EQ(MUST(directory->attributes()).links, 0u);
  ListSink sink;
  EXPECT_ERROR(listing->read_directory(task(), 0, sink), kENOENT);
}

TEST_F(VolFs, ReusedIdentityIsAnotherInode) {
  // Held by nothing that has it open, as O_PATH does.
  auto held = MUST(root()->create("l", made(abi::kS_IFLNK | 0777, "x")));
  EXPECT_OK(root()->unlink("l", *held));
  EXPECT_EQ(MUST(held->attributes()).links, 0u);
  for (int i = 0; i < 50; ++i) {
    const std::string name = std::to_string(i);
    EXPECT_OK(root()->create(name, made(kRegular)));
    auto found = MUST(root()->lookup(name));
    EXPECT_NE(found, held);
    EXPECT_TRUE(found->is_regular());
  }
}

TEST_F(VolFs, Renames) {
  auto directory = MUST(root()->create("d", made(kDirectory)));
  auto inner = MUST(directory->create("inner", made(kDirectory)));
  auto file = MUST(inner->create("f", made(kRegular)));
  auto other = MUST(root()->create("other", made(kRegular)));

  // A directory with open files inside moves.
  EXPECT_OK(directory->rename("inner", *inner, *root(), "moved", nullptr, {}));
  EXPECT_EQ(MUST(inner->lookup("f")), file);
  EXPECT_EQ(MUST(root()->lookup("moved")), inner);
  EXPECT_ERROR(directory->lookup("inner"), kENOENT);

  using abi::RenameFlag;
  EXPECT_ERROR(
      inner->rename("f", *file, *root(), "other", other.get(), RenameFlag::kRENAME_NOREPLACE),
      kEEXIST);
  EXPECT_OK(inner->rename("f", *file, *root(), "other", other.get(), RenameFlag::kRENAME_EXCHANGE));
  EXPECT_EQ(MUST(inner->lookup("f")), other);
  EXPECT_EQ(MUST(root()->lookup("other")), file);
  EXPECT_OK(inner->rename("f", *other, *root(), "other", file.get(), {}));
  EXPECT_EQ(MUST(root()->lookup("other")), other);
  EXPECT_EQ(MUST(file->attributes()).links, 0u);

  EXPECT_OK(inner->link("second", *other));
  EXPECT_OK(inner->rename("second", *other, *root(), "other", other.get(), {}));
  EXPECT_EQ(MUST(inner->lookup("second")), other);

  // Over a directory: only an empty one.
  EXPECT_ERROR(root()->rename("d", *directory, *root(), "moved", inner.get(), {}), kENOTEMPTY);
  EXPECT_OK(inner->unlink("second", *other));
  ASSERT_EQ(mknod(host_.at("moved/leftover").c_str(), S_IFREG | 0600, 0), 0);
  EXPECT_OK(root()->rename("d", *directory, *root(), "moved", inner.get(), {}));
  EXPECT_EQ(MUST(root()->lookup("moved")), directory);
  EXPECT_ERROR(root()->rename("moved", *directory, *directory, "x", nullptr, {}), kEINVAL);
}

TEST_F(VolFs, Times) {
  auto file = MUST(root()->create("f", made(kRegular)));
  AttributeChange change;
  change.accessed = abi::Timespec{1000, 1};
  change.modified = abi::Timespec{2000, 2};
  EXPECT_OK(file->set_attributes(change));
  Attributes attributes = MUST(file->attributes());
  EXPECT_EQ(attributes.accessed.tv_sec, 1000);
  EXPECT_EQ(attributes.modified.tv_nsec, 2);
  EXPECT_GT(attributes.changed.tv_sec, 100000);
  auto open_file = open("/f", O_WRONLY);
  write(*open_file, "x", 0);
  EXPECT_GT(MUST(file->attributes()).modified.tv_sec, 100000);
  auto link = MUST(root()->create("l", made(abi::kS_IFLNK | 0777, "f")));
  EXPECT_OK(link->set_attributes(change));
  EXPECT_EQ(MUST(link->attributes()).modified.tv_sec, 2000);
}

TEST_F(VolFs, ExtendedAttributes) {
  auto file = MUST(root()->create("f", made(kRegular)));
  using abi::XattrFlag;
  EXPECT_ERROR(file->get_xattr("user.a"), kENODATA);
  EXPECT_EQ(MUST(file->list_xattrs()), "");
  EXPECT_ERROR(file->set_xattr("user.a", "v", XattrFlag::kXATTR_REPLACE), kENODATA);
  EXPECT_OK(file->set_xattr("user.a", "v", XattrFlag::kXATTR_CREATE));
  EXPECT_ERROR(file->set_xattr("user.a", "v", XattrFlag::kXATTR_CREATE), kEEXIST);
  const std::string big(1000, 'b');
  EXPECT_OK(file->set_xattr("trusted.b", big, {}));
  EXPECT_EQ(MUST(file->get_xattr("trusted.b")), big);
  std::string names = MUST(file->list_xattrs());
  EXPECT_EQ(names.size(), 17u);
  EXPECT_NE(names.find(std::string("user.a\0", 7)), std::string::npos);
  EXPECT_ERROR(file->set_xattr("system.posix_acl_access", "", {}), kEOPNOTSUPP);
  EXPECT_ERROR(file->get_xattr("user.lxss.inode"), kENODATA);
  EXPECT_ERROR(file->get_xattr("user." + std::string(250, 'x')), kERANGE);
  EXPECT_OK(file->remove_xattr("user.a"));
  EXPECT_ERROR(file->remove_xattr("user.a"), kENODATA);
  EXPECT_OK(file->remove_xattr("trusted.b"));
  EXPECT_EQ(MUST(file->list_xattrs()), "");
}

TEST_F(VolFs, TemporaryFileGetsAName) {
  auto file = open("/", O_RDWR | O_TMPFILE, 0600);
  write(*file, "text", 0);
  EXPECT_EQ(MUST(file->inode().attributes()).links, 0u);
  EXPECT_EQ(list("/").entries.size(), 2u);
  EXPECT_OK(root()->link("named", file->inode()));
  EXPECT_EQ(MUST(root()->lookup("named")).get(), &file->inode());
  EXPECT_EQ(MUST(file->inode().attributes()).links, 1u);
  auto again = MUST(MUST(remount()->root())->lookup("named"));
  EXPECT_EQ(MUST(again->attributes()).size, 4u);
}

TEST_F(VolFs, DirectorySyncCoversWhatItNames) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_OK(root()->create("l" + std::to_string(i), made(abi::kS_IFLNK | 0777, "target")));
  }
  EXPECT_OK(open("/", O_RDONLY | O_DIRECTORY)->sync(false));
  for (int i = 0; i < 30; ++i) {
    EXPECT_OK(root()->create("f" + std::to_string(i), made(kRegular)));
  }
  EXPECT_OK(open("/", O_RDONLY | O_DIRECTORY)->sync(true));
  EXPECT_OK(filesystem_->sync());
}

class VolFsTiny : public VolFs {
 protected:
  VolFsTiny() : VolFs(2) {}
};

TEST_F(VolFsTiny, DescriptorsAreReopened) {
  const usize before = open_descriptors();
  RefPtr<Inode> directory = root();
  std::vector<RefPtr<Inode>> all;
  for (int i = 0; i < 40; ++i) {
    directory = MUST(directory->create("d", made(kDirectory)));
    all.push_back(MUST(directory->create("f", made(kRegular))));
    all.push_back(directory);
  }
  EXPECT_LE(open_descriptors(), before + 3);
  auto file = open("/d/d/d/d/d/d/f", O_RDWR);
  write(*file, "deep", 0);
  // The name on the way changes while everything is closed.
  auto top = MUST(root()->lookup("d"));
  EXPECT_OK(root()->rename("d", *top, *root(), "renamed", nullptr, {}));
  auto deepest = directory;
  EXPECT_OK(deepest->create("last", made(kRegular)));
  EXPECT_EQ(read(*file, 10, 0), "deep");
  for (auto& each : all) EXPECT_OK(each->attributes());
  EXPECT_LE(open_descriptors(), before + 5);
}

TEST_F(VolFsTiny, RemovedAndOpenIsKept) {
  auto file = open("/f", O_RDWR | O_CREAT);
  write(*file, "x", 0);
  EXPECT_OK(vfs::unlink(task(), kCwd, "/f"));
  for (int i = 0; i < 10; ++i) {
    EXPECT_OK(root()->create("n" + std::to_string(i), made(kRegular)));
  }
  EXPECT_EQ(read(*file, 1, 0), "x");
}

TEST(VolFsSpace, NoSpaceLeavesNothing) {
  char path[] = "/tmp/lxss-space-XXXXXX";
  ASSERT_TRUE(mkdtemp(path));
  if (::mount("tmpfs", path, "tmpfs", 0, "size=128k,nr_inodes=16") != 0) {
    rmdir(path);
    GTEST_SKIP() << "needs to mount a tmpfs";
  }
  {
    fake::Instance instance;
    int fd = ::open(path, O_RDONLY | O_DIRECTORY);
    store_record(path, kDirectory);
    auto filesystem = volfs::mount(host::Fd(fd));
    ASSERT_OK(filesystem);
    auto root = MUST(filesystem.value()->root());
    Errno failed{0};
    int made = 0;
    for (; failed == Errno{0}; ++made) {
      NewInode what;
      what.mode = kRegular;
      failed = error_of(root->create("f" + std::to_string(made), what));
      ASSERT_LT(made, 100);
    }
    EXPECT_EQ(failed, Errno::kENOSPC);
    EXPECT_EQ(access((std::string(path) + "/f" + std::to_string(made - 1)).c_str(), F_OK), -1);
    root = nullptr;
    filesystem = Errno::kEIO;
    close(fd);
  }
  umount(path);
  rmdir(path);
}

}  // namespace
}  // namespace lxss
