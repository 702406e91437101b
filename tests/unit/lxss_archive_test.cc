// Import and export of root file systems, hostile archives included.
#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <optional>

#include "lxss/common/failure.h"
#include "lxss/distro/exporter.h"
#include "lxss/distro/importer.h"
#include "lxss/distro/volfs_writer.h"
#include "lxss/manager/etc_files.h"
#include "tests/unit/lxss_test_support.h"

namespace lxss::distro {
namespace {

using common::Failure;
using test::Compression;
using test::Entry;

class ArchiveTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { setlocale(LC_CTYPE, "C.UTF-8"); }  // As lxssd does.

  std::string tar() const { return directory_ / "in.tar"; }
  std::string root() const { return directory_ / "rootfs"; }

  void import(const std::vector<Entry>& entries, Compression compression = Compression::kNone) {
    test::write_tar(tar(), entries, compression);
    const common::UniqueFd fd = common::open_file(tar(), O_RDONLY);
    import_archive(fd.get(), root());
  }

  /// The failure's sentence; also checks that nothing is left.
  std::string import_failure(const std::vector<Entry>& entries) {
    try {
      import(entries);
    } catch (const Failure& failure) {
      EXPECT_FALSE(std::filesystem::exists(root()));
      return failure.what();
    }
    return "";
  }

  std::optional<volfs::InodeRecord> record(const std::string& path) {
    const VolfsTree tree = VolfsTree::open(root());
    const common::UniqueFd fd = tree.open_resolved(path, O_RDONLY);
    return fd ? read_record(fd.get()) : std::nullopt;
  }

  std::string content(const std::string& path) { return test::read_file(root() + '/' + path); }

  test::TemporaryDirectory directory_;
};

TEST_F(ArchiveTest, TimeZone) {
  import({{.path = "etc/timezone", .content = "Etc/UTC\n"},
          {.path = "etc/localtime", .type = AE_IFLNK, .content = "/usr/share/zoneinfo/Etc/UTC"},
          {.path = "usr/share/zoneinfo/Etc/UTC", .content = "TZif UTC"},
          {.path = "usr/share/zoneinfo/Asia/Tokyo",
           .content = "TZif Tokyo" }});
  VolfsWriter writer(VolfsTree::open(root()));
  manager::set_time_zone(writer, "Asia/Tokyo");
  EXPECT_EQ(writer.tree().read_file("etc/localtime"), "TZif Tokyo");
  EXPECT_EQ(writer.tree().read_file("etc/timezone"), "Asia/Tokyo\n");
  EXPECT_EQ(record("etc/localtime")->mode, kSymlink | 0777);
  for (const char* unknown : {"", "Europe/Berlin", "../../../etc"}) {
    manager::set_time_zone(writer, unknown);
    EXPECT_EQ(writer.tree().read_file("etc/timezone"), "Asia/Tokyo\n") << unknown;
  }
}

TEST_F(ArchiveTest, KeepsMetadata) {
  import({{.path = "./", .type = AE_IFDIR, .mode = 0755},
          {.path = "bin/", .type = AE_IFDIR, .mode = 0755},
          {.path = "bin/su",
           .content = "elf",
           .mode = 04755,
           .uid = 1,
           .gid = 70000,
           .attributes =
           {
             { "security.capability",
               std::string("\1\0\0", 3) }
           }},
          {.path = "dev/null", .type = AE_IFCHR, .mode = 0666, .major = 1, .minor = 3},
          {.path = "fifo", .type = AE_IFIFO, .mode = 0600},
          {.path = "sh",
           .type = AE_IFLNK,
           .content = "bin/su",
           .mode = 0777 }});
  EXPECT_EQ(record("bin/su"), (volfs::InodeRecord{kRegular | 04755, 1, 70000, 0, 0}));
  EXPECT_EQ(record("dev/null"), (volfs::InodeRecord{kCharacterDevice | 0666, 0, 0, 1, 3}));
  EXPECT_EQ(record("fifo"), (volfs::InodeRecord{kFifo | 0600, 0, 0, 0, 0}));
  EXPECT_EQ(record("sh"), (volfs::InodeRecord{kSymlink | 0777, 0, 0, 0, 0}));
  EXPECT_EQ(content("sh"), "bin/su");
  struct stat status;
  ASSERT_EQ(lstat((root() + "/sh").c_str(), &status), 0);
  EXPECT_TRUE(S_ISREG(status.st_mode));
  EXPECT_EQ(status.st_mode & 07777, volfs::kHostFileMode);
  EXPECT_EQ(status.st_mtime, 1000);
  ASSERT_EQ(stat((root() + "/bin").c_str(), &status), 0);
  EXPECT_EQ(status.st_mtime, 1000) << "a directory keeps its time although files were put in it";
  char value[8];
  EXPECT_EQ(getxattr((root() + "/bin/su").c_str(), "user.lxss.x.security.capability", value,
                     sizeof value),
            3);
}

TEST_F(ArchiveTest, ReadsEveryCompression) {
  for (Compression compression : {Compression::kGzip, Compression::kXz, Compression::kZstd}) {
    import({{.path = "a", .content = "text" }}, compression);
    EXPECT_EQ(content("a"), "text");
    std::filesystem::remove_all(root());
  }
}

TEST_F(ArchiveTest, KeepsNamesThatAreNotAscii) {
  import({{.path = "gr\xc3\xbc\xc3\x9f", .content = "a"}, {.path = "\xff\xfe", .content = "b" }});
  EXPECT_EQ(content("gr\xc3\xbc\xc3\x9f"), "a");
  EXPECT_EQ(content("\xff\xfe"), "b");
}

TEST_F(ArchiveTest, LinksAreHostLinks) {
  import({{.path = "a", .content = "text"}, {.path = "d/b", .hard_link = "./a" }});
  struct stat a;
  struct stat b;
  ASSERT_EQ(lstat((root() + "/a").c_str(), &a), 0);
  ASSERT_EQ(lstat((root() + "/d/b").c_str(), &b), 0);
  EXPECT_EQ(a.st_ino, b.st_ino);
}

TEST_F(ArchiveTest, PathsFollowLinksInsideTheTree) {
  import({{.path = "usr/bin", .type = AE_IFDIR, .mode = 0755},
          {.path = "bin", .type = AE_IFLNK, .content = "usr/bin"},
          {.path = "abs", .type = AE_IFLNK, .content = "/bin"},
          {.path = "abs/tool",
           .content = "x" }});
  EXPECT_EQ(content("usr/bin/tool"), "x");
}

TEST_F(ArchiveTest, LaterEntriesReplaceEarlierOnes) {
  import({{.path = "a", .content = "old"},
          {.path = "a", .content = "new"},
          {.path = "l", .type = AE_IFLNK, .content = "a"},
          {.path = "l", .content = "file"},
          {.path = "d", .type = AE_IFDIR},
          {.path = "d/x", .content = "kept"},
          {.path = "d",
           .type = AE_IFDIR,
           .mode = 0700 }});
  EXPECT_EQ(content("a"), "new");
  EXPECT_EQ(content("l"), "file");
  EXPECT_EQ(content("d/x"), "kept");
  EXPECT_EQ(record("d")->mode, kDirectory | 0700);
}

TEST_F(ArchiveTest, AbsoluteNamesStayInside) {
  import({{.path = "/etc/name", .content = "x" }});
  EXPECT_EQ(content("etc/name"), "x");
}

TEST_F(ArchiveTest, ParentNamesAreRefused) {
  EXPECT_NE(import_failure({{.path = "a/../../out", .content = "x"}}), "");
  EXPECT_NE(import_failure({{.path = "a", .content = "x"}, {.path = "b", .hard_link = "../a"}}),
            "");
  EXPECT_FALSE(std::filesystem::exists(directory_ / "out"));
}

TEST_F(ArchiveTest, SymlinksDoNotLeadOut) {
  test::write_file(directory_ / "victim", "safe");
  import({{.path = "up", .type = AE_IFLNK, .content = "../../../../../.."},
          {.path = "up/victim",
           .content = "inside" }});
  EXPECT_EQ(content("victim"), "inside");
  std::filesystem::remove_all(root());
  // Inside the tree the target does not exist, so nothing can be put there.
  EXPECT_NE(import_failure({{.path = "out", .type = AE_IFLNK, .content = directory_.path()},
                            {.path = "out/victim", .content = "inside"}}),
            "");
  EXPECT_EQ(test::read_file(directory_ / "victim"), "safe");
}

TEST_F(ArchiveTest, HardLinksDoNotLeadOut) {
  test::write_file(directory_ / "victim", "safe");
  EXPECT_NE(import_failure({{.path = "l", .hard_link = directory_ / "victim"}}), "");
}

TEST_F(ArchiveTest, LoopsAndFilesAsDirectoriesFail) {
  EXPECT_NE(import_failure({{.path = "a", .type = AE_IFLNK, .content = "b"},
                            {.path = "b", .type = AE_IFLNK, .content = "a"},
                            {.path = "a/x", .content = "x"}}),
            "");
  EXPECT_NE(import_failure({{.path = "f", .content = "x"}, {.path = "f/x", .content = "x"}}), "");
}

TEST_F(ArchiveTest, DirectoryLinksFail) {
  EXPECT_NE(import_failure({{.path = "d", .type = AE_IFDIR}, {.path = "l", .hard_link = "d"}}), "");
}

TEST_F(ArchiveTest, DamagedArchivesLeaveNothing) {
  test::write_tar(tar(), {{.path = "a", .content = std::string(100'000, 'x')}});
  std::filesystem::resize_file(tar(), 50'000);
  common::UniqueFd fd = common::open_file(tar(), O_RDONLY);
  EXPECT_THROW(import_archive(fd.get(), root()), Failure);
  EXPECT_FALSE(std::filesystem::exists(root()));
  test::write_file(tar(), "this is no archive");
  fd = common::open_file(tar(), O_RDONLY);
  EXPECT_THROW(import_archive(fd.get(), root()), Failure);
  EXPECT_FALSE(std::filesystem::exists(root()));
}

TEST_F(ArchiveTest, AnExistingDirectoryIsNotTouched) {
  std::filesystem::create_directory(root());
  test::write_tar(tar(), {{.path = "a"}});
  const common::UniqueFd fd = common::open_file(tar(), O_RDONLY);
  EXPECT_THROW(import_archive(fd.get(), root()), Failure);
  EXPECT_TRUE(std::filesystem::exists(root()));
}

TEST_F(ArchiveTest, ExportGivesBackWhatWasImported) {
  import({{.path = "bin/su",
           .content = "elf",
           .mode = 04755,
           .uid = 1,
           .gid = 2,
           .attributes =
           {
             { "user.note",
               "n" }
           }},
          {.path = "bin/su2", .hard_link = "bin/su"},
          {.path = "dev/null", .type = AE_IFCHR, .mode = 0666, .major = 1, .minor = 3},
          {.path = "sh", .type = AE_IFLNK, .content = "bin/su", .mode = 0777},
          {.path = "fifo",
           .type = AE_IFIFO,
           .mode = 0600 }});
  // A host file without a record does not exist for Linux.
  test::write_file(root() + "/unfinished", "x");
  {
    const common::UniqueFd out =
        common::open_file(directory_ / "out.tar", O_WRONLY | O_CREAT, 0600);
    export_archive(root(), out.get(), ArchiveFormat::kTarGz);
  }
  std::filesystem::remove_all(root());
  const common::UniqueFd in = common::open_file(directory_ / "out.tar", O_RDONLY);
  import_archive(in.get(), root());
  EXPECT_EQ(record("bin/su2"), (volfs::InodeRecord{kRegular | 04755, 1, 2, 0, 0}));
  EXPECT_EQ(std::filesystem::hard_link_count(root() + "/bin/su"), 2u);
  EXPECT_EQ(record("dev/null"), (volfs::InodeRecord{kCharacterDevice | 0666, 0, 0, 1, 3}));
  EXPECT_EQ(content("sh"), "bin/su");
  EXPECT_FALSE(std::filesystem::exists(root() + "/unfinished"));
  char value[8];
  EXPECT_EQ(getxattr((root() + "/bin/su").c_str(), "user.lxss.x.user.note", value, sizeof value),
            1);
}

TEST_F(ArchiveTest, HostSymlinksAreNotFollowed) {
  import({{.path = "etc", .type = AE_IFDIR }});
  ASSERT_EQ(symlink("/etc", (root() + "/leak").c_str()), 0);
  const VolfsTree tree = VolfsTree::open(root());
  EXPECT_EQ(tree.read_file("/leak/passwd"), std::nullopt);
  VolfsWriter writer(VolfsTree::open(root()));
  EXPECT_THROW(writer.replace_file("leak/lxss-test", "x", 0644), Failure);
}

}  // namespace
}  // namespace lxss::distro
