// Times single system calls and small combinations of them, in a fresh directory under $TMPDIR or
// /tmp. Prints one JSON line for each: {"name": ..., "ns": cost of one}.
// `syscalls NAME...` measures only those; `syscalls --exit` is the program that exec measures.
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstring>

#include "measure.h"

using namespace bench;

namespace {

constexpr long kRowNs = 70'000'000;
constexpr size_t kPage = 4096;

class Rows {
 public:
  Rows(int argc, char** argv) : wanted_(argv + 1, argv + argc) {}

  /// `make` sets up and returns the operation; it is not called for what is not wanted.
  void measure(const char* name, const std::function<Operation()>& make) const {
    if (!wanted_.empty() && std::find(wanted_.begin(), wanted_.end(), name) == wanted_.end())
      return;
    std::printf("{\"name\": \"%s\", \"ns\": %.1f}\n", name, cost_ns(make(), kRowNs));
    std::fflush(stdout);
  }

 private:
  std::vector<std::string> wanted_;
};

int open_file(const char* name) {
  const int fd = open(name, O_RDWR | O_CREAT, 0644);
  REQUIRE(fd >= 0);
  return fd;
}

int full_page_file() {
  static const std::string page(kPage, 'x');
  const int fd = open_file("page");
  REQUIRE(pwrite(fd, page.data(), kPage, 0) == static_cast<ssize_t>(kPage));
  return fd;
}

/// A child that sends every byte back until its input ends.
struct Echo {
  Echo(int read_here, int write_here, int read_there, int write_there)
      : in(read_here), out(write_here) {
    child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      close(write_here);
      char byte;
      while (read(read_there, &byte, 1) == 1) REQUIRE(write(write_there, &byte, 1) == 1);
      _exit(0);
    }
    close(read_there);
    if (write_there != read_there) close(write_there);
  }
  void round_trip() const {
    char byte = 'x';
    REQUIRE(write(out, &byte, 1) == 1);
    REQUIRE(read(in, &byte, 1) == 1);
  }
  int in, out;
  pid_t child;
};

void measure_plain(const Rows& rows) {
  rows.measure("getppid", [] { return [] { syscall(SYS_getppid); }; });
  rows.measure("clock_gettime_vdso", [] {
    return [] {
      timespec time;
      clock_gettime(CLOCK_MONOTONIC, &time);
    };
  });
  rows.measure("signal_to_self", [] {
    signal(SIGUSR1, [](int) {});
    return [] { kill(getpid(), SIGUSR1); };
  });
  rows.measure("futex_wake_nobody", [] {
    return [] {
      static int word;
      syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
    };
  });
}

void measure_files(const Rows& rows) {
  rows.measure("read_4k", [] {
    return [fd = full_page_file()] {
      char buffer[kPage];
      lseek(fd, 0, SEEK_SET);
      REQUIRE(read(fd, buffer, kPage) == static_cast<ssize_t>(kPage));
    };
  });
  rows.measure("pread_4k", [] {
    return [fd = full_page_file()] {
      char buffer[kPage];
      REQUIRE(pread(fd, buffer, kPage, 0) == static_cast<ssize_t>(kPage));
    };
  });
  rows.measure("pwrite_4k", [] {
    return [fd = full_page_file()] {
      static const char buffer[kPage] = {};
      REQUIRE(pwrite(fd, buffer, kPage, 0) == static_cast<ssize_t>(kPage));
    };
  });
  rows.measure("stat", [] {
    close(open_file("file"));
    return [] {
      struct stat status;
      REQUIRE(stat("file", &status) == 0);
    };
  });
  rows.measure("fstat", [] {
    return [fd = open_file("file")] {
      struct stat status;
      REQUIRE(fstat(fd, &status) == 0);
    };
  });
  rows.measure("open_close", [] {
    close(open_file("file"));
    return [] { close(open("file", O_RDONLY)); };
  });
  rows.measure("open_missing", [] { return [] { REQUIRE(open("missing", O_RDONLY) == -1); }; });
  rows.measure("create_unlink", [] {
    return [] {
      close(open_file("short_lived"));
      REQUIRE(unlink("short_lived") == 0);
    };
  });
  rows.measure("access", [] {
    close(open_file("file"));
    return [] { REQUIRE(access("file", R_OK) == 0); };
  });
  rows.measure("readlink", [] {
    REQUIRE(symlink("file", "link") == 0);
    return [] {
      char target[64];
      REQUIRE(readlink("link", target, sizeof target) == 4);
    };
  });
  rows.measure("getcwd", [] {
    return [] {
      char path[kPage];
      REQUIRE(getcwd(path, sizeof path) != nullptr);
    };
  });
  rows.measure("getdents_100", [] {
    REQUIRE(mkdir("hundred", 0755) == 0);
    for (int i = 0; i < 100; ++i) close(open_file(("hundred/file" + std::to_string(i)).c_str()));
    return [fd = open("hundred", O_RDONLY | O_DIRECTORY)] {
      char buffer[32768];
      lseek(fd, 0, SEEK_SET);
      while (syscall(SYS_getdents64, fd, buffer, sizeof buffer) > 0) {
      }
    };
  });
}

void measure_memory(const Rows& rows) {
  constexpr int kProtection = PROT_READ | PROT_WRITE;
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;
  rows.measure("mmap_touch_munmap", [] {
    return [] {
      auto* page = static_cast<volatile char*>(mmap(nullptr, kPage, kProtection, kFlags, -1, 0));
      *page = 1;
      munmap(const_cast<char*>(page), kPage);
    };
  });
  rows.measure("page_fault", [] {
    constexpr size_t kPages = 256;
    auto* memory =
        static_cast<volatile char*>(mmap(nullptr, kPages * kPage, kProtection, kFlags, -1, 0));
    return [memory, next = kPages]() mutable {
      if (next == kPages) {
        madvise(const_cast<char*>(memory), kPages * kPage, MADV_DONTNEED);
        next = 0;
      }
      memory[next++ * kPage] = 1;
    };
  });
  rows.measure("brk", [] {
    return [start = syscall(SYS_brk, 0)] {
      syscall(SYS_brk, start + kPage);
      syscall(SYS_brk, start);
    };
  });
}

void measure_processes(const Rows& rows, const std::string& self) {
  rows.measure("fork_exit_wait", [] { return fork_and_wait; });
  rows.measure("vfork_exec_wait", [&] {
    return [path = self.c_str()] {
      const pid_t child = vfork();
      if (child == 0) {
        execl(path, "syscalls", "--exit", nullptr);
        _exit(1);
      }
      reap(child);
    };
  });
  rows.measure("posix_spawn_wait", [&] {
    return [path = self.c_str()] {
      const char* arguments[] = {"syscalls", "--exit", nullptr};
      pid_t child;
      REQUIRE(posix_spawn(&child, path, nullptr, nullptr, const_cast<char**>(arguments), environ) ==
              0);
      reap(child);
    };
  });
  rows.measure("thread_create_join", [] {
    return [] {
      pthread_t thread;
      pthread_create(
          &thread, nullptr, [](void*) -> void* { return nullptr; }, nullptr);
      pthread_join(thread, nullptr);
    };
  });
}

void measure_communication(const Rows& rows) {
  rows.measure("pipe_in_process", [] {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    return [in = ends[0], out = ends[1]] {
      char byte = 'x';
      REQUIRE(write(out, &byte, 1) == 1);
      REQUIRE(read(in, &byte, 1) == 1);
    };
  });
  rows.measure("pipe_ping_pong", [] {
    int forth[2], back[2];
    REQUIRE(pipe(forth) == 0);
    REQUIRE(pipe(back) == 0);
    return [echo = Echo(back[0], forth[1], forth[0], back[1])] { echo.round_trip(); };
  });
  rows.measure("unix_socket_ping_pong", [] {
    int pair[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    return [echo = Echo(pair[0], pair[0], pair[1], pair[1])] { echo.round_trip(); };
  });
  rows.measure("poll", [] {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    return [fd = ends[0]] {
      pollfd poller = {fd, POLLIN, 0};
      REQUIRE(poll(&poller, 1, 0) == 0);
    };
  });
  rows.measure("epoll_wait", [] {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const int epoll = epoll_create1(0);
    epoll_event event = {.events = EPOLLIN, .data = {}};
    REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0);
    return [epoll] {
      epoll_event seen;
      REQUIRE(epoll_wait(epoll, &seen, 1, 0) == 0);
    };
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--exit") == 0) return 0;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const char* base = std::getenv("TMPDIR");
  std::string directory = std::string(base ? base : "/tmp") + "/lxss-bench.XXXXXX";
  REQUIRE(mkdtemp(directory.data()) != nullptr);
  REQUIRE(chdir(directory.c_str()) == 0);
  const Rows rows(argc, argv);
  measure_plain(rows);
  measure_files(rows);
  measure_memory(rows);
  measure_processes(rows, self);
  measure_communication(rows);
  std::filesystem::remove_all(directory);
}
