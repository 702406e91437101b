// Operations to be counted from outside: how many calls each asks of the host. A request is
// `ROW COUNT`; the program repeats the row's operation that often and answers {"done": COUNT}. Its
// name, by which the counter finds it on the host, is the program's argument.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <map>
#include <memory>

#include "connection.h"
#include "measure.h"

using namespace bench;

namespace {

constexpr size_t kPage = 4096;
constexpr int kReady = 16;
constexpr int kPages = 64;

int page_file(const char* name) {
  static const std::string pages(kPages * kPage, 'x');
  const int fd = open(name, O_RDWR | O_CREAT, 0644);
  REQUIRE(fd >= 0 &&
          pwrite(fd, pages.data(), pages.size(), 0) == kPages * static_cast<ssize_t>(kPage));
  return fd;
}

Operation transfer(int from, int to, size_t size) {
  return [from, to, size] {
    char buffer[kPage] = {};
    REQUIRE(send(from, buffer, size, 0) == static_cast<ssize_t>(size));
    REQUIRE(recv(to, buffer, size, MSG_WAITALL) == static_cast<ssize_t>(size));
  };
}

/// Finds all of the sockets readable; none of them is read.
Operation wait_for_ready() {
  return [epoll = ready_sockets(kReady)] {
    epoll_event seen[kReady];
    REQUIRE(epoll_wait(epoll, seen, kReady, -1) == kReady);
  };
}

/// What a server does for each request: learns of it, reads it, answers, learns of nothing more.
/// The client's half, one call to send and one to receive, is included.
Operation served_request() {
  const Connection connection{Listener()};
  const int epoll = epoll_create1(0);
  watch(epoll, connection.server);
  return [epoll, connection] {
    char buffer[64] = {};
    epoll_event seen;
    REQUIRE(send(connection.client, buffer, 30, 0) == 30);
    REQUIRE(epoll_wait(epoll, &seen, 1, -1) == 1);
    REQUIRE(recv(connection.server, buffer, sizeof buffer, 0) == 30);
    REQUIRE(send(connection.server, buffer, 5, 0) == 5);
    REQUIRE(recv(connection.client, buffer, sizeof buffer, 0) == 5);
  };
}

const std::map<std::string, std::function<Operation()>> kRows = {
    {"read-4K",
     [] {
       return [fd = page_file("page"), at = 0]() mutable {
         char buffer[kPage];
         if (at++ % kPages == 0) lseek(fd, 0, SEEK_SET);
         REQUIRE(read(fd, buffer, kPage) == static_cast<ssize_t>(kPage));
       };
     }},
    {"pread-4K",
     [] {
       return [fd = page_file("page")] {
         char buffer[kPage];
         REQUIRE(pread(fd, buffer, kPage, 0) == static_cast<ssize_t>(kPage));
       };
     }},
    {"write-4K",
     [] {
       return [fd = page_file("page"), at = 0]() mutable {
         static const char buffer[kPage] = {};
         if (at++ % kPages == 0) lseek(fd, 0, SEEK_SET);
         REQUIRE(write(fd, buffer, kPage) == static_cast<ssize_t>(kPage));
       };
     }},
    {"stat",
     [] {
       close(page_file("page"));
       return [] {
         struct stat status;
         REQUIRE(stat("page", &status) == 0);
       };
     }},
    {"open+close",
     [] {
       close(page_file("page"));
       return [] { close(open("page", O_RDONLY)); };
     }},
    {"open+read+close",
     [] {
       close(page_file("page"));
       return [] {
         char buffer[kPage];
         const int fd = open("page", O_RDONLY);
         REQUIRE(read(fd, buffer, kPage) == static_cast<ssize_t>(kPage));
         close(fd);
       };
     }},
    {"create+close+unlink",
     [] {
       return [] {
         REQUIRE(close(open("short_lived", O_RDWR | O_CREAT | O_EXCL, 0644)) == 0);
         REQUIRE(unlink("short_lived") == 0);
       };
     }},
    {"mkdir+rmdir", [] { return [] { REQUIRE(mkdir("d", 0755) == 0 && rmdir("d") == 0); }; }},
    {"rename",
     [] {
       close(page_file("a"));
       return [] { REQUIRE(rename("a", "b") == 0 && rename("b", "a") == 0); };
     }},
    {"pipe-1B",
     [] {
       int ends[2];
       REQUIRE(pipe(ends) == 0);
       return [in = ends[1], out = ends[0]] {
         char byte = 'x';
         REQUIRE(write(in, &byte, 1) == 1 && read(out, &byte, 1) == 1);
       };
     }},
    {"unix-send+recv",
     [] {
       int ends[2];
       REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
       return transfer(ends[0], ends[1], 1);
     }},
    {"tcp-send+recv",
     [] {
       const Connection connection{Listener()};
       return transfer(connection.client, connection.server, 100);
     }},
    {"tcp-connect+accept+close",
     [] {
       return [listener = std::make_shared<Listener>()] {
         const Connection connection(*listener);
         close(connection.client);
         close(connection.server);
       };
     }},
    {"epoll_wait-16-ready", wait_for_ready},
    {"served-request", served_request},
    {"mmap-cycle",
     [] {
       return [] {
         void* page =
             mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         *static_cast<volatile char*>(page) = 1;
         REQUIRE(munmap(page, kPage) == 0);
       };
     }},
    {"fork+wait", [] { return fork_and_wait; }},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) prctl(PR_SET_NAME, argv[1]);
  std::map<std::string, Operation> made;
  serve([&](std::istringstream& request) {
    std::string row;
    long count;
    REQUIRE(static_cast<bool>(request >> row >> count));
    if (!made.contains(row)) made[row] = kRows.at(row)();
    for (long i = 0; i < count; ++i) made[row]();
    return "{\"done\": " + std::to_string(count) + "}";
  });
}
