// Open files: open's flags and errors, reading and writing, offsets, descriptors, limits.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <climits>

#include "check.h"

namespace {

constexpr size_t kPage = 4096;

int open_new(const char* name, int flags = O_RDWR) { return OK(open(name, flags | O_CREAT, 0644)); }

off_t size_of(int fd) {
  struct stat status;
  OK(fstat(fd, &status));
  return status.st_size;
}

/// A page that is followed by an unmapped one.
char* page_at_edge() {
  auto* pages = static_cast<char*>(
      OK(mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
  OK(munmap(pages + kPage, kPage));
  return pages;
}

}  // namespace

TEST(open_errors) {
  CHECK_ERRNO(open("missing", O_RDONLY), ENOENT);
  CHECK_ERRNO(open("", O_RDONLY), ENOENT);
  CHECK_ERRNO(open("missing/file", O_RDWR | O_CREAT, 0644), ENOENT);
  write_file("file", "x");
  CHECK_ERRNO(open("file/more", O_RDONLY), ENOTDIR);
  CHECK_ERRNO(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
  CHECK_ERRNO(open("file", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
  CHECK_ERRNO(open(".", O_WRONLY), EISDIR);
  CHECK_ERRNO(open(".", O_RDWR), EISDIR);
  CHECK_ERRNO(open(".", O_RDONLY | O_CREAT, 0644), EISDIR);
  CHECK_ERRNO(open("new/", O_RDWR | O_CREAT, 0644), EISDIR);
  CHECK_ERRNO(open("file/", O_RDONLY), ENOTDIR);
  CHECK_ERRNO(open(std::string(256, 'x').c_str(), O_RDONLY), ENAMETOOLONG);
  CHECK_ERRNO(open(reinterpret_cast<char*>(1), O_RDONLY), EFAULT);
  CHECK_ERRNO(openat(999, "file", O_RDONLY), EBADF);
  const int file = OK(open("file", O_RDONLY));
  CHECK_ERRNO(openat(file, "x", O_RDONLY), ENOTDIR);
  const std::string absolute = std::filesystem::absolute("file");
  OK(openat(999, absolute.c_str(), O_RDONLY));
  CHECK_ERRNO(open("file", O_RDONLY | O_CREAT | O_DIRECTORY | O_EXCL, 0644), EINVAL);
}

TEST(open_symlinks) {
  write_file("file", "x");
  OK(symlink("file", "link"));
  OK(symlink("target", "dangling"));
  OK(open("link", O_RDONLY));
  CHECK_ERRNO(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
  CHECK_ERRNO(open("dangling", O_RDONLY), ENOENT);
  CHECK_ERRNO(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
  CHECK_ERRNO(open("link", O_RDONLY | O_DIRECTORY | O_NOFOLLOW), ENOTDIR);
  open_new("dangling");
  CHECK(std::filesystem::exists("target"));
}

TEST(open_path_only) {
  write_file("file", "x");
  const int fd = OK(open("file", O_PATH));
  char byte;
  CHECK_ERRNO(read(fd, &byte, 1), EBADF);
  CHECK_ERRNO(write(fd, &byte, 1), EBADF);
  CHECK_ERRNO(lseek(fd, 0, SEEK_SET), EBADF);
  CHECK_ERRNO(fchmod(fd, 0600), EBADF);
  CHECK_ERRNO(ftruncate(fd, 0), EBADF);
  CHECK_EQ(size_of(fd), 1);
  CHECK_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
  const std::string reopened = "/proc/self/fd/" + std::to_string(fd);
  CHECK_EQ(read_file(reopened), "x");
  OK(symlink("file", "link"));
  const int link = OK(open("link", O_PATH | O_NOFOLLOW));
  struct stat status;
  OK(fstat(link, &status));
  CHECK(S_ISLNK(status.st_mode));
  char target[10];
  CHECK_EQ(readlinkat(link, "", target, sizeof target), 4);
}

TEST(open_tmpfile) {
  const int fd = open(".", O_TMPFILE | O_RDWR, 0600);
  if (fd == -1 && errno == EOPNOTSUPP) skip("no O_TMPFILE on this file system");
  OK(fd);
  CHECK_EQ(write(fd, "abc", 3), 3);
  struct stat status;
  OK(fstat(fd, &status));
  CHECK_EQ(status.st_nlink, 0);
  CHECK(std::filesystem::is_empty("."));
  OK(linkat(AT_FDCWD, ("/proc/self/fd/" + std::to_string(fd)).c_str(), AT_FDCWD, "named",
            AT_SYMLINK_FOLLOW));
  CHECK_EQ(read_file("named"), "abc");
  CHECK_ERRNO(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
}

TEST(open_modes_and_umask) {
  umask(027);
  open_new("file");
  struct stat status;
  OK(stat("file", &status));
  CHECK_EQ(status.st_mode & 07777, 0640);
  umask(0);
  OK(open("strange", O_RDWR | O_CREAT, 07777));
  OK(stat("strange", &status));
  CHECK_EQ(status.st_mode & 07777, 07777);
  // The mode does not bind the descriptor that made the file.
  const int fd = OK(open("unreadable", O_RDWR | O_CREAT, 0));
  CHECK_EQ(write(fd, "x", 1), 1);
}

TEST(access_modes) {
  const int writer = open_new("file", O_WRONLY);
  char byte;
  CHECK_ERRNO(read(writer, &byte, 1), EBADF);
  const int reader = OK(open("file", O_RDONLY));
  CHECK_ERRNO(write(reader, "x", 1), EBADF);
  CHECK_ERRNO(ftruncate(reader, 0), EINVAL);
  CHECK_EQ(fcntl(writer, F_GETFL) & O_ACCMODE, O_WRONLY);
}

TEST(truncate_on_open) {
  write_file("file", "content");
  CHECK_EQ(size_of(OK(open("file", O_WRONLY))), 7);
  CHECK_EQ(size_of(OK(open("file", O_WRONLY | O_TRUNC))), 0);
}

TEST(append) {
  write_file("file", "start");
  const int fd = OK(open("file", O_RDWR | O_APPEND));
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  CHECK_EQ(write(fd, "+", 1), 1);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
  // Linux: pwrite appends too.
  CHECK_EQ(pwrite(fd, "!", 1, 0), 1);
  CHECK_EQ(read_file("file"), "start+!");
  OK(fcntl(fd, F_SETFL, 0));
  CHECK_EQ(pwrite(fd, "S", 1, 0), 1);
  CHECK_EQ(read_file("file"), "Start+!");
}

TEST(append_from_many_processes) {
  std::vector<pid_t> children;
  for (char letter : {'a', 'b', 'c', 'd'}) {
    children.push_back(in_child([=] {
      const int fd = OK(open("file", O_WRONLY | O_APPEND | O_CREAT, 0644));
      const std::string line = std::string(9, letter) + '\n';
      for (int i = 0; i < 200; ++i) CHECK_EQ(write(fd, line.data(), line.size()), line.size());
    }));
  }
  for (pid_t child : children) CHECK_EXIT(child, 0);
  const std::string text = read_file("file");
  CHECK_EQ(text.size(), 8000);
  for (size_t i = 0; i < text.size(); i += 10) CHECK_EQ(text.substr(i, 9), std::string(9, text[i]));
}

TEST(read_and_write) {
  const int fd = open_new("file");
  CHECK_EQ(write(fd, "0123456789", 10), 10);
  CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
  char buffer[20] = {};
  CHECK_EQ(read(fd, buffer, 3), 3);
  CHECK_EQ(std::string(buffer), "456");
  CHECK_EQ(read(fd, buffer, 20), 3);
  CHECK_EQ(read(fd, buffer, 20), 0);
  CHECK_EQ(read(fd, buffer, 0), 0);
  CHECK_EQ(pread(fd, buffer, 2, 1), 2);
  CHECK_EQ(pread(fd, buffer, 2, 100), 0);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
  CHECK_EQ(pwrite(fd, "x", 1, 20), 1);
  CHECK_EQ(size_of(fd), 21);
  CHECK_EQ(pread(fd, buffer, 1, 15), 1);
  CHECK_EQ(buffer[0], 0);
  CHECK_ERRNO(pread(fd, buffer, 1, -1), EINVAL);
  CHECK_ERRNO(pwrite(fd, buffer, 1, -1), EINVAL);
}

TEST(bad_descriptors) {
  char byte;
  for (int fd : {-1, 999, INT_MAX}) {
    CHECK_ERRNO(read(fd, &byte, 1), EBADF);
    CHECK_ERRNO(write(fd, &byte, 1), EBADF);
    CHECK_ERRNO(close(fd), EBADF);
    CHECK_ERRNO(lseek(fd, 0, SEEK_SET), EBADF);
    CHECK_ERRNO(fcntl(fd, F_GETFL), EBADF);
    CHECK_ERRNO(dup(fd), EBADF);
    CHECK_ERRNO(fsync(fd), EBADF);
  }
}

TEST(directories_are_not_read) {
  const int fd = OK(open(".", O_RDONLY));
  char byte;
  CHECK_ERRNO(read(fd, &byte, 1), EISDIR);
  CHECK_ERRNO(pread(fd, &byte, 1, 0), EISDIR);
  CHECK_ERRNO(write(fd, &byte, 1), EBADF);
  OK(fsync(fd));
}

TEST(vectors) {
  const int fd = open_new("file");
  char first[] = "abc", second[] = "defg";
  iovec vector[] = {{first, 3}, {nullptr, 0}, {second, 4}};
  CHECK_EQ(writev(fd, vector, 3), 7);
  CHECK_EQ(read_file("file"), "abcdefg");
  CHECK_EQ(pwritev(fd, vector, 1, 7), 3);
  char a[2], b[20];
  iovec into[] = {{a, 2}, {b, 20}};
  CHECK_EQ(preadv(fd, into, 2, 1), 9);
  CHECK_EQ(std::string(a, 2) + std::string(b, 7), "bcdefgabc");
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 7);
  CHECK_EQ(preadv2(fd, into, 2, -1, 0), 3);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
  CHECK_ERRNO(readv(fd, into, -1), EINVAL);
  CHECK_ERRNO(readv(fd, into, 1025), EINVAL);
  CHECK_EQ(readv(fd, into, 0), 0);
  iovec huge[] = {{a, 2}, {b, SIZE_MAX}};
  CHECK_ERRNO(readv(fd, huge, 2), EINVAL);
  CHECK_ERRNO(readv(fd, reinterpret_cast<iovec*>(8), 1), EFAULT);
  CHECK_ERRNO(preadv2(fd, into, 2, 0, 0x4000), EOPNOTSUPP);
}

TEST(fault_at_a_page_edge_transfers_a_part) {
  char* page = page_at_edge();
  const int fd = open_new("file");
  std::memset(page, 'x', kPage);
  CHECK_EQ(write(fd, page + kPage - 10, 100), 10);
  CHECK_ERRNO(write(fd, page + kPage, 1), EFAULT);
  CHECK_EQ(size_of(fd), 10);
  OK(ftruncate(fd, 3 * kPage));
  OK(lseek(fd, 0, SEEK_SET));
  CHECK_EQ(read(fd, page + kPage - 10, 100), 10);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
  CHECK_ERRNO(read(fd, page + kPage, 1), EFAULT);
  // At the end of the file the pointer is not looked at.
  OK(lseek(fd, 0, SEEK_END));
  CHECK_EQ(read(fd, page + kPage, 1), 0);
  iovec vector[] = {{page, 5}, {page + kPage, 5}};
  CHECK_EQ(pwritev(fd, vector, 2, 0), 5);
  CHECK_EQ(preadv(fd, vector, 2, 0), 5);
}

TEST(lseek_forms) {
  const int fd = open_new("file");
  CHECK_EQ(write(fd, "0123456789", 10), 10);
  CHECK_EQ(lseek(fd, -3, SEEK_END), 7);
  CHECK_EQ(lseek(fd, -2, SEEK_CUR), 5);
  CHECK_EQ(lseek(fd, 100, SEEK_SET), 100);
  CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
  CHECK_ERRNO(lseek(fd, -200, SEEK_CUR), EINVAL);
  CHECK_ERRNO(lseek(fd, 0, 77), EINVAL);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 100);
  int ends[2];
  OK(pipe(ends));
  CHECK_ERRNO(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
  CHECK_ERRNO(pread(ends[0], ends, 1, 0), ESPIPE);
}

TEST(seek_data_and_hole) {
  const int fd = open_new("file");
  constexpr off_t kData = 1 << 20;
  CHECK_EQ(pwrite(fd, "x", 1, kData), 1);
  const off_t data = OK(lseek(fd, 0, SEEK_DATA));
  // A file system without holes calls everything data.
  CHECK(data == 0 || data == kData);
  const off_t hole = OK(lseek(fd, kData, SEEK_HOLE));
  CHECK(hole > kData);
  CHECK_ERRNO(lseek(fd, 1 << 21, SEEK_DATA), ENXIO);
  CHECK_ERRNO(lseek(fd, 1 << 21, SEEK_HOLE), ENXIO);
}

TEST(sparse_files) {
  const int fd = open_new("file");
  CHECK_EQ(pwrite(fd, "end", 3, 5l << 30), 3);
  CHECK_EQ(size_of(fd), (5l << 30) + 3);
  struct stat status;
  OK(fstat(fd, &status));
  CHECK(status.st_blocks * 512 < 1 << 20);
  char byte = 1;
  CHECK_EQ(pread(fd, &byte, 1, 1l << 32), 1);
  CHECK_EQ(byte, 0);
}

TEST(truncate_forms) {
  write_file("file", "0123456789");
  OK(truncate("file", 4));
  CHECK_EQ(read_file("file"), "0123");
  OK(truncate("file", 6));
  CHECK_EQ(read_file("file"), std::string("0123\0\0", 6));
  CHECK_ERRNO(truncate("file", -1), EINVAL);
  CHECK_ERRNO(truncate("missing", 0), ENOENT);
  CHECK_ERRNO(truncate(".", 0), EISDIR);
  int ends[2];
  OK(pipe(ends));
  CHECK_ERRNO(ftruncate(ends[1], 0), EINVAL);
}

TEST(fallocate_forms) {
  const int fd = open_new("file");
  OK(fallocate(fd, 0, 0, 10000));
  CHECK_EQ(size_of(fd), 10000);
  OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 50000));
  CHECK_EQ(size_of(fd), 10000);
  const std::string text(10000, 'x');
  CHECK_EQ(pwrite(fd, text.data(), text.size(), 0), text.size());
  OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 5000));
  const std::string punched = read_file("file");
  CHECK_EQ(punched.substr(0, 100), std::string(100, 'x'));
  CHECK_EQ(punched.substr(100, 5000), std::string(5000, '\0'));
  CHECK_EQ(punched.substr(5100), std::string(4900, 'x'));
  CHECK_ERRNO(fallocate(fd, 0, 0, 0), EINVAL);
  CHECK_ERRNO(fallocate(fd, 0, -1, 10), EINVAL);
  CHECK_ERRNO(fallocate(OK(open("file", O_RDONLY)), 0, 0, 10), EBADF);
  int ends[2];
  OK(pipe(ends));
  CHECK_ERRNO(fallocate(ends[1], 0, 0, 10), ESPIPE);
}

TEST(sendfile_forms) {
  write_file("source", "0123456789");
  const int in = OK(open("source", O_RDONLY));
  const int out = open_new("target");
  off_t offset = 2;
  CHECK_EQ(sendfile(out, in, &offset, 3), 3);
  CHECK_EQ(offset, 5);
  CHECK_EQ(lseek(in, 0, SEEK_CUR), 0);
  CHECK_EQ(sendfile(out, in, nullptr, 100), 10);
  CHECK_EQ(lseek(in, 0, SEEK_CUR), 10);
  CHECK_EQ(sendfile(out, in, nullptr, 100), 0);
  CHECK_EQ(read_file("target"), "2340123456789");
  Signpost post;
  offset = 0;
  CHECK_EQ(sendfile(post.write_end(), in, &offset, 4), 4);
  char buffer[4];
  CHECK_EQ(read(post.read_end(), buffer, 4), 4);
  CHECK_ERRNO(sendfile(in, in, &offset, 4), EBADF);
  CHECK_ERRNO(sendfile(999, in, &offset, 4), EBADF);
  offset = -1;
  CHECK_ERRNO(sendfile(out, in, &offset, 4), EINVAL);
}

TEST(copy_file_range_forms) {
  write_file("source", "0123456789");
  const int in = OK(open("source", O_RDONLY));
  const int out = open_new("target");
  off_t from = 5, to = 3;
  CHECK_EQ(copy_file_range(in, &from, out, &to, 4, 0), 4);
  CHECK_EQ(from, 9);
  CHECK_EQ(to, 7);
  CHECK_EQ(read_file("target"), std::string("\0\0\0"
                                            "5678",
                                            7));
  CHECK_EQ(copy_file_range(in, nullptr, out, nullptr, 2, 0), 2);
  CHECK_EQ(lseek(out, 0, SEEK_CUR), 2);
  from = 100;
  CHECK_EQ(copy_file_range(in, &from, out, nullptr, 2, 0), 0);
  CHECK_ERRNO(copy_file_range(in, nullptr, out, nullptr, 2, 1), EINVAL);
  CHECK_ERRNO(copy_file_range(out, nullptr, in, nullptr, 2, 0), EBADF);
  const int directory = OK(open(".", O_RDONLY));
  CHECK_ERRNO(copy_file_range(directory, nullptr, out, nullptr, 2, 0), EISDIR);
}

TEST(dup_forms) {
  write_file("file", "abcdef");
  const int fd = OK(open("file", O_RDONLY | O_CLOEXEC));
  const int copy = OK(dup(fd));
  CHECK_EQ(fcntl(copy, F_GETFD), 0);
  char byte;
  CHECK_EQ(read(fd, &byte, 1), 1);
  CHECK_EQ(lseek(copy, 0, SEEK_CUR), 1);
  CHECK_EQ(dup2(fd, 100), 100);
  CHECK_EQ(dup2(fd, fd), fd);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(dup3(fd, fd, 0), EINVAL);
  CHECK_EQ(dup3(fd, 101, O_CLOEXEC), 101);
  CHECK_EQ(fcntl(101, F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(dup3(fd, 102, O_APPEND), EINVAL);
  CHECK_ERRNO(dup2(999, 5), EBADF);
  CHECK_ERRNO(dup2(fd, -1), EBADF);
  CHECK_ERRNO(dup2(fd, INT_MAX), EBADF);
  CHECK_EQ(fcntl(fd, F_DUPFD, 200), 200);
  CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 200), 201);
  CHECK_EQ(fcntl(201, F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(fcntl(fd, F_DUPFD, -1), EINVAL);
}

TEST(lowest_descriptor_is_taken) {
  const int first = OK(dup(STDOUT_FILENO)), second = OK(dup(STDOUT_FILENO));
  OK(close(first));
  CHECK_EQ(dup(STDOUT_FILENO), first);
  CHECK_EQ(dup(STDOUT_FILENO), second + 1);
}

TEST(status_flags) {
  const int fd = open_new("file");
  const int copy = OK(dup(fd));
  OK(fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND));
  CHECK_EQ(fcntl(copy, F_GETFL) & (O_NONBLOCK | O_APPEND), O_NONBLOCK | O_APPEND);
  // The access mode is not changed.
  OK(fcntl(fd, F_SETFL, O_RDONLY));
  CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
  OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
  CHECK_EQ(fcntl(copy, F_GETFD), 0);
  CHECK_ERRNO(fcntl(fd, 9999, 0), EINVAL);
}

TEST(close_range_forms) {
  const int base = 300;
  for (int i = 0; i < 10; ++i) OK(dup2(STDOUT_FILENO, base + i));
  OK(syscall(SYS_close_range, base + 2, base + 4, 0));
  OK(fcntl(base + 1, F_GETFD));
  CHECK_ERRNO(fcntl(base + 3, F_GETFD), EBADF);
  OK(syscall(SYS_close_range, base + 5, ~0u, 1 << 2 /* CLOSE_RANGE_CLOEXEC */));
  CHECK_EQ(fcntl(base + 5, F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(syscall(SYS_close_range, 5, 4, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_close_range, 5, 6, 0x100), EINVAL);
}

TEST(limit_of_open_files) {
  const rlimit limit = {20, 20};
  OK(setrlimit(RLIMIT_NOFILE, &limit));
  int last = -1, fd;
  while ((fd = open("/dev/null", O_RDONLY)) != -1) last = fd;
  CHECK_EQ(errno, EMFILE);
  CHECK_EQ(last, 19);
  CHECK_ERRNO(dup(0), EMFILE);
  CHECK_ERRNO(dup2(0, 20), EBADF);
  CHECK_ERRNO(fcntl(0, F_DUPFD, 20), EINVAL);
  int ends[2];
  CHECK_ERRNO(pipe(ends), EMFILE);
  OK(close(10));
  CHECK_EQ(open("/dev/null", O_RDONLY), 10);
}

TEST(limit_of_file_size) {
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit = {100, 100};
  OK(setrlimit(RLIMIT_FSIZE, &limit));
  const int fd = open_new("file");
  const std::string text(150, 'x');
  CHECK_EQ(write(fd, text.data(), text.size()), 100);
  CHECK_ERRNO(write(fd, "x", 1), EFBIG);
  CHECK_ERRNO(ftruncate(fd, 200), EFBIG);
  OK(ftruncate(fd, 50));
  const rlimit no_core = {0, 0};
  OK(setrlimit(RLIMIT_CORE, &no_core));
  CHECK_KILLED(in_child([=] {
                 signal(SIGXFSZ, SIG_DFL);
                 OK(lseek(fd, 100, SEEK_SET));
                 ssize_t ignored = write(fd, "x", 1);
                 (void)ignored;
               }),
               SIGXFSZ);
}

TEST(unlinked_files_live_while_open) {
  const int fd = open_new("file");
  OK(unlink("file"));
  CHECK_EQ(write(fd, "abc", 3), 3);
  struct stat status;
  OK(fstat(fd, &status));
  CHECK_EQ(status.st_nlink, 0);
  CHECK_EQ(status.st_size, 3);
  CHECK_EQ(read_file("/proc/self/fd/" + std::to_string(fd)), "abc");
  CHECK_ERRNO(open("file", O_RDONLY), ENOENT);
  open_new("file");
  CHECK_EQ(read_file("file"), "");
}

TEST(renamed_file_stays_open) {
  const int fd = open_new("before");
  OK(rename("before", "after"));
  CHECK_EQ(write(fd, "abc", 3), 3);
  CHECK_EQ(read_file("after"), "abc");
  CHECK(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd)).filename() == "after");
}

TEST(replaced_file_keeps_its_readers) {
  write_file("old", "old");
  write_file("new", "new");
  const int fd = OK(open("old", O_RDONLY));
  OK(rename("new", "old"));
  CHECK_EQ(read_fd(fd), "old");
  CHECK_EQ(read_file("old"), "new");
}

TEST(sync_calls) {
  const int fd = open_new("file");
  CHECK_EQ(write(fd, "x", 1), 1);
  OK(fsync(fd));
  OK(fdatasync(fd));
  OK(syncfs(fd));
  OK(sync_file_range(fd, 0, 1, SYNC_FILE_RANGE_WRITE));
  Signpost post;
  CHECK_ERRNO(fsync(post.read_end()), EINVAL);
  OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
  CHECK_EQ(posix_fadvise(fd, 0, 0, 77), EINVAL);
  OK(readahead(fd, 0, 100));
}

TEST(openat2_resolves_within) {
  struct {
    uint64_t flags, mode, resolve;
  } how = {O_RDONLY, 0, 0x08 /* RESOLVE_BENEATH */};
  OK(mkdir("inner", 0755));
  write_file("outside", "x");
  write_file("inner/file", "x");
  const int inner = OK(open("inner", O_RDONLY));
  const auto openat2 = [&](const char* path) {
    return syscall(SYS_openat2, inner, path, &how, sizeof how);
  };
  if (openat2("file") == -1 && errno == ENOSYS) skip("no openat2 here");
  OK(openat2("file"));
  CHECK_ERRNO(openat2("../outside"), EXDEV);
  CHECK_ERRNO(openat2("/etc"), EXDEV);
  how.resolve = 0x10;  // RESOLVE_IN_ROOT
  CHECK_ERRNO(openat2("../outside"), ENOENT);
  OK(openat2("/file"));
  how.resolve = 0x04;  // RESOLVE_NO_SYMLINKS
  OK(symlink("file", "inner/link"));
  CHECK_ERRNO(openat2("link"), ELOOP);
  how.resolve = 1 << 20;
  CHECK_ERRNO(openat2("file"), EINVAL);
  how.resolve = 0;
  how.flags = 1ull << 40;
  CHECK_ERRNO(openat2("file"), EINVAL);
}

TEST(device_nodes) {
  char buffer[8] = {1, 1, 1};
  const int zero = OK(open("/dev/zero", O_RDWR));
  CHECK_EQ(read(zero, buffer, 8), 8);
  CHECK_EQ(buffer[0], 0);
  CHECK_EQ(write(zero, buffer, 8), 8);
  const int null = OK(open("/dev/null", O_RDWR));
  CHECK_EQ(read(null, buffer, 8), 0);
  CHECK_EQ(write(null, buffer, 8), 8);
  const int full = OK(open("/dev/full", O_RDWR));
  CHECK_ERRNO(write(full, buffer, 8), ENOSPC);
  CHECK_EQ(read(full, buffer, 8), 8);
  const int random = OK(open("/dev/urandom", O_RDONLY));
  CHECK_EQ(read(random, buffer, 8), 8);
  struct stat status;
  OK(stat("/dev/null", &status));
  CHECK(S_ISCHR(status.st_mode));
  CHECK_EQ(status.st_rdev, 0x103);
  CHECK_ERRNO(ftruncate(null, 0), EINVAL);
}

TEST(ioctl_fionread_and_unknown) {
  write_file("file", "12345");
  const int fd = OK(open("file", O_RDONLY));
  CHECK_ERRNO(syscall(SYS_ioctl, fd, 0x12345678, 0), ENOTTY);
  int available = 0;
  OK(syscall(SYS_ioctl, fd, 0x541b /* FIONREAD */, &available));
  CHECK_EQ(available, 5);
  CHECK_EQ(isatty(fd), 0);
  CHECK_EQ(errno, ENOTTY);
}

TEST(descriptors_are_released_at_exit) {
  int ends[2];
  OK(pipe(ends));
  const pid_t child = in_child([] { pause(); });
  OK(close(ends[1]));
  OK(kill(child, SIGKILL));
  char byte;
  CHECK_EQ(read(ends[0], &byte, 1), 0);
  CHECK_KILLED(child, SIGKILL);
}

TEST(memory_file_is_sealed_against_writers) {
  // Once the seal is there, nothing is written any more.
  for (int round = 0; round < 6; ++round) {
    const int fd = OK(memfd_create("sealed", MFD_ALLOW_SEALING));
    std::vector<pid_t> writers;
    for (int i = 0; i < 2; ++i) {
      writers.push_back(in_child([=] {
        const std::string text(700, 'w');
        for (off_t at = 0; pwrite(fd, text.data(), text.size(), at) > 0; at += 700) {
        }
        CHECK_EQ(errno, EPERM);
      }));
    }
    while (lseek(fd, 0, SEEK_END) < 3000) sched_yield();
    OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    const off_t size = lseek(fd, 0, SEEK_END);
    for (pid_t writer : writers) CHECK_EXIT(writer, 0);
    CHECK_EQ(lseek(fd, 0, SEEK_END), size);
    OK(close(fd));
  }
}

TEST(memory_file_grows_under_readers) {
  // From a small file to a large one: readers see what was written, at each moment.
  for (int round = 0; round < 6; ++round) {
    const int fd = OK(memfd_create("growing", 0));
    const pid_t reader = in_child([=] {
      for (off_t seen = 0; seen < 20000;) {
        char bytes[512];
        const ssize_t got = OK(pread(fd, bytes, sizeof bytes, seen));
        for (ssize_t i = 0; i < got; ++i) CHECK_EQ(int{bytes[i]}, 'a' + (seen + i) % 7);
        seen += got;
        if (got == 0) sched_yield();
      }
    });
    for (int i = 0; i < 20000; i += 250) {
      char bytes[250];
      for (int at = 0; at < 250; ++at) bytes[at] = static_cast<char>('a' + (i + at) % 7);
      CHECK_EQ(write(fd, bytes, sizeof bytes), 250);
    }
    CHECK_EXIT(reader, 0);
    OK(close(fd));
  }
}
