// DriveFs on a real host directory: names, case, permissions, what the host changes meanwhile.
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "fs/drivefs/drivefs.h"
#include "fs/drivefs/names.h"
#include "lxcore/vfs/namespace.h"
#include "tests/unit/volfs_fixture.h"

namespace lxss {
namespace {

constexpr u32 kRegular = abi::kS_IFREG | 0666;
constexpr u32 kDirectory = abi::kS_IFDIR | 0777;
constexpr Fd kCwd{abi::kAT_FDCWD};

TEST(DriveNames, MapBothWays) {
  using namespace drivefs;
  const std::pair<std::string, std::string> pairs[] = {
      {"plain", "plain"},
      {"a:b",
       "a\xef\x80\xba"
       "b"},
      {"<>|", "\xef\x80\xbc\xef\x80\xbe\xef\x81\xbc"},
      {"back\\slash", "back\xef\x81\x9cslash"},
      {"dot.", "dot\xef\x80\xae"},
      {"dots..", "dots.\xef\x80\xae"},
      {"blank ", "blank\xef\x80\xa0"},
      {"line\n", "line\xef\x80\x8a"},
      {"\xc3\xa4", "\xc3\xa4"},
      {"\xff\xfe", "\xff\xfe"},
  };
  for (const auto& [host, guest] : pairs) {
    std::string storage;
    EXPECT_EQ(to_guest(host, storage), guest);
    EXPECT_EQ(to_host(guest), host);
  }
  for (const char* illegal :
       {"a:b", "a<", "x>y", "\"", "p|q", "w?", "*", "back\\slash", "end.", "end ", "a\tb"}) {
    EXPECT_FALSE(to_host(illegal)) << illegal;
  }
  // Mapped characters that need no mapping, and the ways around the walk.
  EXPECT_EQ(to_host("a\xef\x81\xa1"), "a\xef\x81\xa1");
  EXPECT_EQ(to_host("\xef\x80\xaf"), "\xef\x80\xaf");
  EXPECT_FALSE(to_host(".\xef\x80\xae"));
  EXPECT_FALSE(to_host("\xef\x80\xae"));
}

TEST(DriveNames, Reserved) {
  using drivefs::is_reserved;
  for (const char* name : {"con", "CON", "nul.txt", "Aux", "prn.", "com1", "LPT9.log", "nul .x"}) {
    EXPECT_TRUE(is_reserved(name)) << name;
  }
  for (const char* name : {"cond", "com", "com0", "com10", "null", "xcon", "lptx", ""}) {
    EXPECT_FALSE(is_reserved(name)) << name;
  }
}

TEST(DriveNames, Case) {
  using drivefs::equal_but_for_case;
  EXPECT_TRUE(equal_but_for_case("ReadMe", "README"));
  EXPECT_TRUE(
      equal_but_for_case("stra\xc3\x9f"
                         "e",
                         "STRA\xc3\x9f"
                         "E"));
  EXPECT_TRUE(equal_but_for_case("\xc3\xa4pfel", "\xc3\x84PFEL"));
  EXPECT_TRUE(equal_but_for_case("\xd0\xbf\xd1\x80", "\xd0\x9f\xd0\xa0"));  // Cyrillic
  EXPECT_TRUE(equal_but_for_case("\xcf\x83", "\xce\xa3"));                  // sigma
  EXPECT_FALSE(equal_but_for_case("\xc3\xa4", "\xc3\xb6"));
  EXPECT_TRUE(equal_but_for_case("\xe1\xb8\x81x", "\xe1\xb8\x80X"));  // three bytes
  EXPECT_TRUE(equal_but_for_case("\xe2\xb1\xa5", "\xc8\xba"));        // three bytes and two
  EXPECT_FALSE(equal_but_for_case("\xc4\xb1", "I"));                  // dotless
  EXPECT_TRUE(equal_but_for_case("\xff\xc3z", "\xff\xc3Z"));          // no UTF-8
  EXPECT_FALSE(equal_but_for_case("\xff", "\xfe"));
  EXPECT_FALSE(equal_but_for_case("a", "b"));
  EXPECT_FALSE(equal_but_for_case("a", "ab"));
}

class DriveFs : public TreeTest {
 protected:
  DriveFs() {
    control::Boot::Drive drive{};
    drive.letter = 'd';
    drive.uid = 1000;
    drive.gid = 1001;
    drive.umask = 022;
    drive.fmask = 0111;
    mount_root(MUST(drivefs::mount(host_.fd(), drive)));
    umask(0);
  }
  void put(const std::string& name, const std::string& text, mode_t mode = 0644) {
    int fd = ::open(host_.at(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, mode);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(::write(fd, text.data(), text.size()), ssize_t(text.size()));
    ::close(fd);
  }
  mode_t host_mode(const std::string& name) {
    struct stat status {};
    EXPECT_EQ(lstat(host_.at(name).c_str(), &status), 0);
    return status.st_mode & 07777;
  }

  HostDirectory host_;
};

TEST_F(DriveFs, HostChangesShowAtOnce) {
  EXPECT_FALSE(exists("/f"));
  put("f", "one");
  EXPECT_TRUE(exists("/f"));
  auto file = open("/f", O_RDONLY);
  EXPECT_EQ(read(*file, 10, 0), "one");
  put("f", "longer");
  EXPECT_EQ(MUST(file->inode().attributes()).size, 6u);
  EXPECT_EQ(inode("/f").get(), &file->inode());
  // Replaced on the host: another file, and the open one stays what it was.
  put("g", "other");
  ASSERT_EQ(::rename(host_.at("g").c_str(), host_.at("f").c_str()), 0);
  EXPECT_FALSE(exists("/g"));
  EXPECT_NE(inode("/f").get(), &file->inode());
  EXPECT_EQ(read(*file, 10, 0), "longer");
  EXPECT_EQ(MUST(inode("/f")->attributes()).size, 5u);
  ASSERT_EQ(::unlink(host_.at("f").c_str()), 0);
  EXPECT_FALSE(exists("/f"));
  // A directory that moves away and another that takes its place.
  ASSERT_EQ(::mkdir(host_.at("d").c_str(), 0755), 0);
  put("d/x", "x");
  EXPECT_TRUE(exists("/d/x"));
  ASSERT_EQ(::rename(host_.at("d").c_str(), host_.at("e").c_str()), 0);
  ASSERT_EQ(::mkdir(host_.at("d").c_str(), 0755), 0);
  EXPECT_FALSE(exists("/d/x"));
  EXPECT_TRUE(exists("/e/x"));
  // A file that becomes a directory.
  ASSERT_EQ(::rmdir(host_.at("d").c_str()), 0);
  put("d", "file now");
  EXPECT_TRUE(inode("/d")->is_regular());
}

TEST_F(DriveFs, LinksOfOneFile) {
  put("a", "x");
  auto file = inode("/a");
  ASSERT_EQ(::link(host_.at("a").c_str(), host_.at("b").c_str()), 0);
  EXPECT_EQ(inode("/b"), file);
  EXPECT_OK(vfs::unlink(task(), kCwd, "/a"));
  EXPECT_FALSE(exists("/a"));
  EXPECT_EQ(MUST(file->attributes()).links, 1u);
  ASSERT_EQ(::rename(host_.at("b").c_str(), host_.at("c").c_str()), 0);
  EXPECT_FALSE(exists("/b"));
  EXPECT_EQ(inode("/c"), file);
  EXPECT_OK(root()->link("again", *file));
  EXPECT_EQ(MUST(file->attributes()).links, 2u);
}

TEST_F(DriveFs, ModesAndOwners) {
  put("f", "", 0666);
  ASSERT_EQ(chmod(host_.at("f").c_str(), 0767), 0);
  auto file = inode("/f");
  EXPECT_EQ(file->mode(), abi::kS_IFREG | 0644u);
  EXPECT_EQ(file->uid(), 1000u);
  EXPECT_EQ(file->gid(), 1001u);
  EXPECT_EQ(root()->mode(), abi::kS_IFDIR | 0700u);
  AttributeChange change;
  change.permissions = 0600;
  EXPECT_OK(file->set_attributes(change));
  // The hidden bits are the host's still.
  EXPECT_EQ(host_mode("f"), 0723u);
  EXPECT_EQ(file->mode(), abi::kS_IFREG | 0600u);
  change.permissions = 04600;
  EXPECT_ERROR(file->set_attributes(change), kEPERM);
  AttributeChange owner;
  owner.uid = 1000;
  EXPECT_OK(file->set_attributes(owner));
  owner.uid = 0;
  EXPECT_ERROR(file->set_attributes(owner), kEPERM);
  EXPECT_OK(root()->create("new", made(abi::kS_IFREG | 0444)));
  EXPECT_EQ(host_mode("new"), 0444u);
  EXPECT_OK(root()->create("newdir", made(kDirectory)));
  EXPECT_EQ(host_mode("newdir"), 0755u);
  AttributeChange times;
  times.modified = abi::Timespec{5, 6};
  EXPECT_OK(inode("/new")->set_attributes(times));
  EXPECT_EQ(MUST(inode("/new")->attributes()).modified.tv_nsec, 6);
  ASSERT_EQ(symlink("new", host_.at("link").c_str()), 0);
  EXPECT_ERROR(inode("/link")->set_attributes(times), kEOPNOTSUPP);
}

TEST_F(DriveFs, CreateAndWriteReadOnlyFile) {
  auto file = open("/f", O_RDWR | O_CREAT, 0444);
  EXPECT_EQ(write(*file, "text", 0), 4u);
  EXPECT_EQ(read(*file, 4, 0), "text");
  EXPECT_OK(file->truncate(1));
  EXPECT_EQ(MUST(file->inode().attributes()).size, 1u);
  auto appended = open("/f", O_WRONLY | O_APPEND);
  write(*appended, "!", 0);
  EXPECT_EQ(read(*file, 4, 0), "t!");
}

TEST_F(DriveFs, NamesOfWindows) {
  for (const char* name : {"/a:b", "/what?", "/end.", "/nul", "/Com1.txt"}) {
    EXPECT_EQ(open_error(name, O_CREAT | O_WRONLY), Errno::kEINVAL) << name;
  }
  EXPECT_ERROR(vfs::make_directory(task(), kCwd, "/x|y", 0755), kEINVAL);
  put("a:b", "");
  put("nul", "");
  EXPECT_FALSE(exists("/a:b"));
  const std::string shown =
      "a\xef\x80\xba"
      "b";
  EXPECT_TRUE(exists("/" + shown));
  EXPECT_TRUE(exists("/nul"));
  auto all = list("/").entries;
  EXPECT_EQ(all.count(shown), 1u);
  EXPECT_EQ(all.count("a:b"), 0u);
  // The host itself may use the private area.
  put("c\xef\x80\xba", "");
  EXPECT_TRUE(exists("/c\xef\x80\xba"));
  EXPECT_OK(vfs::unlink(task(), kCwd, "/" + shown));
  EXPECT_NE(access(host_.at("a:b").c_str(), F_OK), 0);
}

TEST_F(DriveFs, CaseIsKeptAndNotDoubled) {
  open("/ReadMe", O_CREAT | O_WRONLY);
  EXPECT_FALSE(exists("/README"));
  EXPECT_EQ(open_error("/README", O_CREAT | O_WRONLY), Errno::kEEXIST);
  EXPECT_ERROR(vfs::make_directory(task(), kCwd, "/readme", 0755), kEEXIST);
  open("/other", O_CREAT | O_WRONLY);
  EXPECT_ERROR(vfs::rename(task(), kCwd, "/other", kCwd, "/README", {}), kEEXIST);
  EXPECT_OK(vfs::rename(task(), kCwd, "/ReadMe", kCwd, "/README", {}));
  EXPECT_TRUE(exists("/README"));
  EXPECT_FALSE(exists("/ReadMe"));
  EXPECT_OK(vfs::rename(task(), kCwd, "/other", kCwd, "/README", {}));
  EXPECT_FALSE(exists("/other"));
}

TEST_F(DriveFs, CaseOfNamesThatChangeMeanwhile) {
  open("/first", O_CREAT | O_WRONLY);
  // The host's, after the directory's names were remembered.
  put("Second", "host");
  const timespec times[2] = {{0, UTIME_OMIT}, {1000000, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, host_.at(".").c_str(), times, 0), 0);
  EXPECT_EQ(open_error("/second", O_CREAT | O_WRONLY), Errno::kEEXIST);
  ASSERT_EQ(::unlink(host_.at("Second").c_str()), 0);
  open("/second", O_CREAT | O_WRONLY);
  // Our own.
  EXPECT_OK(vfs::unlink(task(), kCwd, "/first"));
  open("/First", O_CREAT | O_WRONLY);
  EXPECT_EQ(open_error("/FIRST", O_CREAT | O_WRONLY), Errno::kEEXIST);
  EXPECT_OK(vfs::make_directory(task(), kCwd, "/Folder", 0755));
  EXPECT_OK(vfs::rename(task(), kCwd, "/First", kCwd, "/Folder/x", {}));
  open("/FIRST", O_CREAT | O_WRONLY);
  EXPECT_EQ(open_error("/folder/X", O_CREAT | O_WRONLY), Errno::kENOENT);
  EXPECT_EQ(open_error("/Folder/X", O_CREAT | O_WRONLY), Errno::kEEXIST);
}

TEST_F(DriveFs, RenamesMoveDirectories) {
  EXPECT_OK(vfs::make_directory(task(), kCwd, "/a", 0755));
  EXPECT_OK(vfs::make_directory(task(), kCwd, "/b", 0755));
  auto file = open("/a/f", O_CREAT | O_RDWR);
  EXPECT_OK(vfs::rename(task(), kCwd, "/a", kCwd, "/b/a", {}));
  EXPECT_TRUE(exists("/b/a/f"));
  write(*file, "x", 0);
  EXPECT_EQ(inode("/b/a/f").get(), &file->inode());
  EXPECT_ERROR(vfs::remove_directory(task(), kCwd, "/b/a"), kENOTEMPTY);
  EXPECT_OK(vfs::unlink(task(), kCwd, "/b/a/f"));
  EXPECT_OK(vfs::remove_directory(task(), kCwd, "/b/a"));
  EXPECT_EQ(MUST(file->inode().attributes()).links, 0u);
}

TEST_F(DriveFs, SymbolicLinks) {
  ASSERT_EQ(symlink("relative/x", host_.at("r").c_str()), 0);
  ASSERT_EQ(symlink((host_.path() + "/f").c_str(), host_.at("inside").c_str()), 0);
  ASSERT_EQ(symlink("/elsewhere", host_.at("outside").c_str()), 0);
  EXPECT_EQ(MUST(inode("/r")->read_link()), "relative/x");
  EXPECT_EQ(MUST(inode("/inside")->read_link()), "/mnt/d/f");
  EXPECT_EQ(MUST(inode("/inside")->attributes()).size, 8u);
  EXPECT_EQ(MUST(inode("/outside")->read_link()), "/elsewhere");
  EXPECT_OK(vfs::make_symlink(task(), "/mnt/d/dir/f", kCwd, "/made"));
  char target[300] = {};
  EXPECT_GT(readlink(host_.at("made").c_str(), target, sizeof target - 1), 0);
  EXPECT_EQ(std::string(target), host_.path() + "/dir/f");
  EXPECT_ERROR(vfs::make_symlink(task(), "/usr/bin", kCwd, "/no"), kEPERM);
  EXPECT_OK(vfs::make_symlink(task(), "up", kCwd, "/yes"));
  AttributeChange change;
  change.permissions = 0600;
  EXPECT_ERROR(inode("/yes")->set_attributes(change), kEOPNOTSUPP);
}

TEST_F(DriveFs, SpecialFilesAreShownOnly) {
  ASSERT_EQ(mkfifo(host_.at("pipe").c_str(), 0644), 0);
  EXPECT_EQ(inode("/pipe")->type(), abi::kS_IFIFO);
  EXPECT_EQ(list("/").entries["pipe"].type, abi::kDT_FIFO);
  EXPECT_EQ(open_error("/pipe", O_RDONLY), Errno::kENXIO);
  if (mknod(host_.at("null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0) {
    EXPECT_EQ(open_error("/null", O_RDONLY), Errno::kEACCES);
  }
  EXPECT_ERROR(root()->create("fifo", made(abi::kS_IFIFO | 0600)), kEPERM);
  EXPECT_ERROR(root()->create_unnamed(made(kRegular)), kEOPNOTSUPP);
}

TEST_F(DriveFs, PseudoFileSystemsAreClosed) {
  int fd = ::open("/", O_RDONLY | O_DIRECTORY);
  control::Boot::Drive drive{};
  drive.letter = 'c';
  auto root = MUST(MUST(drivefs::mount(host::Fd(fd), drive))->root());
  auto proc = root->lookup("proc");
  if (proc.ok()) {
    EXPECT_ERROR(proc.value()->lookup("self"), kEACCES);
  }
  EXPECT_OK(root->lookup("tmp"));
  auto link = root->lookup("bin");
  if (link.ok() && link.value()->is_symlink()) {
    const std::string target = MUST(link.value()->read_link());
    EXPECT_TRUE(target[0] != '/' || target.starts_with("/mnt/c/")) << target;
  }
  ::close(fd);
}

}  // namespace
}  // namespace lxss
