// Names: path resolution, links, renames, directories, attributes, times, extended attributes.
#include <dirent.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>

#include <climits>
#include <set>

#include "check.h"

namespace {

struct stat status_of(const char* path) {
  struct stat status;
  OK(lstat(path, &status));
  return status;
}

bool exists(const char* path) {
  struct stat status;
  return lstat(path, &status) == 0;
}

std::multiset<std::string> names_in(const char* path) {
  std::multiset<std::string> names;
  DIR* directory = opendir(path);
  CHECK(directory != nullptr);
  while (const dirent* entry = readdir(directory)) names.insert(entry->d_name);
  closedir(directory);
  return names;
}

}  // namespace

TEST(dots_and_slashes) {
  OK(mkdir("a", 0755));
  OK(mkdir("a/b", 0755));
  write_file("a/file", "x");
  for (const char* path : {"a/./file", "a//file", "./a/b/../file", "a/b/.././///file"})
    OK(access(path, F_OK));
  CHECK_ERRNO(access("a/file/.", F_OK), ENOTDIR);
  CHECK_ERRNO(access("a/file/..", F_OK), ENOTDIR);
  CHECK_ERRNO(access("a/missing/..", F_OK), ENOENT);
  // Root is its own parent.
  CHECK_EQ(status_of("/..").st_ino, status_of("/").st_ino);
  CHECK_EQ(status_of("/../../..").st_ino, status_of("/").st_ino);
}

TEST(dot_dot_of_a_symlink_is_the_targets_parent) {
  OK(mkdir("a", 0755));
  OK(mkdir("a/b", 0755));
  OK(symlink("a/b", "link"));
  write_file("a/file", "x");
  OK(access("link/../file", F_OK));
  CHECK_ERRNO(access("file", F_OK), ENOENT);
}

TEST(symlink_loops) {
  OK(symlink("x", "x"));
  CHECK_ERRNO(open("x", O_RDONLY), ELOOP);
  write_file("link0", "end");
  for (int i = 1; i <= 41; ++i) {
    OK(symlink(("link" + std::to_string(i - 1)).c_str(), ("link" + std::to_string(i)).c_str()));
  }
  // Forty are followed.
  OK(access("link40", F_OK));
  CHECK_ERRNO(access("link41", F_OK), ELOOP);
}

TEST(readlink_forms) {
  OK(symlink("target", "link"));
  char buffer[16];
  CHECK_EQ(readlink("link", buffer, sizeof buffer), 6);
  CHECK_EQ(readlink("link", buffer, 3), 3);
  CHECK_ERRNO(readlink("link", buffer, 0), EINVAL);
  write_file("file", "");
  CHECK_ERRNO(readlink("file", buffer, sizeof buffer), EINVAL);
  CHECK_ERRNO(readlink("missing", buffer, sizeof buffer), ENOENT);
  CHECK_EQ(status_of("link").st_size, 6);
  CHECK_EQ(status_of("link").st_mode, S_IFLNK | 0777u);
  CHECK_ERRNO(symlink("", "empty"), ENOENT);
  CHECK_ERRNO(symlink("x", "link"), EEXIST);
}

TEST(long_names) {
  const std::string name(255, 'n');
  write_file(name, "x");
  CHECK_ERRNO(open((name + "n").c_str(), O_RDONLY), ENAMETOOLONG);
  std::string path = ".";
  while (path.size() + 2 < PATH_MAX - 1) path += "/.";
  path.resize(PATH_MAX - 1, '/');
  OK(access(path.c_str(), F_OK));
  CHECK_ERRNO(access((path + "/").c_str(), F_OK), ENAMETOOLONG);
}

TEST(names_are_bytes) {
  const char* names[] = {"\xff\xfe",  "new\nline", "back\\slash", "colon:star*?",
                         "trailing.", "trailing ", "con",         "\u00e4",
                         "a\u0308",   "UPPER",     "upper"};
  for (const char* name : names) write_file(name, name);
  for (const char* name : names) CHECK_EQ(read_file(name), name);
  CHECK_EQ(names_in(".").size(), std::size(names) + 2);
}

TEST(trailing_slashes) {
  OK(mkdir("directory/", 0755));
  write_file("file", "");
  OK(symlink("directory", "link"));
  CHECK_ERRNO(access("file/", F_OK), ENOTDIR);
  struct stat status;
  OK(lstat("link/", &status));
  CHECK(S_ISDIR(status.st_mode));
  CHECK_ERRNO(unlink("file/"), ENOTDIR);
  CHECK_ERRNO(rename("file", "other/"), ENOTDIR);
  OK(rename("directory/", "moved/"));
  CHECK_ERRNO(symlink("x", "new/"), ENOENT);
  OK(rmdir("moved/"));
}

TEST(mkdir_and_rmdir) {
  OK(mkdir("directory", 0777));
  CHECK_EQ(status_of("directory").st_mode, S_IFDIR | 0755u);
  CHECK_EQ(status_of("directory").st_nlink, 2);
  CHECK_ERRNO(mkdir("directory", 0777), EEXIST);
  CHECK_ERRNO(mkdir("missing/directory", 0777), ENOENT);
  OK(mkdir("directory/inner", 0777));
  CHECK_EQ(status_of("directory").st_nlink, 3);
  CHECK_ERRNO(rmdir("directory"), ENOTEMPTY);
  CHECK_ERRNO(rmdir("directory/inner/."), EINVAL);
  CHECK_ERRNO(rmdir("directory/inner/.."), ENOTEMPTY);
  CHECK_ERRNO(rmdir("missing"), ENOENT);
  write_file("file", "");
  CHECK_ERRNO(rmdir("file"), ENOTDIR);
  CHECK_ERRNO(mkdir("file/x", 0777), ENOTDIR);
  CHECK_ERRNO(rmdir("/"), EBUSY);
  OK(rmdir("directory/inner"));
  OK(rmdir("directory"));
}

TEST(a_removed_directory_is_dead) {
  OK(mkdir("directory", 0755));
  OK(chdir("directory"));
  OK(rmdir("../directory"));
  CHECK_ERRNO(open("file", O_CREAT | O_RDWR, 0644), ENOENT);
  CHECK_ERRNO(mkdir("inner", 0755), ENOENT);
  char buffer[PATH_MAX];
  CHECK_ERRNO(syscall(SYS_getcwd, buffer, sizeof buffer), ENOENT);
  OK(chdir(".."));
}

TEST(unlink_forms) {
  write_file("file", "");
  OK(symlink("file", "link"));
  OK(unlink("link"));
  OK(access("file", F_OK));
  OK(unlink("file"));
  CHECK_ERRNO(unlink("file"), ENOENT);
  OK(mkdir("directory", 0755));
  CHECK_ERRNO(unlink("directory"), EISDIR);
  CHECK_ERRNO(unlinkat(AT_FDCWD, "directory", 0x1), EINVAL);
  OK(unlinkat(AT_FDCWD, "directory", AT_REMOVEDIR));
}

TEST(link_forms) {
  write_file("file", "content");
  OK(link("file", "other"));
  CHECK_EQ(status_of("file").st_nlink, 2);
  CHECK_EQ(status_of("file").st_ino, status_of("other").st_ino);
  CHECK_ERRNO(link("file", "other"), EEXIST);
  CHECK_ERRNO(link("missing", "x"), ENOENT);
  OK(mkdir("directory", 0755));
  CHECK_ERRNO(link("directory", "x"), EPERM);
  OK(symlink("file", "symbolic"));
  OK(link("symbolic", "hard_to_symbolic"));
  CHECK(S_ISLNK(status_of("hard_to_symbolic").st_mode));
  OK(linkat(AT_FDCWD, "symbolic", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
  CHECK(S_ISREG(status_of("followed").st_mode));
  OK(unlink("file"));
  CHECK_EQ(read_file("other"), "content");
  CHECK_EQ(status_of("other").st_nlink, 2);
}

TEST(rename_files) {
  write_file("a", "a");
  OK(rename("a", "b"));
  CHECK(!exists("a"));
  write_file("c", "c");
  OK(rename("b", "c"));
  CHECK_EQ(read_file("c"), "a");
  OK(rename("c", "c"));
  OK(link("c", "d"));
  // Linux: two names of one file; nothing is done.
  OK(rename("c", "d"));
  CHECK(exists("c"));
  CHECK_ERRNO(rename("missing", "x"), ENOENT);
  CHECK_ERRNO(rename("c", "missing/x"), ENOENT);
  OK(symlink("c", "link"));
  OK(rename("link", "moved"));
  CHECK(S_ISLNK(status_of("moved").st_mode));
}

TEST(rename_directories) {
  OK(mkdir("a", 0755));
  OK(mkdir("a/inner", 0755));
  CHECK_ERRNO(rename("a", "a/inner/x"), EINVAL);
  OK(mkdir("full", 0755));
  write_file("full/file", "");
  CHECK_ERRNO(rename("a", "full"), ENOTEMPTY);
  OK(mkdir("empty", 0755));
  OK(rename("a", "empty"));
  CHECK(exists("empty/inner"));
  write_file("file", "");
  CHECK_ERRNO(rename("empty", "file"), ENOTDIR);
  CHECK_ERRNO(rename("file", "empty"), EISDIR);
  CHECK_ERRNO(rename("empty/.", "x"), EBUSY);
  CHECK_ERRNO(rename("empty", "full/.."), EBUSY);
  const nlink_t links = status_of(".").st_nlink;
  OK(rename("empty/inner", "inner"));
  CHECK_EQ(status_of(".").st_nlink, links + 1);
  CHECK_EQ(status_of("inner/..").st_ino, status_of(".").st_ino);
}

TEST(renameat2_flags) {
  write_file("a", "a");
  write_file("b", "b");
  CHECK_ERRNO(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
  OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
  OK(renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_EXCHANGE));
  CHECK_EQ(read_file("b") + read_file("c"), "ab");
  OK(mkdir("directory", 0755));
  OK(renameat2(AT_FDCWD, "b", AT_FDCWD, "directory", RENAME_EXCHANGE));
  CHECK(S_ISDIR(status_of("b").st_mode));
  CHECK_ERRNO(renameat2(AT_FDCWD, "b", AT_FDCWD, "missing", RENAME_EXCHANGE), ENOENT);
  CHECK_ERRNO(renameat2(AT_FDCWD, "b", AT_FDCWD, "x", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
  CHECK_ERRNO(renameat2(AT_FDCWD, "b", AT_FDCWD, "x", 0x100), EINVAL);
}

TEST(fifo_nodes) {
  OK(mkfifo("fifo", 0666));
  CHECK_EQ(status_of("fifo").st_mode, S_IFIFO | 0644u);
  CHECK_ERRNO(mkfifo("fifo", 0666), EEXIST);
  OK(mknod("plain", S_IFREG | 0600, 0));
  CHECK_EQ(status_of("plain").st_mode, S_IFREG | 0600u);
  OK(mknod("socket", S_IFSOCK | 0600, 0));
  CHECK_ERRNO(open("socket", O_RDONLY), ENXIO);
  CHECK_ERRNO(mknod("directory", S_IFDIR | 0600, 0), EPERM);
}

TEST(device_nodes) {
  need_root();
  OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
  CHECK_EQ(status_of("null").st_rdev, makedev(1, 3));
  OK(mknod("block", S_IFBLK | 0600, makedev(7, 99)));
  CHECK(S_ISBLK(status_of("block").st_mode));
}

TEST(getcwd_and_chdir) {
  const std::string base = std::filesystem::current_path();
  OK(mkdir("inner", 0755));
  OK(symlink("inner", "link"));
  OK(chdir("link"));
  char buffer[PATH_MAX];
  CHECK_EQ(syscall(SYS_getcwd, buffer, sizeof buffer), base.size() + 7);
  CHECK_EQ(std::string(buffer), base + "/inner");
  CHECK_ERRNO(syscall(SYS_getcwd, buffer, 3), ERANGE);
  CHECK_ERRNO(syscall(SYS_getcwd, 1, sizeof buffer), EFAULT);
  OK(rename("../inner", "../renamed"));
  CHECK_EQ(std::filesystem::current_path().string(), base + "/renamed");
  CHECK_ERRNO(chdir("missing"), ENOENT);
  write_file("file", "");
  CHECK_ERRNO(chdir("file"), ENOTDIR);
  const int above = OK(open("..", O_PATH));
  OK(fchdir(above));
  CHECK_EQ(std::filesystem::current_path().string(), base);
  const int file = OK(open("renamed/file", O_RDONLY));
  CHECK_ERRNO(fchdir(file), ENOTDIR);
  CHECK_ERRNO(fchdir(999), EBADF);
}

TEST(chroot_confines) {
  need_root();
  OK(mkdir("root", 0755));
  OK(mkdir("root/inner", 0755));
  write_file("outside", "");
  write_file("root/file", "");
  OK(symlink("/file", "root/link"));
  CHECK_EXIT(in_child([] {
               OK(chroot("root"));
               OK(chdir("/"));
               OK(access("/file", F_OK));
               OK(access("link", F_OK));
               CHECK_ERRNO(access("/../outside", F_OK), ENOENT);
               CHECK_ERRNO(access("inner/../../outside", F_OK), ENOENT);
               CHECK_ERRNO(chroot("file"), ENOTDIR);
             }),
             0);
  CHECK_EXIT(in_child([] {
               OK(setresuid(1234, 1234, 1234));
               CHECK(chroot("/") == -1 && errno == EPERM);
             }),
             0);
}

TEST(at_variants) {
  OK(mkdir("directory", 0755));
  const int fd = OK(open("directory", O_RDONLY | O_DIRECTORY));
  OK(mkdirat(fd, "inner", 0755));
  OK(symlinkat("inner", fd, "link"));
  OK(openat(fd, "file", O_CREAT | O_RDWR, 0644));
  OK(linkat(fd, "file", AT_FDCWD, "hard", 0));
  OK(renameat(fd, "file", AT_FDCWD, "moved"));
  OK(faccessat(fd, "inner", X_OK, 0));
  OK(fchmodat(fd, "inner", 0700, 0));
  char target[10];
  CHECK_EQ(readlinkat(fd, "link", target, sizeof target), 5);
  struct stat status;
  OK(fstatat(fd, "link", &status, AT_SYMLINK_NOFOLLOW));
  CHECK(S_ISLNK(status.st_mode));
  OK(fstatat(fd, "", &status, AT_EMPTY_PATH));
  CHECK(S_ISDIR(status.st_mode));
  CHECK_ERRNO(fstatat(fd, "", &status, 0), ENOENT);
  CHECK_ERRNO(syscall(SYS_newfstatat, fd, "inner", &status, 0x40000000), EINVAL);
  OK(unlinkat(fd, "link", 0));
  OK(unlinkat(fd, "inner", AT_REMOVEDIR));
  CHECK_ERRNO(mkdirat(999, "x", 0755), EBADF);
  const int file = OK(open("hard", O_RDONLY));
  CHECK_ERRNO(mkdirat(file, "x", 0755), ENOTDIR);
}

TEST(directory_listing) {
  std::multiset<std::string> expected = {".", ".."};
  for (int i = 0; i < 300; ++i) {
    const std::string name = "a_rather_long_file_name_" + std::to_string(i);
    write_file(name, "");
    expected.insert(name);
  }
  CHECK(names_in(".") == expected);
}

TEST(directory_entry_types_and_inodes) {
  write_file("file", "");
  OK(mkdir("directory", 0755));
  OK(symlink("x", "link"));
  OK(mkfifo("fifo", 0600));
  DIR* directory = opendir(".");
  while (const dirent* entry = readdir(directory)) {
    const struct stat status = status_of(entry->d_name);
    if (entry->d_type != DT_UNKNOWN) CHECK_EQ(DTTOIF(entry->d_type), status.st_mode & S_IFMT);
    if (std::string(entry->d_name) != "..") CHECK_EQ(entry->d_ino, status.st_ino);
  }
  closedir(directory);
}

TEST(directory_seek_and_rewind) {
  for (int i = 0; i < 20; ++i) write_file("file" + std::to_string(i), "");
  DIR* directory = opendir(".");
  for (int i = 0; i < 5; ++i) CHECK(readdir(directory) != nullptr);
  const long place = telldir(directory);
  const std::string sixth = readdir(directory)->d_name;
  while (readdir(directory) != nullptr) {
  }
  seekdir(directory, place);
  CHECK_EQ(std::string(readdir(directory)->d_name), sixth);
  write_file("new", "");
  rewinddir(directory);
  int count = 0;
  while (readdir(directory) != nullptr) ++count;
  CHECK_EQ(count, 23);
  closedir(directory);
}

TEST(directory_may_be_emptied_while_listed) {
  for (int i = 0; i < 500; ++i) write_file("file" + std::to_string(i), "");
  DIR* directory = opendir(".");
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == 'f') OK(unlink(entry->d_name));
  }
  closedir(directory);
  CHECK_EQ(names_in(".").size(), 2);
}

TEST(getdents_errors) {
  char buffer[512];
  const int fd = OK(open(".", O_RDONLY));
  CHECK_ERRNO(syscall(SYS_getdents64, fd, buffer, 1), EINVAL);
  CHECK_ERRNO(syscall(SYS_getdents64, 999, buffer, sizeof buffer), EBADF);
  write_file("file", "");
  CHECK_ERRNO(syscall(SYS_getdents64, OK(open("file", O_RDONLY)), buffer, sizeof buffer), ENOTDIR);
  CHECK_ERRNO(syscall(SYS_getdents64, fd, 8, sizeof buffer), EFAULT);
}

TEST(statx_agrees_with_stat) {
  write_file("file", "12345");
  struct statx extended;
  OK(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &extended));
  const struct stat status = status_of("file");
  CHECK_EQ(extended.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
  CHECK_EQ(extended.stx_ino, status.st_ino);
  CHECK_EQ(extended.stx_size, 5);
  CHECK_EQ(extended.stx_mode, status.st_mode);
  CHECK_EQ(extended.stx_nlink, 1);
  CHECK_EQ(makedev(extended.stx_dev_major, extended.stx_dev_minor), status.st_dev);
  CHECK_EQ(extended.stx_mtime.tv_nsec, status.st_mtim.tv_nsec);
  CHECK_ERRNO(statx(AT_FDCWD, "file", 0, STATX__RESERVED, &extended), EINVAL);
  CHECK_ERRNO(statx(AT_FDCWD, "", 0, STATX_ALL, &extended), ENOENT);
  const int fd = OK(open("file", O_RDONLY));
  OK(statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &extended));
  CHECK_EQ(extended.stx_size, 5);
}

TEST(access_forms) {
  write_file("file", "", 0644);
  OK(access("file", F_OK));
  OK(access("file", R_OK | W_OK));
  CHECK_ERRNO(access("file", X_OK), EACCES);
  CHECK_ERRNO(access("file", 8), EINVAL);
  OK(chmod("file", 0755));
  OK(access("file", X_OK));
  CHECK_ERRNO(syscall(SYS_faccessat2, AT_FDCWD, "file", R_OK, 0x80), EINVAL);
  OK(symlink("missing", "link"));
  CHECK_ERRNO(access("link", F_OK), ENOENT);
  OK(syscall(SYS_faccessat2, AT_FDCWD, "link", F_OK, AT_SYMLINK_NOFOLLOW));
}

TEST(times) {
  write_file("file", "");
  const timespec times[] = {{100, 123456789}, {200, 987654321}};
  OK(utimensat(AT_FDCWD, "file", times, 0));
  struct stat status = status_of("file");
  CHECK_EQ(status.st_atim.tv_sec, 100);
  CHECK_EQ(status.st_atim.tv_nsec, 123456789);
  CHECK_EQ(status.st_mtim.tv_nsec, 987654321);
  CHECK(status.st_ctim.tv_sec > 1000000);
  const timespec only_modification[] = {{0, UTIME_OMIT}, {300, 0}};
  OK(utimensat(AT_FDCWD, "file", only_modification, 0));
  status = status_of("file");
  CHECK_EQ(status.st_atim.tv_sec, 100);
  CHECK_EQ(status.st_mtim.tv_sec, 300);
  const timespec now[] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
  OK(utimensat(AT_FDCWD, "file", now, 0));
  CHECK(status_of("file").st_mtim.tv_sec > 1000000);
  const timespec invalid[] = {{0, 1000000000}, {0, 0}};
  CHECK_ERRNO(utimensat(AT_FDCWD, "file", invalid, 0), EINVAL);
  OK(symlink("file", "link"));
  OK(utimensat(AT_FDCWD, "link", times, AT_SYMLINK_NOFOLLOW));
  CHECK_EQ(status_of("link").st_mtim.tv_sec, 200);
  const int fd = OK(open("file", O_RDONLY));
  OK(futimens(fd, times));
  CHECK_EQ(status_of("file").st_mtim.tv_sec, 200);
  const timeval old_style[] = {{5, 0}, {6, 7}};
  OK(utimes("file", old_style));
  CHECK_EQ(status_of("file").st_mtim.tv_nsec, 7000);
}

TEST(changes_move_times) {
  OK(mkdir("directory", 0755));
  write_file("file", "");
  const timespec past[] = {{100, 0}, {100, 0}};
  OK(utimensat(AT_FDCWD, "directory", past, 0));
  OK(utimensat(AT_FDCWD, "file", past, 0));
  OK(rename("file", "directory/file"));
  CHECK(status_of("directory").st_mtim.tv_sec > 1000);
  CHECK_EQ(status_of("directory/file").st_mtim.tv_sec, 100);
  OK(chmod("directory/file", 0600));
  CHECK_EQ(status_of("directory/file").st_mtim.tv_sec, 100);
  const int fd = OK(open("directory/file", O_WRONLY));
  CHECK_EQ(write(fd, "x", 1), 1);
  CHECK(status_of("directory/file").st_mtim.tv_sec > 1000);
}

TEST(chmod_forms) {
  write_file("file", "");
  OK(chmod("file", 0640));
  CHECK_EQ(status_of("file").st_mode & 07777, 0640);
  OK(chmod("file", 07777));
  CHECK_EQ(status_of("file").st_mode & 07777, 07777);
  const int fd = OK(open("file", O_RDONLY));
  OK(fchmod(fd, 0600));
  CHECK_EQ(status_of("file").st_mode & 07777, 0600);
  CHECK_ERRNO(chmod("missing", 0600), ENOENT);
  OK(symlink("file", "link"));
  OK(chmod("link", 0644));
  CHECK_EQ(status_of("file").st_mode & 07777, 0644);
}

TEST(chown_forms) {
  write_file("file", "");
  OK(chown("file", -1, -1));
  OK(chown("file", getuid(), getgid()));
  CHECK_ERRNO(chown("missing", -1, -1), ENOENT);
  need_root();
  OK(chmod("file", 06755));
  OK(chown("file", 12, 34));
  struct stat status = status_of("file");
  CHECK_EQ(status.st_uid, 12);
  CHECK_EQ(status.st_gid, 34);
  // A change of owner takes the set-id bits away.
  CHECK_EQ(status.st_mode & 07777, 0755);
  // Linux: without group execution S_ISGID does not mean set-group-id, and stays.
  OK(chmod("file", 02644));
  OK(chown("file", 13, -1));
  CHECK_EQ(status_of("file").st_mode & 07777, 02644);
  OK(symlink("file", "link"));
  OK(lchown("link", 55, 55));
  CHECK_EQ(status_of("link").st_uid, 55);
  CHECK_EQ(status_of("file").st_uid, 13);
}

TEST(extended_attributes) {
  write_file("file", "");
  if (setxattr("file", "user.name", "value", 5, 0) == -1 && errno == EOPNOTSUPP) {
    skip("no extended attributes on this file system");
  }
  char buffer[64];
  CHECK_EQ(getxattr("file", "user.name", buffer, sizeof buffer), 5);
  CHECK_EQ(std::string(buffer, 5), "value");
  CHECK_EQ(getxattr("file", "user.name", nullptr, 0), 5);
  CHECK_ERRNO(getxattr("file", "user.name", buffer, 2), ERANGE);
  CHECK_ERRNO(getxattr("file", "user.other", buffer, sizeof buffer), ENODATA);
  CHECK_ERRNO(setxattr("file", "user.name", "x", 1, XATTR_CREATE), EEXIST);
  CHECK_ERRNO(setxattr("file", "user.other", "x", 1, XATTR_REPLACE), ENODATA);
  CHECK_ERRNO(setxattr("file", "invalid", "x", 1, 0), EOPNOTSUPP);
  CHECK_ERRNO(setxattr("file", "user.name", "x", 1, 8), EINVAL);
  const ssize_t size = OK(listxattr("file", buffer, sizeof buffer));
  CHECK(std::string(buffer, size).find(std::string("user.name\0", 10)) != std::string::npos);
  OK(removexattr("file", "user.name"));
  CHECK_ERRNO(removexattr("file", "user.name"), ENODATA);
  OK(symlink("file", "link"));
  CHECK_ERRNO(lsetxattr("link", "user.name", "x", 1, 0), EPERM);
}

TEST(deep_directories) {
  const std::string name(200, 'd');
  for (int i = 0; i < 30; ++i) {
    OK(mkdir(name.c_str(), 0755));
    OK(chdir(name.c_str()));
  }
  // The path is longer than PATH_MAX now.
  char buffer[2 * PATH_MAX];
  CHECK_ERRNO(syscall(SYS_getcwd, buffer, sizeof buffer), ENAMETOOLONG);
  for (int i = 0; i < 30; ++i) OK(chdir(".."));
}

TEST(statfs_works) {
  CHECK(std::filesystem::space(".").capacity > 0);
  CHECK(pathconf(".", _PC_NAME_MAX) == 255);
}
