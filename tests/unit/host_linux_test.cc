// The Linux host wall against the real host: every function once, with its errors.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "abi/linux/dirent.h"
#include "abi/linux/ioctl.h"
#include "host/clock.h"
#include "host/file.h"
#include "host/linux/syscall.h"
#include "host/memory.h"
#include "host/socket.h"
#include "host/wait.h"

// What pico/direct and lxcore provide in the kernel half.
namespace {
std::atomic<bool> interruption_pending{false};
}

namespace lxss {

void panic(const char* file, int line, const char* message) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message);
  std::abort();
}

namespace host {

i64 sys::interruptible(i64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  if (interruption_pending.exchange(false)) return -EINTR;
  return raw(number, a, b, c, d, e, f);
}

MachineFiles& machine_files() {
  static MachineFiles files;
  return files;
}

}  // namespace host

namespace {

using host::Buffer;
using host::OpenMode;
using host::UniqueFd;
using HostFd = host::Fd;

template <typename T>
Errno error_of(const Result<T>& result) {
  return result.ok() ? Errno{0} : result.error();
}
#define EXPECT_OK(expression) EXPECT_EQ(error_of(expression), Errno{0})
#define EXPECT_ERROR(expression, name) EXPECT_EQ(error_of(expression), Errno::name)

Buffer buffer_of(void* data, usize size) { return {reinterpret_cast<u64>(data), size}; }
Buffer buffer_of(std::string& text) { return buffer_of(text.data(), text.size()); }
template <typename T>
std::span<std::byte> bytes(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

class HostFile : public testing::Test {
 protected:
  HostFile() {
    char path[] = "/tmp/lxss-host-XXXXXX";
    path_ = mkdtemp(path);
    directory_ = UniqueFd(HostFd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  }
  ~HostFile() override { (void)!system(("rm -rf " + path_).c_str()); }

  HostFd dir() const { return directory_.get(); }
  UniqueFd create(const char* name) { return MUST(host::create_at(dir(), name, 0644)); }
  static usize write(HostFd fd, std::string text, u64 offset = 0) {
    Buffer piece = buffer_of(text);
    return MUST(host::write_at(fd, {&piece, 1}, offset));
  }

  std::string path_;
  UniqueFd directory_;
};

TEST_F(HostFile, OpenAndCreate) {
  UniqueFd file = create("a");
  EXPECT_ERROR(host::create_at(dir(), "a", 0644), kEEXIST);
  EXPECT_TRUE(fcntl(file.get().value, F_GETFD) & FD_CLOEXEC);
  EXPECT_OK(host::open_at(dir(), "a", OpenMode::kReadOnly));
  EXPECT_OK(host::open_at(dir(), std::string_view("abc", 1), OpenMode::kReadWrite));
  EXPECT_OK(host::open_at(dir(), ".", OpenMode::kDirectory));
  EXPECT_ERROR(host::open_at(dir(), "a", OpenMode::kDirectory), kENOTDIR);
  EXPECT_ERROR(host::open_at(dir(), "none", OpenMode::kReadOnly), kENOENT);
  EXPECT_ERROR(host::open_at(dir(), "", OpenMode::kReadOnly), kENOENT);
  EXPECT_ERROR(host::open_at(HostFd(-1), "a", OpenMode::kReadOnly), kEBADF);
}

TEST_F(HostFile, NamesCannotLeaveTheDirectory) {
  EXPECT_ERROR(host::open_at(dir(), "..", OpenMode::kDirectory), kEINVAL);
  EXPECT_ERROR(host::open_at(dir(), "/etc", OpenMode::kDirectory), kEINVAL);
  EXPECT_ERROR(host::status_at(dir(), std::string_view("a\0b", 3)), kEINVAL);
  EXPECT_ERROR(host::remove_directory(dir(), "../x"), kEINVAL);
  EXPECT_OK(host::create_at(dir(), std::string(255, 'n'), 0600));
  EXPECT_ERROR(host::create_at(dir(), std::string(256, 'n'), 0600), kENAMETOOLONG);
  EXPECT_OK(host::make_symlink("/etc", dir(), "link"));
  EXPECT_ERROR(host::open_at(dir(), "link", OpenMode::kReadOnly), kELOOP);
  EXPECT_ERROR(host::open_at(dir(), "link", OpenMode::kDirectory), kENOTDIR);
}

TEST_F(HostFile, OpeningFifoDoesNotWait) {
  ASSERT_EQ(mkfifo((path_ + "/fifo").c_str(), 0600), 0);
  EXPECT_OK(host::open_at(dir(), "fifo", OpenMode::kReadOnly));
  EXPECT_ERROR(host::open_at(dir(), "fifo", OpenMode::kWriteOnly), kENXIO);
}

TEST_F(HostFile, DirectoryThatMayOnlyBeSearched) {
  if (getuid() == 0) {
    // Root reads every directory: look as somebody else, in a process of its own.
    ASSERT_EQ(chmod(path_.c_str(), 0711), 0);
    ASSERT_EQ(mkdir((path_ + "/d").c_str(), 0711), 0);
    pid_t child = ::fork();
    if (child == 0) {
      bool ok = setresuid(65534, 65534, 65534) == 0;
      auto opened = host::open_at(dir(), "d", OpenMode::kDirectory);
      std::array<std::byte, 256> room;
      ok = ok && opened && host::read_directory(opened->get(), room).is(Errno::kEACCES) &&
           host::status_at(opened->get(), "none").is(Errno::kENOENT);
      _exit(ok ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
}

TEST_F(HostFile, DirectoriesAndRemoval) {
  EXPECT_OK(host::make_directory(dir(), "d", 0755));
  EXPECT_ERROR(host::make_directory(dir(), "d", 0755), kEEXIST);
  EXPECT_ERROR(host::remove_file(dir(), "d"), kEISDIR);
  UniqueFd sub = MUST(host::open_at(dir(), "d", OpenMode::kDirectory));
  EXPECT_OK(host::create_at(sub.get(), "f", 0600));
  EXPECT_ERROR(host::remove_directory(dir(), "d"), kENOTEMPTY);
  EXPECT_OK(host::remove_file(sub.get(), "f"));
  EXPECT_ERROR(host::remove_file(sub.get(), "f"), kENOENT);
  EXPECT_OK(host::remove_directory(dir(), "d"));
}

TEST_F(HostFile, LinksAndRename) {
  create("a");
  EXPECT_OK(host::link(dir(), "a", dir(), "b"));
  EXPECT_EQ(MUST(host::status_at(dir(), "a")).st_nlink, 2u);
  EXPECT_ERROR(host::link(dir(), "a", dir(), "b"), kEEXIST);
  create("c");
  EXPECT_ERROR(host::rename(dir(), "a", dir(), "c", host::RenameMode::kNoReplace), kEEXIST);
  EXPECT_OK(host::rename(dir(), "a", dir(), "c", host::RenameMode::kExchange));
  EXPECT_EQ(MUST(host::status_at(dir(), "c")).st_nlink, 2u);
  EXPECT_OK(host::rename(dir(), "c", dir(), "a", host::RenameMode::kReplace));
  EXPECT_ERROR(host::status_at(dir(), "c"), kENOENT);
}

TEST_F(HostFile, Symlinks) {
  EXPECT_OK(host::make_symlink("to/../where", dir(), "s"));
  char text[64];
  EXPECT_EQ(MUST(host::read_symlink(dir(), "s", text)), 11u);
  EXPECT_EQ(MUST(host::read_symlink(dir(), "s", std::span(text, 2))), 2u);
  EXPECT_TRUE(abi::is_symlink(MUST(host::status_at(dir(), "s")).st_mode));
  EXPECT_ERROR(host::make_symlink("x", dir(), "s"), kEEXIST);
  EXPECT_OK(host::make_symlink(std::string(4095, 't'), dir(), "long"));
  EXPECT_ERROR(host::make_symlink(std::string(4096, 't'), dir(), "longer"), kENAMETOOLONG);
  create("f");
  EXPECT_ERROR(host::read_symlink(dir(), "f", text), kEINVAL);
}

TEST_F(HostFile, UnnamedFileGetsName) {
  auto file = host::create_unnamed(dir(), 0600);
  if (file.is(Errno::kENOTSUP)) GTEST_SKIP() << "no O_TMPFILE here";
  ASSERT_TRUE(file.ok());
  write(file->get(), "text");
  auto linked = host::link_open_file(file->get(), dir(), "named");
  if (linked.is(Errno::kENOENT)) GTEST_SKIP() << "AT_EMPTY_PATH needs privilege here";
  EXPECT_OK(linked);
  EXPECT_EQ(MUST(host::status_at(dir(), "named")).st_size, 4);
  EXPECT_ERROR(host::link_open_file(file->get(), dir(), "named"), kEEXIST);
}

TEST_F(HostFile, StatusAndChanges) {
  UniqueFd file = create("a");
  EXPECT_OK(host::set_mode(file.get(), 0640));
  EXPECT_OK(host::set_owner(file.get(), getuid(), getgid()));
  EXPECT_OK(host::set_times(file.get(), {1000, 5}, {0, abi::kUTIME_OMIT}));
  abi::Stat stat = MUST(host::status(file.get()));
  EXPECT_EQ(stat.st_mode, abi::kS_IFREG | 0640);
  EXPECT_EQ(stat.st_uid, getuid());
  EXPECT_EQ(stat.st_atim.tv_sec, 1000);
  EXPECT_EQ(stat.st_atim.tv_nsec, 5);
  EXPECT_GT(stat.st_mtim.tv_sec, 1000);
  EXPECT_EQ(MUST(host::status_at(dir(), "a")).st_ino, stat.st_ino);
  EXPECT_GT(MUST(host::filesystem_status(file.get())).f_blocks, 0u);
  EXPECT_ERROR(host::set_times(file.get(), {0, -1}, {0, 0}), kEINVAL);
  for (Errno error :
       {error_of(host::status(host::kNoFd)), error_of(host::filesystem_status(host::kNoFd)),
        error_of(host::set_mode(host::kNoFd, 0)), error_of(host::set_owner(host::kNoFd, 0, 0))}) {
    EXPECT_EQ(error, Errno::kEBADF);
  }
}

TEST_F(HostFile, ReadsAndWritesAtOffsets) {
  UniqueFd file = create("a");
  EXPECT_EQ(write(file.get(), "0123456789", u64{5} << 32), 10u);
  std::string first(4, ' '), second(8, ' ');
  std::array pieces{buffer_of(first), buffer_of(second)};
  EXPECT_EQ(MUST(host::read_at(file.get(), pieces, u64{5} << 32)), 10u);
  EXPECT_EQ(first + second, "0123456789  ");
  EXPECT_EQ(MUST(host::read_at(file.get(), pieces, u64{6} << 32)), 0u);
  EXPECT_EQ(MUST(host::read_at(file.get(), {}, 0)), 0u);
  Buffer bad{8, 4};
  EXPECT_ERROR(host::read_at(file.get(), {&bad, 1}, u64{5} << 32), kEFAULT);
  EXPECT_ERROR(host::write_at(file.get(), {&bad, 1}, 0), kEFAULT);
  EXPECT_ERROR(host::read_at(file.get(), pieces, ~u64{0}), kEINVAL);
}

TEST_F(HostFile, SpaceAndRanges) {
  UniqueFd from = create("a"), to = create("b");
  write(from.get(), "hello");
  EXPECT_EQ(MUST(host::copy_range(from.get(), 1, to.get(), 2, 100)), 4u);
  EXPECT_EQ(MUST(host::status(to.get())).st_size, 6);
  EXPECT_ERROR(host::copy_range(from.get(), 0, host::kNoFd, 0, 1), kEBADF);
  EXPECT_OK(host::set_size(from.get(), 1 << 20));
  EXPECT_ERROR(host::set_size(from.get(), ~u64{0}), kEINVAL);
  EXPECT_OK(host::allocate(from.get(), 0, 512 * 1024, 4096));
  EXPECT_ERROR(host::allocate(from.get(), 0, 0, 0), kEINVAL);
  EXPECT_EQ(MUST(host::seek_extent(from.get(), 0, SEEK_HOLE)), 4096u);
  EXPECT_EQ(MUST(host::seek_extent(from.get(), 0, SEEK_DATA)), 0u);
  EXPECT_ERROR(host::seek_extent(from.get(), 2 << 20, SEEK_DATA), kENXIO);
  EXPECT_ERROR(host::seek_extent(from.get(), 0, SEEK_SET), kEINVAL);
  EXPECT_OK(host::sync(from.get(), false));
  EXPECT_OK(host::sync(from.get(), true));
  EXPECT_OK(host::sync_filesystem(dir()));
  EXPECT_OK(host::advise(from.get(), 0, 0, POSIX_FADV_DONTNEED));
  EXPECT_ERROR(host::advise(from.get(), 0, 0, 99), kEINVAL);
}

TEST_F(HostFile, ListsDirectories) {
  create("a");
  create("b");
  UniqueFd list = MUST(host::open_at(dir(), ".", OpenMode::kDirectory));
  alignas(8) std::array<std::byte, 4096> room;
  auto names = [&] {
    std::multiset<std::string> found;
    while (usize size = MUST(host::read_directory(list.get(), room))) {
      for (usize at = 0; at < size;) {
        auto* entry = reinterpret_cast<abi::Dirent64*>(room.data() + at);
        found.insert(reinterpret_cast<char*>(entry) + abi::kDirent64NameOffset);
        at += entry->d_reclen;
      }
    }
    return found;
  };
  const std::multiset<std::string> all{".", "..", "a", "b"};
  EXPECT_EQ(names(), all);
  EXPECT_TRUE(names().empty());
  EXPECT_OK(host::seek_directory(list.get(), 0));
  EXPECT_EQ(names(), all);
  EXPECT_OK(host::seek_directory(list.get(), 0));
  EXPECT_ERROR(host::read_directory(list.get(), std::span(room).first(8)), kEINVAL);
  EXPECT_ERROR(host::read_directory(create("f").get(), room), kENOTDIR);
}

TEST_F(HostFile, Attributes) {
  UniqueFd file = create("a");
  u32 value = 7;
  auto set = host::set_attribute(file.get(), "user.lxss", bytes(value), 0);
  if (set.is(Errno::kENOTSUP)) GTEST_SKIP() << "no extended attributes here";
  EXPECT_OK(set);
  EXPECT_ERROR(host::set_attribute(file.get(), "user.lxss", bytes(value), XATTR_CREATE), kEEXIST);
  u32 copy = 0;
  EXPECT_EQ(MUST(host::get_attribute(file.get(), "user.lxss", bytes(copy))), 4u);
  EXPECT_EQ(copy, 7u);
  EXPECT_EQ(MUST(host::get_attribute(file.get(), "user.lxss", {})), 4u);
  u16 small = 0;
  EXPECT_ERROR(host::get_attribute(file.get(), "user.lxss", bytes(small)), kERANGE);
  char names[64];
  EXPECT_GE(MUST(host::list_attributes(file.get(), names)), sizeof "user.lxss");
  EXPECT_OK(host::remove_attribute(file.get(), "user.lxss"));
  EXPECT_ERROR(host::remove_attribute(file.get(), "user.lxss"), kENODATA);
  EXPECT_ERROR(host::get_attribute(file.get(), "user.lxss", bytes(copy)), kENODATA);
}

TEST_F(HostFile, ExclusiveLock) {
  UniqueFd first = create("lock");
  UniqueFd second = MUST(host::open_at(dir(), "lock", OpenMode::kReadOnly));
  EXPECT_OK(host::lock_exclusively(first.get()));
  EXPECT_ERROR(host::lock_exclusively(second.get()), kEAGAIN);
  first.reset();
  EXPECT_OK(host::lock_exclusively(second.get()));
}

TEST(HostFdDeathTest, ClosingTwiceIsBug) { EXPECT_DEATH(host::close(HostFd(99999)), "kEBADF"); }

struct Pipe {
  Pipe(int flags = 0) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | flags) != 0) std::abort();
    reader = UniqueFd(HostFd(ends[0]));
    writer = UniqueFd(HostFd(ends[1]));
  }
  UniqueFd reader, writer;
};

TEST(HostStream, BlocksUntilDoneAlsoOnNonBlockingDescriptors) {
  for (int flags : {0, O_NONBLOCK}) {
    Pipe pipe(flags);
    std::string in(8, ' '), out = "words";
    Buffer in_piece = buffer_of(in), out_piece = buffer_of(out);
    std::thread reader([&] {
      EXPECT_EQ(MUST(host::read_stream(pipe.reader.get(), {&in_piece, 1})), 5u);
    });
    EXPECT_EQ(MUST(host::write_stream(pipe.writer.get(), {&out_piece, 1})), 5u);
    reader.join();
    EXPECT_EQ(in, "words   ");
    interruption_pending = true;
    EXPECT_ERROR(host::read_stream(pipe.reader.get(), {&in_piece, 1}), kEINTR);
    pipe.writer.reset();
    EXPECT_EQ(MUST(host::read_stream(pipe.reader.get(), {&in_piece, 1})), 0u);
  }
}

TEST(HostStream, BrokenPipeAndControl) {
  signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  std::string text = "abc";
  Buffer piece = buffer_of(text);
  EXPECT_EQ(MUST(host::write_stream(pipe.writer.get(), {&piece, 1})), 3u);
  int unread = 0;
  EXPECT_OK(host::control(pipe.reader.get(), FIONREAD, reinterpret_cast<u64>(&unread)));
  EXPECT_EQ(unread, 3);
  termios modes;
  EXPECT_ERROR(host::control(pipe.reader.get(), TCGETS, reinterpret_cast<u64>(&modes)), kENOTTY);
  EXPECT_ERROR(host::control(pipe.reader.get(), TIOCSTI, reinterpret_cast<u64>("x")), kENOTTY);
  EXPECT_ERROR(host::control(pipe.reader.get(), FIONBIO, reinterpret_cast<u64>(&unread)), kENOTTY);
  pipe.reader.reset();
  EXPECT_ERROR(host::write_stream(pipe.writer.get(), {&piece, 1}), kEPIPE);
}

TEST(HostMemory, MapsAndChangesMemory) {
  constexpr u64 kSize = 4 * kPageSize;
  u64 at = MUST(
      host::map(0, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, host::kNoFd, 0));
  auto* words = reinterpret_cast<volatile u32*>(at);
  words[0] = 42;
  std::array<u8, 4> pages{9, 9, 9, 9};
  EXPECT_OK(host::residency(at, kSize, pages.data()));
  EXPECT_EQ(pages[0], 1);
  EXPECT_EQ(pages[3], 0);
  EXPECT_OK(host::lock_memory(at, kPageSize, 0));
  EXPECT_OK(host::unlock_memory(at, kPageSize));
  EXPECT_OK(host::sync_memory(at, kSize, MS_SYNC));
  EXPECT_OK(host::protect(at, kPageSize, PROT_READ));
  EXPECT_OK(host::protect(at, kPageSize, PROT_READ | PROT_WRITE));
  EXPECT_OK(host::advise_memory(at, kPageSize, MADV_DONTNEED));
  EXPECT_EQ(words[0], 0u);
  words[0] = 43;
  u64 moved = MUST(host::remap(at, kSize, 64 * kPageSize, MREMAP_MAYMOVE, 0));
  EXPECT_EQ(*reinterpret_cast<u32*>(moved), 43u);
  EXPECT_OK(host::unmap(moved, 64 * kPageSize));

  EXPECT_ERROR(host::protect(moved, kPageSize, PROT_READ), kENOMEM);
  EXPECT_ERROR(host::residency(moved, kPageSize, pages.data()), kENOMEM);
  EXPECT_ERROR(host::sync_memory(moved, kPageSize, MS_SYNC), kENOMEM);
  EXPECT_ERROR(host::lock_memory(moved, kPageSize, 0), kENOMEM);
  EXPECT_ERROR(host::unlock_memory(moved, kPageSize), kENOMEM);
  EXPECT_ERROR(host::remap(moved, kPageSize, kSize, 0, 0), kEFAULT);
  EXPECT_ERROR(host::unmap(1, kPageSize), kEINVAL);
  EXPECT_ERROR(host::advise_memory(1, kPageSize, MADV_NORMAL), kEINVAL);
  EXPECT_ERROR(host::map(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, host::kNoFd, 0), kEINVAL);
  EXPECT_ERROR(host::map(0, 1, PROT_READ, MAP_PRIVATE, host::kNoFd, 0), kEBADF);
}

TEST(HostMemory, MemoryObjectIsFileAndMemory) {
  UniqueFd object = MUST(host::create_memory_object("lxss-test"));
  EXPECT_OK(host::set_size(object.get(), kPageSize));
  u64 at = MUST(host::map(0, kPageSize, PROT_READ, MAP_SHARED, object.get(), 0));
  std::string text = "shared";
  Buffer piece = buffer_of(text);
  EXPECT_EQ(MUST(host::write_at(object.get(), {&piece, 1}, 8)), 6u);
  EXPECT_EQ(memcmp(reinterpret_cast<char*>(at) + 8, "shared", 6), 0);
  EXPECT_OK(host::unmap(at, kPageSize));
  EXPECT_ERROR(host::create_memory_object(std::string(300, 'x').c_str()), kEINVAL);
}

TEST(HostMemory, CopiesBetweenProcesses) {
  static u32 theirs = 0;
  theirs = 5;
  Pipe pipe;
  pid_t child = ::fork();
  if (child == 0) {
    pipe.writer.reset();
    char c;
    (void)!read(pipe.reader.get().value, &c, 1);
    _exit(theirs == 6 ? 0 : 1);
  }
  theirs = 1;
  u32 mine = 0;
  Buffer local = buffer_of(&mine, 4), remote = buffer_of(&theirs, 4);
  EXPECT_EQ(MUST(host::read_process_memory(child, local, remote)), 4u);
  EXPECT_EQ(mine, 5u);
  mine = 6;
  EXPECT_EQ(MUST(host::write_process_memory(child, local, remote)), 4u);
  EXPECT_ERROR(host::read_process_memory(child, local, {8, 4}), kEFAULT);
  EXPECT_ERROR(host::write_process_memory(child, local, {8, 4}), kEFAULT);
  pipe.writer.reset();
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_ERROR(host::read_process_memory(child, local, remote), kESRCH);
}

TEST(HostClock, Clocks) {
  u64 before = host::monotonic_ns();
  EXPECT_GT(host::monotonic_ns(), before);
  EXPECT_GE(host::boottime_ns(), before);
  EXPECT_GT(host::realtime_ns(), u64{1'600'000'000} * abi::kNSEC_PER_SEC);
  EXPECT_GT(MUST(host::clock_time(abi::kCLOCK_REALTIME)).tv_sec, 1'600'000'000);
  EXPECT_EQ(MUST(host::clock_resolution(abi::kCLOCK_MONOTONIC)).tv_sec, 0);
  for (i32 clock : {-6, 99}) {
    EXPECT_ERROR(host::clock_time(clock), kEINVAL);
    EXPECT_ERROR(host::clock_resolution(clock), kEINVAL);
  }
}

TEST(HostClock, CpuTime) {
  u64 start = host::thread_cpu_ns(gettid());
  while (host::thread_cpu_ns(gettid()) < start + 1'000'000) {
  }
  EXPECT_GE(host::process_cpu_ns(getpid()), host::thread_cpu_ns(gettid()));
  const u64 before = host::process_cpu_ns(getpid());
  const host::CpuTimes times = host::process_cpu_times(getpid());
  EXPECT_GE(times.user_ns + times.system_ns, before);
  EXPECT_GT(host::usage(abi::kRUSAGE_THREAD).ru_utime.tv_usec +
                host::usage(abi::kRUSAGE_THREAD).ru_stime.tv_usec,
            0);
  pid_t child = ::fork();
  if (child == 0) {
    for (;;) pause();
  }
  while (host::process_cpu_ns(child) == 0) sched_yield();
  EXPECT_EQ(host::thread_cpu_ns(child), 0u) << "a thread of another process";
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(host::process_cpu_ns(child), 0u);
}

TEST(HostClock, Randomness) {
  std::vector<std::byte> noise(100'000);
  host::random_bytes(noise);
  EXPECT_GT(std::set<std::byte>(noise.begin(), noise.end()).size(), 250u);
  host::random_bytes({});
}

TEST(HostClock, Cpus) {
  std::array<u64, 16> mask;
  mask.fill(~u64{0});
  host::allowed_cpus(mask);
  EXPECT_EQ(mask[15], 0u);
  host::Cpu cpu = host::current_cpu();
  EXPECT_TRUE(mask[cpu.cpu / 64] >> (cpu.cpu % 64) & 1);
  EXPECT_OK(host::set_allowed_cpus(0, mask));
  std::array<u64, 1> none{0};
  EXPECT_ERROR(host::set_allowed_cpus(0, none), kEINVAL);
  host::yield_cpu();
}

TEST(HostClock, MachineFiles) {
  char text[256];
  EXPECT_ERROR(host::machine_text("cpuinfo", 0, text), kENOENT) << "not opened yet";
  EXPECT_EQ(host::machine_memory().total, 0u);
  host::open_machine_files();
  for (const char* name : {"cpuinfo", "stat", "loadavg", "meminfo", "vmstat", "diskstats"}) {
    EXPECT_GT(MUST(host::machine_text(name, 0, text)), 0u) << name;
    EXPECT_EQ(MUST(host::machine_text(name, 1 << 30, text)), 0u) << name;
  }
  EXPECT_EQ(MUST(host::machine_text("meminfo", 3, std::span(text, 5))), 5u);
  EXPECT_EQ(std::string_view(text, 5), "Total");
  EXPECT_ERROR(host::machine_text("kcore", 0, text), kENOENT);
  host::MachineMemory memory = host::machine_memory();
  EXPECT_GT(memory.total, memory.available);
  EXPECT_GT(memory.available, 0u);
  EXPECT_GT(memory.free, 0u);
  EXPECT_GT(memory.cached, 0u);
}

TEST(HostWait, WordsBetweenProcesses) {
  void* shared =
      mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* word = new (shared) std::atomic<u32>(0);
  auto* raw = reinterpret_cast<const u32*>(word);
  EXPECT_ERROR(host::wait_word(raw, 1, {}), kEAGAIN);
  EXPECT_ERROR(host::wait_word(raw, 0, 0), kETIMEDOUT);
  u64 deadline = host::monotonic_ns() + 2'000'000;
  EXPECT_ERROR(host::wait_word(raw, 0, deadline), kETIMEDOUT);
  EXPECT_GE(host::monotonic_ns(), deadline);
  pid_t child = ::fork();
  if (child == 0) {
    while (word->load() == 0) (void)host::wait_word(raw, 0, {});
    _exit(0);
  }
  word->store(1);
  host::wake_word(raw, ~u32{0});
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  munmap(shared, kPageSize);
}

TEST(HostWait, Poll) {
  Pipe pipe;
  abi::PollFd fds[] = {{pipe.reader.get().value, POLLIN, 0}, {pipe.writer.get().value, 0, 0}};
  interruption_pending = true;
  EXPECT_EQ(MUST(host::poll(fds, 0)), 0u) << "only looks";
  EXPECT_ERROR(host::poll(fds, {}), kEINTR);
  u64 deadline = host::monotonic_ns() + 2'000'000;
  EXPECT_EQ(MUST(host::poll(fds, deadline)), 0u);
  EXPECT_GE(host::monotonic_ns(), deadline);
  (void)!write(pipe.writer.get().value, "x", 1);
  EXPECT_EQ(MUST(host::poll(fds, {})), 1u);
  EXPECT_EQ(fds[0].revents, POLLIN);
}

TEST(HostWait, SleepUntil) {
  u64 deadline = host::monotonic_ns() + 2'000'000;
  abi::Timespec until{i64(deadline / abi::kNSEC_PER_SEC), i64(deadline % abi::kNSEC_PER_SEC)};
  EXPECT_OK(host::sleep_until(abi::kCLOCK_MONOTONIC, until));
  EXPECT_GE(host::monotonic_ns(), deadline);
  interruption_pending = true;
  EXPECT_ERROR(host::sleep_until(abi::kCLOCK_MONOTONIC, until), kEINTR);
  EXPECT_ERROR(host::sleep_until(abi::kCLOCK_MONOTONIC, {0, -1}), kEINVAL);
  EXPECT_ERROR(host::sleep_until(-6, until), kEINVAL);
}

TEST(HostWait, SignalEndsSleep) {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  sigaction(SIGUSR1, &action, nullptr);
  std::atomic<bool> done = false;
  std::thread sleeper([&] {
    EXPECT_ERROR(host::sleep_until(abi::kCLOCK_MONOTONIC, {i64{1} << 40, 0}), kEINTR);
    done = true;
  });
  while (!done) {
    pthread_kill(sleeper.native_handle(), SIGUSR1);
    sched_yield();
  }
  sleeper.join();
}

TEST(HostWait, UserFutex) {
  u32 word = 3, other = 0;
  UserAddr at(reinterpret_cast<u64>(&word)), at2(reinterpret_cast<u64>(&other));
  abi::Timespec soon{0, 1'000'000};
  u64 timeout = reinterpret_cast<u64>(&soon);
  EXPECT_ERROR(host::user_futex(at, FUTEX_WAIT, 4, 0, {}, 0), kEAGAIN);
  EXPECT_ERROR(host::user_futex(at, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 3, timeout, {}, 0),
               kETIMEDOUT);
  EXPECT_ERROR(host::user_futex(UserAddr(8), FUTEX_WAIT, 3, 0, {}, 0), kEFAULT);
  EXPECT_EQ(MUST(host::user_futex(at, FUTEX_WAKE, 1, 0, {}, 0)), 0u);
  EXPECT_ERROR(host::user_futex(at, FUTEX_CMP_REQUEUE, 1, 1, at2, 4), kEAGAIN);
  EXPECT_EQ(MUST(host::user_futex(at, FUTEX_WAKE_OP, 1, 1, at2, FUTEX_OP(FUTEX_OP_SET, 9, 0, 0))),
            0u);
  EXPECT_EQ(other, 9u);
  EXPECT_ERROR(host::user_futex(at, FUTEX_LOCK_PI, 0, 0, {}, 0), kENOSYS);
  interruption_pending = true;
  EXPECT_ERROR(host::user_futex(at, FUTEX_WAIT, 3, 0, {}, 0), kEINTR);
}

class HostSocket : public testing::TestWithParam<i32> {
 protected:
  struct Address {
    abi::SockaddrStorage storage{};
    usize size = sizeof storage;
    std::span<std::byte> room() { return bytes(storage); }
    std::span<const std::byte> view() { return bytes(storage).first(size); }
  };

  Address loopback() {
    Address address;
    if (GetParam() == AF_INET) {
      abi::SockaddrIn in{.sin_family = AF_INET,
                         .sin_port = 0,
                         .sin_addr = {htonl(INADDR_LOOPBACK)},
                         .sin_zero = {}};
      address.size = sizeof in;
      memcpy(&address.storage, &in, sizeof in);
    } else {
      abi::SockaddrIn6 in{};
      in.sin6_family = AF_INET6;
      in.sin6_addr.addr[15] = 1;
      address.size = sizeof in;
      memcpy(&address.storage, &in, sizeof in);
    }
    return address;
  }

  /// A socket bound to a free loopback port; `address` becomes it.
  UniqueFd bound(i32 type, Address& address) {
    UniqueFd socket = MUST(host::create_socket(GetParam(), type, 0));
    address = loopback();
    (void)host::bind(socket.get(), address.view());
    address.size = MUST(host::local_address(socket.get(), address.room()));
    return socket;
  }

  static void wait_for(const UniqueFd& socket, i16 events) {
    abi::PollFd fd{socket.get().value, events, 0};
    EXPECT_EQ(MUST(host::poll({&fd, 1}, host::monotonic_ns() + 5'000'000'000)), 1u);
  }

  void SetUp() override {
    UniqueFd probe = MUST(host::create_socket(GetParam(), SOCK_DGRAM, 0));
    if (!host::bind(probe.get(), loopback().view())) GTEST_SKIP() << "no loopback address";
  }
};

TEST_P(HostSocket, Stream) {
  Address address, peer;
  UniqueFd listener = bound(SOCK_STREAM, address);
  EXPECT_ERROR(host::accept(listener.get(), {}), kEINVAL);
  EXPECT_OK(host::listen(listener.get(), 5));
  EXPECT_ERROR(host::accept(listener.get(), {}), kEAGAIN);
  UniqueFd client = MUST(host::create_socket(GetParam(), SOCK_STREAM, 0));
  EXPECT_ERROR(host::peer_address(client.get(), peer.room()), kENOTCONN);
  auto connecting = host::connect(client.get(), address.view());
  EXPECT_TRUE(connecting || connecting.is(Errno::kEINPROGRESS));
  wait_for(client, POLLOUT);
  wait_for(listener, POLLIN);
  host::Accepted accepted = MUST(host::accept(listener.get(), peer.room()));
  EXPECT_EQ(accepted.address_size, address.size);
  EXPECT_EQ(fcntl(accepted.socket.get().value, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  EXPECT_EQ(fcntl(accepted.socket.get().value, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  Address name;
  EXPECT_EQ(MUST(host::local_address(client.get(), name.room())), peer.size = address.size);
  EXPECT_EQ(memcmp(&name.storage, &peer.storage, address.size), 0);
  EXPECT_EQ(MUST(host::peer_address(client.get(), bytes(name.storage).first(2))), address.size);

  std::string one = "hel", two = "lo";
  std::array pieces{buffer_of(one), buffer_of(two)};
  EXPECT_EQ(MUST(host::send(client.get(), {{}, pieces, {}}, {})), 5u);
  wait_for(accepted.socket, POLLIN);
  i32 number = 0;
  EXPECT_OK(host::socket_control(accepted.socket.get(), abi::kFIONREAD, bytes(number)));
  EXPECT_EQ(number, 5);
  EXPECT_OK(host::socket_control(accepted.socket.get(), abi::kSIOCATMARK, bytes(number)));
  EXPECT_EQ(number, 0);
  EXPECT_OK(host::socket_control(client.get(), abi::kSIOCOUTQ, bytes(number)));
  std::string in(8, ' ');
  Buffer room = buffer_of(in);
  EXPECT_EQ(
      MUST(host::receive(accepted.socket.get(), {{}, {&room, 1}, {}}, abi::MsgFlag::kMSG_PEEK))
          .size,
      5u);
  host::Received got = MUST(host::receive(accepted.socket.get(), {{}, {&room, 1}, {}}, {}));
  EXPECT_EQ(got.size, 5u);
  EXPECT_EQ(got.address_size + got.control_size, 0u);
  EXPECT_EQ(in, "hello   ");
  EXPECT_ERROR(host::receive(accepted.socket.get(), {{}, {&room, 1}, {}}, {}), kEAGAIN);
  Buffer bad{8, 4};
  EXPECT_ERROR(host::send(client.get(), {{}, {&bad, 1}, {}}, {}), kEFAULT);

  EXPECT_OK(host::shutdown(client.get(), SHUT_WR));
  signal(SIGPIPE, SIG_DFL);
  EXPECT_ERROR(host::send(client.get(), {{}, pieces, {}}, {}), kEPIPE) << "and no SIGPIPE";
  wait_for(accepted.socket, POLLIN);
  EXPECT_EQ(MUST(host::receive(accepted.socket.get(), {{}, {&room, 1}, {}}, {})).size, 0u);
  EXPECT_ERROR(host::shutdown(client.get(), 9), kEINVAL);
}

TEST_P(HostSocket, DatagramWithAddressAndControlData) {
  Address here, there, from;
  UniqueFd receiver = bound(SOCK_DGRAM, there), sender = bound(SOCK_DGRAM, here);
  const bool v4 = GetParam() == AF_INET;
  i32 on = 1;
  const i32 level = v4 ? abi::kSOL_IP : abi::kSOL_IPV6;
  EXPECT_OK(host::set_option(receiver.get(), level, v4 ? abi::kIP_RECVTTL : abi::kIPV6_RECVHOPLIMIT,
                             bytes(on)));
  struct {
    abi::CmsgHdr header;
    i32 value;
    u32 padding;
  } ttl{{abi::cmsg_len(4), level, v4 ? abi::kIP_TTL : abi::kIPV6_HOPLIMIT}, 33, 0}, seen{};
  std::string text = "datagram", in(4, ' ');
  Buffer piece = buffer_of(text), room = buffer_of(in);
  EXPECT_EQ(MUST(host::send(sender.get(), {there.view(), {&piece, 1}, bytes(ttl)},
                            abi::MsgFlag::kMSG_CONFIRM)),
            8u);
  wait_for(receiver, POLLIN);
  host::Received got = MUST(host::receive(receiver.get(), {from.room(), {&room, 1}, bytes(seen)},
                                          abi::MsgFlag::kMSG_TRUNC));
  EXPECT_EQ(got.size, 8u);
  EXPECT_EQ(in, "data");
  EXPECT_TRUE(got.flags.has(abi::MsgFlag::kMSG_TRUNC));
  EXPECT_EQ(got.address_size, here.size);
  EXPECT_EQ(memcmp(&from.storage, &here.storage, here.size), 0);
  EXPECT_EQ(got.control_size, sizeof seen);
  EXPECT_EQ(seen.value, 33);
  EXPECT_ERROR(host::send(sender.get(), {{}, {&piece, 1}, {}}, {}), kEDESTADDRREQ);
  EXPECT_OK(host::connect(sender.get(), there.view()));
  u16 unspecified[8] = {AF_UNSPEC};
  EXPECT_OK(host::connect(sender.get(), std::as_bytes(std::span(unspecified))));
  EXPECT_ERROR(host::listen(sender.get(), 1), kENOTSUP);
}

TEST_P(HostSocket, Errors) {
  Address address;
  UniqueFd first = bound(SOCK_STREAM, address);
  UniqueFd second = MUST(host::create_socket(GetParam(), SOCK_STREAM, 0));
  EXPECT_ERROR(host::bind(second.get(), address.view()), kEADDRINUSE);
  EXPECT_ERROR(host::bind(second.get(), {}), kEINVAL);
  auto connecting = host::connect(second.get(), address.view());
  if (connecting.is(Errno::kEINPROGRESS)) {
    wait_for(second, POLLOUT);
    i32 error = 0;
    EXPECT_EQ(MUST(host::get_option(second.get(), SOL_SOCKET, SO_ERROR, bytes(error))), 4u);
    EXPECT_EQ(error, ECONNREFUSED);
  } else {
    EXPECT_ERROR(connecting, kECONNREFUSED);
  }
  EXPECT_ERROR(host::shutdown(first.get(), SHUT_RD), kENOTCONN);
  i32 value = 0;
  EXPECT_ERROR(host::get_option(first.get(), SOL_SOCKET, 9999, bytes(value)), kENOPROTOOPT);
  EXPECT_ERROR(host::set_option(first.get(), SOL_SOCKET, SO_ATTACH_BPF, bytes(value)),
               kENOPROTOOPT);
  EXPECT_ERROR(host::get_option(first.get(), IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, bytes(value)),
               kENOPROTOOPT);
  EXPECT_ERROR(host::create_socket(GetParam(), SOCK_RAW, IPPROTO_ICMP), kEPERM);
  EXPECT_ERROR(host::create_socket(GetParam(), SOCK_SEQPACKET, 0), kESOCKTNOSUPPORT);
  EXPECT_ERROR(host::create_socket(GetParam(), SOCK_STREAM, IPPROTO_UDP), kEPROTONOSUPPORT);
  EXPECT_ERROR(host::create_socket(AF_UNIX, SOCK_STREAM, 0), kEAFNOSUPPORT);
  i32 icmp = GetParam() == AF_INET ? abi::kIPPROTO_ICMP : abi::kIPPROTO_ICMPV6;
  auto echo = host::create_socket(GetParam(), SOCK_DGRAM, icmp);
  EXPECT_TRUE(echo || echo.is(Errno::kEACCES)) << "as net.ipv4.ping_group_range says";
}

TEST_P(HostSocket, InterfaceQueries) {
  UniqueFd socket = MUST(host::create_socket(GetParam(), SOCK_DGRAM, 0));
  abi::Ifreq request{};
  strcpy(request.ifr_name, "lo");
  EXPECT_OK(host::socket_control(socket.get(), abi::kSIOCGIFFLAGS, bytes(request)));
  EXPECT_TRUE(request.flags & abi::kIFF_LOOPBACK);
  strcpy(request.ifr_name, "none");
  EXPECT_ERROR(host::socket_control(socket.get(), abi::kSIOCGIFINDEX, bytes(request)), kENODEV);
  std::array<abi::Ifreq, 8> all;
  abi::Ifconf list{sizeof all, 0, reinterpret_cast<u64>(all.data())};
  EXPECT_OK(host::socket_control(socket.get(), abi::kSIOCGIFCONF, bytes(list)));
  EXPECT_GE(list.ifc_len, i32{sizeof(abi::Ifreq)});
  EXPECT_ERROR(host::socket_control(socket.get(), abi::kSIOCSIFFLAGS, bytes(request)), kENOTTY);
  EXPECT_ERROR(host::socket_control(socket.get(), abi::kFIONREAD, bytes(request)), kEINVAL);
}

INSTANTIATE_TEST_SUITE_P(Families, HostSocket, testing::Values(AF_INET, AF_INET6));

}  // namespace
}  // namespace lxss
