// Address spaces: mmap and its kin, copy on write, shared memory, memfd, /proc/self/maps.
#include <linux/memfd.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cinttypes>

#include "check.h"

namespace {

constexpr size_t kPage = 4096;
sigjmp_buf escape;

char* map(size_t size, int protection = PROT_READ | PROT_WRITE,
          int flags = MAP_PRIVATE | MAP_ANONYMOUS, int fd = -1, off_t offset = 0,
          void* address = nullptr) {
  return static_cast<char*>(OK(mmap(address, size, protection, flags, fd, offset)));
}

/// 0 if `access` runs through, else the signal it raises.
template <typename Access>
int signal_of(Access access) {
  struct sigaction action = {};
  action.sa_handler = [](int signal) { siglongjmp(escape, signal); };
  for (int signal : {SIGSEGV, SIGBUS}) OK(sigaction(signal, &action, nullptr));
  const int signal = sigsetjmp(escape, 1);
  if (signal == 0) access();
  return signal;
}

bool can_read(const char* address) {
  return signal_of([=] { *static_cast<const volatile char*>(address); }) == 0;
}
bool can_write(char* address) {
  return signal_of([=] {
           volatile char* byte = address;
           *byte = *byte;
         }) == 0;
}

int file_of(size_t size, char fill = 'f') {
  write_file("file", std::string(size, fill));
  return OK(open("file", O_RDWR));
}

struct Area {
  uintptr_t begin, end;
  std::string protection;
  unsigned long offset, inode;
  std::string name;
};

std::vector<Area> areas() {
  std::vector<Area> result;
  const std::string text = read_file("/proc/self/maps");
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    char protection[5];
    Area area;
    int name_at = 0;
    CHECK_EQ(std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s %lx %*x:%*x %lu %n",
                         &area.begin, &area.end, protection, &area.offset, &area.inode, &name_at),
             5);
    area.protection = protection;
    area.name = line.substr(name_at);
    result.push_back(area);
    at = end + 1;
  }
  return result;
}

/// The area that contains `address`; one with an empty protection if none does.
Area area_at(const void* address) {
  const auto value = reinterpret_cast<uintptr_t>(address);
  for (const Area& area : areas()) {
    if (area.begin <= value && value < area.end) return area;
  }
  return {};
}

bool is_mapped(const void* address) { return !area_at(address).protection.empty(); }

}  // namespace

TEST(anonymous_private_is_zero) {
  char* pages = map(16 * kPage);
  for (size_t i = 0; i < 16 * kPage; ++i) CHECK_EQ(pages[i], 0);
  std::memset(pages, 1, 16 * kPage);
  OK(munmap(pages, 16 * kPage));
  CHECK(!can_read(pages));
}

TEST(mmap_errors) {
  CHECK_ERRNO(mmap(nullptr, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
  CHECK_ERRNO(mmap(nullptr, kPage, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
  CHECK_ERRNO(mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
  CHECK_ERRNO(mmap(reinterpret_cast<void*>(0x10001), kPage, PROT_READ,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
              EINVAL);
  CHECK_ERRNO(mmap(reinterpret_cast<void*>(0x7ffffffff000), 4 * kPage, PROT_READ,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
              ENOMEM);
  CHECK_ERRNO(mmap(nullptr, SIZE_MAX - kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
              ENOMEM);
  CHECK_ERRNO(
      mmap(nullptr, 1ul << 47, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
      ENOMEM);
  const int fd = file_of(kPage);
  CHECK_ERRNO(mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 1), EINVAL);
  const int read_only = OK(open("file", O_RDONLY));
  CHECK_ERRNO(mmap(nullptr, kPage, PROT_WRITE, MAP_SHARED, read_only, 0), EACCES);
  OK(mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, read_only, 0));
  const int write_only = OK(open("file", O_WRONLY));
  CHECK_ERRNO(mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, write_only, 0), EACCES);
  const int directory = OK(open(".", O_RDONLY));
  CHECK_ERRNO(mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, directory, 0), ENODEV);
  const int path_only = OK(open("file", O_PATH));
  CHECK_ERRNO(mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, path_only, 0), EBADF);
}

TEST(null_page_is_not_for_the_taking) {
  CHECK_EXIT(in_child([] {
               if (geteuid() == 0) OK(setresuid(1234, 1234, 1234));
               const void* result =
                   mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
               CHECK_ERRNO(result, EPERM);
             }),
             0);
}

TEST(private_file_mapping_copies_on_write) {
  const int fd = file_of(2 * kPage);
  char* pages = map(2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
  CHECK_EQ(pages[kPage], 'f');
  pages[0] = 'x';
  CHECK_EQ(read_file("file")[0], 'f');
  // What was not copied follows the file.
  CHECK_EQ(pwrite(fd, "y", 1, kPage), 1);
  CHECK_EQ(pages[kPage], 'y');
}

TEST(shared_file_mapping_is_the_file) {
  const int fd = file_of(2 * kPage);
  char* pages = map(2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  OK(close(fd));
  pages[kPage + 1] = 'x';
  CHECK_EQ(read_file("file")[kPage + 1], 'x');
  const int again = OK(open("file", O_WRONLY));
  CHECK_EQ(write(again, "z", 1), 1);
  CHECK_EQ(pages[0], 'z');
  OK(msync(pages, 2 * kPage, MS_SYNC));
}

TEST(mapping_at_an_offset) {
  const int fd = file_of(3 * kPage, 'a');
  CHECK_EQ(pwrite(fd, "b", 1, 2 * kPage), 1);
  CHECK_EQ(*map(kPage, PROT_READ, MAP_SHARED, fd, 2 * kPage), 'b');
}

TEST(rest_of_the_last_page_is_zero_and_beyond_is_sigbus) {
  const int fd = file_of(10);
  char* pages = map(2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  CHECK_EQ(pages[9], 'f');
  CHECK_EQ(pages[10], 0);
  pages[11] = 'x';
  CHECK_EQ(read_file("file").size(), 10);
  CHECK_EQ(signal_of([=] { *static_cast<volatile char*>(pages + kPage); }), SIGBUS);
  OK(ftruncate(fd, kPage + 1));
  CHECK_EQ(pages[kPage], 0);
  OK(ftruncate(fd, 0));
  CHECK_EQ(signal_of([=] { *static_cast<volatile char*>(pages); }), SIGBUS);
}

TEST(fixed_replaces_and_noreplace_does_not) {
  char* pages = map(3 * kPage);
  std::memset(pages, 1, 3 * kPage);
  CHECK(map(kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0,
            pages + kPage) == pages + kPage);
  CHECK_EQ(pages[0], 1);
  CHECK_EQ(pages[kPage], 0);
  CHECK_EQ(pages[2 * kPage], 1);
  CHECK_ERRNO(mmap(pages + kPage, kPage, PROT_READ,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
              EEXIST);
  OK(munmap(pages + kPage, kPage));
  CHECK(map(kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0,
            pages + kPage) == pages + kPage);
}

TEST(hints) {
  char* pages = map(4 * kPage);
  OK(munmap(pages, 4 * kPage));
  CHECK(map(kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, pages + kPage) == pages + kPage);
  // A taken hint is not an error.
  char* other = map(kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, pages + kPage);
  CHECK(other != pages + kPage);
  // Hints are rounded to pages.
  char* rounded = map(kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, pages + 2 * kPage + 5);
  CHECK_EQ(reinterpret_cast<uintptr_t>(rounded) % kPage, 0);
}

TEST(low_memory_with_map_32bit) {
  char* page = map(kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT);
  CHECK(reinterpret_cast<uintptr_t>(page) < 1ul << 31);
}

TEST(shared_validate_rejects_unknown_flags) {
  const int fd = file_of(kPage);
  OK(mmap(nullptr, kPage, PROT_READ, MAP_SHARED_VALIDATE, fd, 0));
  CHECK_ERRNO(mmap(nullptr, kPage, PROT_READ, MAP_SHARED_VALIDATE | (1 << 25), fd, 0), EOPNOTSUPP);
}

TEST(large_reservation) {
  constexpr size_t kSize = 1ul << 40;
  char* reservation = map(kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
  OK(mprotect(reservation + kSize / 2, kPage, PROT_READ | PROT_WRITE));
  reservation[kSize / 2] = 1;
  OK(munmap(reservation, kSize));
}

/// Takes what is free, in pieces of `size` bytes; how many there were.
int fill_address_space(size_t size) {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  int count = 0;
  while (mmap(nullptr, size, PROT_NONE, kFlags, -1, 0) != MAP_FAILED) ++count;
  CHECK_EQ(errno, ENOMEM);
  return count;
}

TEST(the_whole_address_space_can_be_used) {
  CHECK_EXIT(in_child([] { CHECK(fill_address_space(size_t{1} << 44) >= 6); }), 0);
}

TEST(mremap_without_room) {
  CHECK_EXIT(in_child([] {
               char* page = map(2 * kPage);
               page[0] = 'a';
               for (int bits = 45; bits >= 30; --bits) fill_address_space(size_t{1} << bits);
               CHECK_ERRNO(mremap(page, kPage, size_t{2} << 30, MREMAP_MAYMOVE), ENOMEM);
               CHECK_EQ(page[0], 'a');
               page[kPage - 1] = 'b';
             }),
             0);
}

TEST(reservation_of_all_that_is_unused) {
  CHECK_EXIT(
      in_child([] {
        char* begin = reinterpret_cast<char*>(0x680000000000);
        CHECK(map(size_t{12} << 40, PROT_NONE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0, begin) == begin);
        CHECK(!can_read(begin));
        CHECK(!can_read(begin + (size_t{12} << 40) - 1));
      }),
      0);
}

TEST(munmap_partial_and_errors) {
  char* pages = map(5 * kPage);
  OK(munmap(pages + kPage, kPage));
  OK(munmap(pages + 3 * kPage, kPage));
  CHECK(can_read(pages));
  CHECK(!can_read(pages + kPage));
  CHECK(can_read(pages + 2 * kPage));
  CHECK(!can_read(pages + 3 * kPage));
  CHECK(can_read(pages + 4 * kPage));
  // Holes are no error; the length is rounded up.
  OK(munmap(pages, 4 * kPage + 1));
  CHECK(!can_read(pages + 4 * kPage));
  CHECK_ERRNO(munmap(pages + 1, kPage), EINVAL);
  CHECK_ERRNO(munmap(pages, 0), EINVAL);
  CHECK_ERRNO(munmap(pages, SIZE_MAX / 2), EINVAL);
}

TEST(mprotect_splits_and_merges) {
  char* pages = map(3 * kPage);
  std::memset(pages, 1, 3 * kPage);
  OK(mprotect(pages + kPage, kPage, PROT_READ));
  CHECK(can_write(pages));
  CHECK(can_read(pages + kPage));
  CHECK(!can_write(pages + kPage));
  CHECK(can_write(pages + 2 * kPage));
  CHECK_EQ(area_at(pages + kPage).protection, "r--p");
  OK(mprotect(pages + kPage, kPage, PROT_NONE));
  CHECK(!can_read(pages + kPage));
  OK(mprotect(pages, 3 * kPage, PROT_READ | PROT_WRITE));
  CHECK(can_write(pages + kPage));
  CHECK_EQ(pages[kPage], 1);
}

TEST(mprotect_errors) {
  char* pages = map(3 * kPage);
  OK(munmap(pages + kPage, kPage));
  CHECK_ERRNO(mprotect(pages + 1, kPage, PROT_READ), EINVAL);
  CHECK_ERRNO(mprotect(pages, kPage, 0x80), EINVAL);
  // Linux: what stands before the hole is changed.
  CHECK_ERRNO(mprotect(pages, 3 * kPage, PROT_READ), ENOMEM);
  CHECK(!can_write(pages));
  CHECK(can_write(pages + 2 * kPage));
  OK(mprotect(pages, 0, PROT_READ));
  file_of(kPage);
  const int read_only = OK(open("file", O_RDONLY));
  char* shared = map(kPage, PROT_READ, MAP_SHARED, read_only);
  CHECK_ERRNO(mprotect(shared, kPage, PROT_READ | PROT_WRITE), EACCES);
}

TEST(executable_memory) {
  char* page = map(kPage);
  std::memcpy(page, "\xb8\x2a\x00\x00\x00\xc3", 6);  // mov $42, %eax; ret
  OK(mprotect(page, kPage, PROT_READ | PROT_EXEC));
  CHECK_EQ(reinterpret_cast<int (*)()>(page)(), 42);
}

TEST(mremap_grows_and_shrinks) {
  char* pages = map(4 * kPage);
  OK(munmap(pages + 2 * kPage, 2 * kPage));
  pages[0] = 1;
  CHECK(OK(mremap(pages, 2 * kPage, 4 * kPage, 0)) == pages);
  CHECK_EQ(pages[3 * kPage], 0);
  CHECK(OK(mremap(pages, 4 * kPage, kPage, 0)) == pages);
  CHECK(!can_read(pages + kPage));
  CHECK_EQ(pages[0], 1);
}

TEST(mremap_moves) {
  char* pages = map(3 * kPage);
  pages[0] = 7;
  CHECK_ERRNO(mremap(pages, kPage, 2 * kPage, 0), ENOMEM);
  auto* moved = static_cast<char*>(OK(mremap(pages, kPage, 20 * kPage, MREMAP_MAYMOVE)));
  CHECK(moved != pages);
  CHECK_EQ(moved[0], 7);
  CHECK_EQ(moved[19 * kPage], 0);
  CHECK(!can_read(pages));
  CHECK(can_read(pages + kPage));
}

TEST(mremap_fixed_and_dontunmap) {
  char* pages = map(kPage);
  char* target = map(2 * kPage);
  pages[0] = 3;
  CHECK(OK(mremap(pages, kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, target)) == target);
  CHECK_EQ(target[0], 3);
  CHECK(!can_read(pages));
  char* source = map(kPage);
  source[0] = 4;
  auto* moved = static_cast<char*>(
      OK(mremap(source, kPage, kPage, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, nullptr)));
  CHECK_EQ(moved[0], 4);
  CHECK_EQ(source[0], 0);
}

TEST(mremap_errors) {
  char* pages = map(2 * kPage);
  CHECK_ERRNO(mremap(pages + 1, kPage, kPage, 0), EINVAL);
  CHECK_ERRNO(mremap(pages, kPage, 0, 0), EINVAL);
  CHECK_ERRNO(mremap(pages, kPage, kPage, 0x80), EINVAL);
  CHECK_ERRNO(mremap(pages, kPage, kPage, MREMAP_FIXED, pages), EINVAL);
  CHECK_ERRNO(mremap(pages, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, pages + kPage),
              EINVAL);
  OK(munmap(pages, 2 * kPage));
  CHECK_ERRNO(mremap(pages, kPage, 2 * kPage, MREMAP_MAYMOVE), EFAULT);
}

TEST(mremap_of_a_file_keeps_the_contents) {
  const int fd = file_of(4 * kPage, 'q');
  char* page = map(kPage, PROT_READ, MAP_SHARED, fd);
  auto* larger = static_cast<char*>(OK(mremap(page, kPage, 4 * kPage, MREMAP_MAYMOVE)));
  CHECK_EQ(larger[4 * kPage - 1], 'q');
}

TEST(madvise_dontneed) {
  char* pages = map(2 * kPage);
  std::memset(pages, 1, 2 * kPage);
  OK(madvise(pages, kPage, MADV_DONTNEED));
  CHECK_EQ(pages[0], 0);
  CHECK_EQ(pages[kPage], 1);
  const int fd = file_of(kPage);
  char* file = map(kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
  file[0] = 'x';
  OK(madvise(file, kPage, MADV_DONTNEED));
  CHECK_EQ(file[0], 'f');
  for (int advice : {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED}) {
    OK(madvise(pages, kPage, advice));
  }
  CHECK_ERRNO(madvise(pages + 1, kPage, MADV_DONTNEED), EINVAL);
  CHECK_ERRNO(madvise(pages, kPage, 9999), EINVAL);
  OK(munmap(pages + kPage, kPage));
  CHECK_ERRNO(madvise(pages, 2 * kPage, MADV_DONTNEED), ENOMEM);
}

TEST(wipe_on_fork_and_dont_fork) {
  char* wiped = map(kPage);
  char* absent = map(kPage);
  wiped[0] = absent[0] = 1;
  OK(madvise(wiped, kPage, MADV_WIPEONFORK));
  OK(madvise(absent, kPage, MADV_DONTFORK));
  CHECK_EXIT(in_child([=] {
               CHECK_EQ(wiped[0], 0);
               CHECK(!can_read(absent));
             }),
             0);
  CHECK_EQ(wiped[0], 1);
}

TEST(brk_moves) {
  auto* start = reinterpret_cast<char*>(syscall(SYS_brk, 0));
  CHECK(reinterpret_cast<char*>(syscall(SYS_brk, start + 10 * kPage)) == start + 10 * kPage);
  std::memset(start, 1, 10 * kPage);
  CHECK(reinterpret_cast<char*>(syscall(SYS_brk, start)) == start);
  CHECK(reinterpret_cast<char*>(syscall(SYS_brk, start + kPage)) == start + kPage);
  CHECK_EQ(start[kPage - 1], 0);
  // What cannot be done leaves the break where it is.
  CHECK(reinterpret_cast<char*>(syscall(SYS_brk, 8)) == start + kPage);
  CHECK(reinterpret_cast<char*>(syscall(SYS_brk, -1)) == start + kPage);
}

TEST(limits) {
  CHECK_EXIT(in_child([] {
               const rlimit address_space = {256 << 20, 256 << 20};
               OK(setrlimit(RLIMIT_AS, &address_space));
               CHECK_ERRNO(mmap(nullptr, 512 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                           ENOMEM);
             }),
             0);
}

TEST(msync_errors) {
  char* pages = map(2 * kPage);
  OK(msync(pages, kPage, MS_ASYNC));
  CHECK_ERRNO(msync(pages, kPage, MS_ASYNC | MS_SYNC), EINVAL);
  CHECK_ERRNO(msync(pages, kPage, 0x100), EINVAL);
  CHECK_ERRNO(msync(pages + 1, kPage, MS_SYNC), EINVAL);
  OK(munmap(pages, kPage));
  CHECK_ERRNO(msync(pages, 2 * kPage, MS_SYNC), ENOMEM);
}

TEST(mincore_reports_residency) {
  char* pages = map(3 * kPage);
  pages[kPage] = 1;
  unsigned char resident[3];
  OK(mincore(pages, 3 * kPage, resident));
  CHECK_EQ(resident[0] & 1, 0);
  CHECK_EQ(resident[1] & 1, 1);
  CHECK_ERRNO(mincore(pages + 1, kPage, resident), EINVAL);
  CHECK_ERRNO(mincore(pages, kPage, reinterpret_cast<unsigned char*>(1)), EFAULT);
  OK(munmap(pages + 2 * kPage, kPage));
  CHECK_ERRNO(mincore(pages, 3 * kPage, resident), ENOMEM);
}

TEST(mlock_and_limits) {
  char* pages = map(2 * kPage);
  OK(mlock(pages, kPage));
  OK(munlock(pages, kPage));
  OK(munmap(pages + kPage, kPage));
  CHECK_ERRNO(mlock(pages, 2 * kPage), ENOMEM);
  CHECK_ERRNO(mlockall(0), EINVAL);
  OK(munlockall());
}

/// VmLck of /proc/self/status, in pages.
size_t locked_pages() {
  const std::string status = read_file("/proc/self/status");
  return std::stoul(status.substr(status.find("VmLck:") + 6)) / 4;
}

TEST(mlockall_locks_what_is_and_what_comes) {
  CHECK_EXIT(in_child([] {
               char* before = map(3 * kPage);
               OK(mprotect(before, kPage, PROT_NONE));
               OK(mlockall(MCL_CURRENT));
               CHECK(locked_pages() >= 3);
               unsigned char resident[2];
               OK(mincore(before + kPage, 2 * kPage, resident));
               CHECK_EQ(resident[1] & 1, 1);
               const size_t now = locked_pages();
               map(5 * kPage);
               CHECK_EQ(locked_pages(), now);
               OK(mlockall(MCL_FUTURE | MCL_ONFAULT));
               char* later = map(7 * kPage);
               CHECK_EQ(locked_pages(), now + 7);
               OK(mincore(later, 2 * kPage, resident));
               CHECK_EQ(resident[0] & 1, 0);
               CHECK_EXIT(in_child([] { CHECK_EQ(locked_pages(), 0); }), 0);
               OK(munlockall());
               CHECK_EQ(locked_pages(), 0);
               map(kPage);
               CHECK_EQ(locked_pages(), 0);
             }),
             0);
}

TEST(memlock_limit) {
  CHECK_EXIT(in_child([] {
               rlimit limit = {4 * kPage, 4 * kPage};
               OK(setrlimit(RLIMIT_MEMLOCK, &limit));
               OK(setuid(65534));
               char* pages = map(8 * kPage);
               OK(mlock(pages, 4 * kPage));
               OK(mlock(pages, 2 * kPage));
               CHECK_ERRNO(mlock(pages, 5 * kPage), ENOMEM);
               CHECK_ERRNO(mlockall(MCL_CURRENT), ENOMEM);
               CHECK_ERRNO(
                   mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0),
                   EAGAIN);
               OK(munlock(pages, 4 * kPage));
               map(kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED);
               CHECK_EQ(locked_pages(), 1);
               limit = {0, 0};
               OK(setrlimit(RLIMIT_MEMLOCK, &limit));
               CHECK_ERRNO(mlock(pages, kPage), EPERM);
               CHECK_ERRNO(mlockall(MCL_FUTURE), EPERM);
             }),
             0);
}

TEST(maps_shows_what_is_mapped) {
  const int fd = file_of(4 * kPage);
  char* file = map(2 * kPage, PROT_READ, MAP_SHARED, fd, kPage);
  const Area area = area_at(file);
  CHECK_EQ(area.begin, reinterpret_cast<uintptr_t>(file));
  CHECK_EQ(area.end - area.begin, 2 * kPage);
  CHECK_EQ(area.protection, "r--s");
  CHECK_EQ(area.offset, kPage);
  struct stat status;
  OK(fstat(fd, &status));
  CHECK_EQ(area.inode, status.st_ino);
  CHECK_EQ(area.name, std::filesystem::canonical("file").string());
  OK(unlink("file"));
  CHECK(area_at(file).name.ends_with("/file (deleted)"));
  OK(munmap(file, 2 * kPage));
  CHECK(!is_mapped(file));

  int local;
  CHECK_EQ(area_at(&local).name, "[stack]");
  sbrk(1);
  CHECK_EQ(area_at(static_cast<char*>(sbrk(0)) - 1).name, "[heap]");
  uintptr_t previous = 0;
  for (const Area& each : areas()) {
    CHECK(each.begin >= previous);
    CHECK(each.begin < each.end);
    previous = each.end;
  }
}

TEST(maps_shows_no_foreign_areas) {
  for (const Area& area : areas()) CHECK(area.begin < 0x7fffffffffff || area.name == "[vsyscall]");
}

TEST(copy_on_write_over_fork) {
  char* pages = map(8 * kPage);
  std::memset(pages, 1, 8 * kPage);
  Signpost written, check;
  const pid_t child = in_child([&] {
    pages[0] = 2;
    written.reach();
    check.await();
    CHECK_EQ(pages[kPage], 1);
    CHECK_EQ(pages[0], 2);
  });
  written.await();
  CHECK_EQ(pages[0], 1);
  pages[kPage] = 3;
  check.reach();
  CHECK_EXIT(child, 0);
}

TEST(shared_anonymous_over_fork) {
  char* page = map(kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
  CHECK_EXIT(in_child([=] { CHECK_EXIT(in_child([=] { page[5] = 9; }), 0); }), 0);
  CHECK_EQ(page[5], 9);
}

TEST(memfd) {
  const int fd = OK(memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd)).string(),
           "/memfd:name (deleted)");
  struct stat status;
  OK(fstat(fd, &status));
  CHECK(S_ISREG(status.st_mode));
  CHECK_EQ(status.st_nlink, 0);
  CHECK_EQ(write(fd, "abc", 3), 3);
  OK(ftruncate(fd, kPage));
  char* page = map(kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  CHECK_EQ(page[1], 'b');
  CHECK_ERRNO(memfd_create(std::string(250, 'x').c_str(), 0), EINVAL);
  CHECK_ERRNO(memfd_create("name", 0x1000), EINVAL);
  CHECK_ERRNO(memfd_create(reinterpret_cast<char*>(1), 0), EFAULT);
}

TEST(memfd_seals) {
  const int fd = OK(memfd_create("name", MFD_ALLOW_SEALING));
  OK(ftruncate(fd, kPage));
  CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
  CHECK_ERRNO(ftruncate(fd, 0), EPERM);
  CHECK_ERRNO(ftruncate(fd, 2 * kPage), EPERM);
  CHECK_ERRNO(pwrite(fd, "x", 1, kPage), EPERM);
  char* page = map(kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
  OK(munmap(page, kPage));
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  CHECK_ERRNO(write(fd, "x", 1), EPERM);
  CHECK_ERRNO(mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
  OK(mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 0));
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
  CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
  CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  const int unsealable = OK(memfd_create("name", 0));
  CHECK_ERRNO(fcntl(unsealable, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
  CHECK_ERRNO(fcntl(file_of(1), F_GET_SEALS), EINVAL);
}

TEST(process_vm_readv_and_writev) {
  char* page = map(kPage);
  std::strcpy(page, "before");
  Signpost ready, go;
  const pid_t child = in_child([&] {
    ready.reach();
    go.await();
    CHECK_EQ(std::string(page), "after");
  });
  ready.await();
  char buffer[16] = {};
  iovec local = {buffer, 7}, remote = {page, 7};
  CHECK_EQ(process_vm_readv(child, &local, 1, &remote, 1, 0), 7);
  CHECK_EQ(std::string(buffer), "before");
  std::strcpy(buffer, "after");
  local.iov_len = remote.iov_len = 6;
  CHECK_EQ(process_vm_writev(child, &local, 1, &remote, 1, 0), 6);
  CHECK_EQ(std::string(page), "before");
  iovec bad = {nullptr, 8};
  CHECK_ERRNO(process_vm_readv(child, &local, 1, &bad, 1, 0), EFAULT);
  CHECK_ERRNO(process_vm_readv(child, &local, 1, &remote, 1, 1), EINVAL);
  CHECK_ERRNO(process_vm_readv(0x3fffffff, &local, 1, &remote, 1, 0), ESRCH);
  go.reach();
  CHECK_EXIT(child, 0);
}

TEST(proc_mem) {
  char* page = map(kPage, PROT_READ);
  const int fd = OK(open("/proc/self/mem", O_RDWR));
  // Linux: writing there ignores the protection, as a debugger needs it.
  CHECK_EQ(pwrite(fd, "hi", 2, reinterpret_cast<off_t>(page)), 2);
  CHECK_EQ(page[1], 'i');
  char byte;
  CHECK_EQ(pread(fd, &byte, 1, reinterpret_cast<off_t>(page)), 1);
  CHECK_ERRNO(pread(fd, &byte, 1, 8), EIO);
}

TEST(stack_grows_on_touch) {
  CHECK_EXIT(in_child([] {
               constexpr size_t kDepth = 4 << 20;
               auto* deep = static_cast<volatile char*>(__builtin_alloca(kDepth));
               for (size_t at = kDepth; at > kPage; at -= kPage) deep[at - kPage] = 1;
             }),
             0);
}

TEST(stack_limit) {
  const rlimit no_core = {0, 0};
  OK(setrlimit(RLIMIT_CORE, &no_core));
  const pid_t child = in_child([] {
    const rlimit limit = {1 << 20, 1 << 20};
    OK(setrlimit(RLIMIT_STACK, &limit));
    execl(own_path().c_str(), "name", "--helper", "use_stack", nullptr);
  });
  CHECK_KILLED(child, SIGSEGV);
}

HELPER(use_stack) {
  constexpr size_t kDepth = 4 << 20;
  auto* deep = static_cast<volatile char*>(__builtin_alloca(kDepth));
  for (size_t at = kDepth; at > kPage; at -= kPage) deep[at - kPage] = 1;
  return 0;
}

TEST(growsdown_mapping) {
  // Linux keeps a gap of 256 pages below such a mapping.
  constexpr size_t kRoom = 1024 * kPage;
  char* room = map(kRoom, PROT_NONE);
  OK(munmap(room, kRoom));
  char* stack =
      map(kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED,
          -1, 0, room + kRoom - kPage);
  volatile char* below = stack - 1;
  *below = 1;
  CHECK_EQ(*below, 1);
}

TEST(bad_pointers_give_efault) {
  char* pages = map(2 * kPage);
  OK(munmap(pages + kPage, kPage));
  CHECK_ERRNO(open(pages + kPage, O_RDONLY), EFAULT);
  struct stat* status = reinterpret_cast<struct stat*>(pages + kPage - 8);
  CHECK_ERRNO(stat(".", status), EFAULT);
  // A string that ends at the edge is fine.
  std::strcpy(pages + kPage - 2, "/");
  struct stat root;
  OK(stat(pages + kPage - 2, &root));
  std::memset(pages + kPage - 4, '/', 4);
  CHECK_ERRNO(stat(pages + kPage - 4, &root), EFAULT);
  CHECK_ERRNO(pipe(reinterpret_cast<int*>(pages + kPage - 4)), EFAULT);
  for (uintptr_t address : {0x7ffffffff000ul, 0x800000000000ul, 0xffff888000000000ul, ~0ul - 100}) {
    CHECK_ERRNO(stat(reinterpret_cast<char*>(address), &root), EFAULT);
  }
}

TEST(mappings_outlive_their_file) {
  const int fd = file_of(kPage, 'k');
  char* page = map(kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  OK(close(fd));
  OK(unlink("file"));
  CHECK_EQ(page[10], 'k');
  page[10] = 'l';
  CHECK_EXIT(in_child([=] { CHECK_EQ(page[10], 'l'); }), 0);
}

TEST(devzero_mapping) {
  const int fd = OK(open("/dev/zero", O_RDWR));
  char* page = map(kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
  CHECK_EQ(page[0], 0);
  page[0] = 1;
  CHECK_EQ(page[0], 1);
}

TEST(many_areas) {
  char* pages = map(2000 * kPage);
  for (size_t i = 0; i < 2000; i += 2) OK(mprotect(pages + i * kPage, kPage, PROT_READ));
  CHECK_EQ(area_at(pages + 1000 * kPage).protection, "r--p");
  CHECK_EQ(area_at(pages + 1001 * kPage).protection, "rw-p");
  OK(munmap(pages, 2000 * kPage));
  CHECK(!is_mapped(pages + 1000 * kPage));
}

TEST(membarrier) {
  const long supported = syscall(SYS_membarrier, 0, 0, 0);
  if (supported == -1 && errno == ENOSYS) skip("no membarrier here");
  CHECK(supported >= 0);
  CHECK_ERRNO(syscall(SYS_membarrier, 1 << 20, 0, 0), EINVAL);
}
