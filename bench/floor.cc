// What the host's part of an operation costs: the calls that lxcore makes of the host, under its
// filter and with a descriptor table that another process shares, in a program that is native
// otherwise. A request is `ROW VARIANT MILLISECONDS`, the answer {"ns": cost of one operation}.
//
// Variants: `program` is what a program calls; `calls` what lxcore calls instead, and `table`,
// `filter` and `floor` (both) what is around it.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <map>

#include "connection.h"
#include "measure.h"
#include "pico/direct/filter.h"

void lxss::panic(const char* file, int line, const char* message) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message);
  std::abort();
}

using namespace bench;

/// From the linker: all code of this program, which stands for the kernel's text.
extern "C" const char __executable_start[], etext[];

namespace {

constexpr size_t kPage = 4096;
constexpr ssize_t kWhole = kPage;
constexpr int kPages = 64;
constexpr int kReady = 16;

// `syscall` keeps the number in sight: the C library takes others for the same function.
long host(long number, auto... arguments) { return syscall(number, arguments...); }

int page_file() {
  static const std::string pages(kPages * kPage, 'x');
  const int fd = open("page", O_RDWR | O_CREAT, 0644);
  REQUIRE(fd >= 0 && pwrite(fd, pages.data(), pages.size(), 0) == kPages * kWhole);
  return fd;
}

/// At the end of the file again at its beginning.
Operation sequential(long number) {
  return [number, fd = page_file(), at = 0]() mutable {
    char buffer[kPage];
    if (at++ % kPages == 0) lseek(fd, 0, SEEK_SET);
    REQUIRE(host(number, fd, buffer, kPage) == kWhole);
  };
}

Operation positioned(long number) {
  return [number, fd = page_file(), at = 0]() mutable {
    char buffer[kPage];
    at = (at + 1) % kPages;
    REQUIRE(host(number, fd, buffer, kPage, at * kPage) == kWhole);
  };
}

void send_message(int fd, char* data, size_t size) {
  iovec part = {data, size};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  REQUIRE(host(SYS_sendmsg, fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == long(size));
}

void receive_message(int fd, char* data, size_t size) {
  iovec part = {data, size};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  REQUIRE(host(SYS_recvmsg, fd, &message, MSG_DONTWAIT) == long(size));
}

void send_data(int fd, char* data, size_t size) { REQUIRE(send(fd, data, size, 0) == long(size)); }
void receive_data(int fd, char* data, size_t size) {
  REQUIRE(recv(fd, data, size, 0) == long(size));
}

template <auto kSend, auto kReceive>
Operation tcp() {
  return [connection = Connection(Listener())] {
    char buffer[100] = {};
    kSend(connection.client, buffer, sizeof buffer);
    kReceive(connection.server, buffer, sizeof buffer);
  };
}

template <auto kSend, auto kReceive>
Operation served_request() {
  const Connection connection{Listener()};
  const int epoll = epoll_create1(0);
  watch(epoll, connection.server);
  return [connection, epoll] {
    char buffer[100] = {};
    epoll_event seen;
    kSend(connection.client, buffer, 30);
    REQUIRE(host(SYS_epoll_pwait, epoll, &seen, 1, -1, nullptr, 8) == 1);
    kReceive(connection.server, buffer, 30);
    kSend(connection.server, buffer, 5);
    kReceive(connection.client, buffer, 5);
  };
}

Operation epoll_ready() {
  return [epoll = ready_sockets(kReady)] {
    epoll_event seen[kReady];
    REQUIRE(host(SYS_epoll_pwait, epoll, seen, kReady, -1, nullptr, 8) == kReady);
  };
}

Operation accept_one() {
  return [listener = Listener()] {
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(host(SYS_connect, client, &listener.address, sizeof listener.address) == 0);
    close(static_cast<int>(host(SYS_accept4, listener.fd, nullptr, nullptr, 0)));
    close(client);
  };
}

Operation open_read_close() {
  close(page_file());
  return [] {
    char buffer[kPage];
    const int fd = open("page", O_RDONLY);
    REQUIRE(read(fd, buffer, kPage) == kWhole);
    close(fd);
  };
}

constexpr int kCreate = O_RDWR | O_CREAT | O_EXCL;

Operation create_unlink() {
  return [] {
    REQUIRE(close(open("short_lived", kCreate, 0644)) == 0);
    REQUIRE(unlink("short_lived") == 0);
  };
}

/// With the record that VolFs keeps beside each file.
Operation create_record_unlink() {
  return [] {
    static const char record[32] = {};
    const int fd = openat(AT_FDCWD, "short_lived", kCreate, 0644);
    if (fsetxattr(fd, "user.lxss", record, sizeof record, 0) != 0) REQUIRE(errno == ENOTSUP);
    REQUIRE(close(fd) == 0);
    REQUIRE(unlinkat(AT_FDCWD, "short_lived", 0) == 0);
  };
}

Operation mmap_cycle() {
  return [] {
    void* page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<volatile char*>(page) = 1;
    REQUIRE(munmap(page, kPage) == 0);
  };
}

Operation fork_sharing_table() {
  return [] {
    const long child = host(SYS_clone, CLONE_FILES | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) _exit(0);
    siginfo_t info;
    REQUIRE(host(SYS_waitid, P_PID, child, &info, WEXITED, nullptr) == 0);
  };
}

struct Row {
  std::function<Operation()> program, calls;
};

const std::map<std::string, Row> kRows = {
    {"read-4K", {[] { return sequential(SYS_read); }, [] { return positioned(SYS_pread64); }}},
    {"pread-4K", {[] { return positioned(SYS_pread64); }, [] { return positioned(SYS_pread64); }}},
    {"write-4K", {[] { return sequential(SYS_write); }, [] { return positioned(SYS_pwrite64); }}},
    {"pwrite-4K",
     {[] { return positioned(SYS_pwrite64); }, [] { return positioned(SYS_pwrite64); }}},
    {"open+read+close", {open_read_close, [] { return positioned(SYS_pread64); }}},
    {"create+unlink", {create_unlink, create_record_unlink}},
    {"tcp-send+recv", {tcp<send_data, receive_data>, tcp<send_message, receive_message>}},
    {"tcp-accept", {accept_one, accept_one}},
    {"epoll_wait-16-ready", {epoll_ready, epoll_ready}},
    {"served-request",
     {served_request<send_data, receive_data>, served_request<send_message, receive_message>}},
    {"mmap-cycle", {mmap_cycle, mmap_cycle}},
    {"fork+wait", {[] { return fork_and_wait; }, fork_sharing_table}},
};

/// A process that has the same descriptor table and does nothing; it goes with its parent.
void share_table() {
  const long child = host(SYS_clone, CLONE_FILES | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  REQUIRE(child >= 0);
  if (child != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) pause();
}

void install_filter() {
  lxss::pico::direct::Filter filter(reinterpret_cast<lxss::u64>(__executable_start),
                                    reinterpret_cast<lxss::u64>(etext));
  const auto code = filter.code();
  const sock_fprog program = {static_cast<unsigned short>(code.size()), code.data()};
  REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

double measure(const Row& row, const std::string& variant, long duration_ns) {
  const Operation operation = (variant == "program" ? row.program : row.calls)();
  if (variant == "table" || variant == "floor") share_table();
  if (variant == "filter" || variant == "floor") install_filter();
  return cost_ns(operation, duration_ns);
}

}  // namespace

int main() {
  auto* ns = shared<double>();
  serve([ns](std::istringstream& request) -> std::string {
    std::string row, variant;
    long milliseconds;
    REQUIRE(static_cast<bool>(request >> row >> variant >> milliseconds));
    if (!in_fresh_process([&] { *ns = measure(kRows.at(row), variant, milliseconds * 1'000'000); }))
      return "{}";
    return "{\"ns\": " + std::to_string(*ns) + "}";
  });
}
