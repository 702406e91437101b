// Internet sockets over the loopback: TCP and UDP, IPv4 and IPv6.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "check.h"

namespace {

struct Address {
  explicit Address(int family, uint16_t port = 0) {
    if (family == AF_INET) {
      auto* v4 = reinterpret_cast<sockaddr_in*>(&value);
      *v4 = {.sin_family = AF_INET,
             .sin_port = htons(port),
             .sin_addr = {htonl(INADDR_LOOPBACK)},
             .sin_zero = {}};
      size = sizeof *v4;
    } else {
      auto* v6 = reinterpret_cast<sockaddr_in6*>(&value);
      v6->sin6_family = AF_INET6;
      v6->sin6_port = htons(port);
      v6->sin6_addr = in6addr_loopback;
      size = sizeof *v6;
    }
  }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&value); }
  uint16_t port() { return ntohs(reinterpret_cast<sockaddr_in*>(&value)->sin_port); }
  sockaddr_storage value = {};
  socklen_t size;
};

int bound(int family, int type, Address& address) {
  const int fd = OK(socket(family, type, 0));
  OK(bind(fd, address.get(), address.size));
  OK(getsockname(fd, address.get(), &address.size));
  CHECK(address.port() != 0);
  return fd;
}

struct Connection {
  explicit Connection(int family = AF_INET) {
    Address address(family);
    const int listener = bound(family, SOCK_STREAM, address);
    OK(listen(listener, 5));
    client = OK(socket(family, SOCK_STREAM, 0));
    OK(connect(client, address.get(), address.size));
    server = OK(accept(listener, nullptr, nullptr));
    OK(close(listener));
  }
  int client, server;
};

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  OK(getsockopt(fd, level, name, &value, &size));
  return value;
}

void need_ipv6() {
  Address address(AF_INET6);
  const int fd = socket(AF_INET6, SOCK_STREAM, 0);
  if (fd == -1 || bind(fd, address.get(), address.size) == -1) skip("no IPv6 loopback here");
  close(fd);
}

void check_stream(int family) {
  const Connection connection(family);
  CHECK_EQ(write(connection.client, "ping", 4), 4);
  char buffer[8];
  CHECK_EQ(recv(connection.server, buffer, 4, MSG_WAITALL), 4);
  CHECK_EQ(std::string(buffer, 4), "ping");
  OK(close(connection.server));
  CHECK_EQ(read(connection.client, buffer, 4), 0);
}

void check_datagrams(int family) {
  Address first(family), second(family);
  const int a = bound(family, SOCK_DGRAM, first), b = bound(family, SOCK_DGRAM, second);
  CHECK_EQ(sendto(a, "hello", 5, 0, second.get(), second.size), 5);
  char buffer[8];
  Address from(family);
  CHECK_EQ(recvfrom(b, buffer, 3, MSG_TRUNC, from.get(), &from.size), 5);
  CHECK_EQ(from.port(), first.port());
}

}  // namespace

TEST(tcp_over_ipv4) { check_stream(AF_INET); }

TEST(tcp_over_ipv6) {
  need_ipv6();
  check_stream(AF_INET6);
}

TEST(udp_over_ipv4) { check_datagrams(AF_INET); }

TEST(udp_over_ipv6) {
  need_ipv6();
  check_datagrams(AF_INET6);
}

TEST(socket_errors) {
  CHECK_ERRNO(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
  CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
  const int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  char byte;
  CHECK_ERRNO(recv(fd, &byte, 1, 0), ENOTCONN);
  CHECK_ERRNO(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_ERRNO(accept(fd, nullptr, nullptr), EINVAL);
  Address address(AF_INET);
  CHECK_ERRNO(getpeername(fd, address.get(), &address.size), ENOTCONN);
  CHECK_ERRNO(bind(fd, address.get(), 3), EINVAL);
  CHECK_ERRNO(shutdown(fd, SHUT_RDWR), ENOTCONN);
  CHECK_ERRNO(listen(OK(socket(AF_INET, SOCK_DGRAM, 0)), 1), EOPNOTSUPP);
  const int datagram = OK(socket(AF_INET, SOCK_DGRAM, 0));
  CHECK_ERRNO(send(datagram, "x", 1, 0), EDESTADDRREQ);
}

TEST(address_in_use) {
  Address address(AF_INET);
  const int first = bound(AF_INET, SOCK_STREAM, address);
  OK(listen(first, 1));
  const int second = OK(socket(AF_INET, SOCK_STREAM, 0));
  CHECK_ERRNO(bind(second, address.get(), address.size), EADDRINUSE);
  const int on = 1;
  OK(setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
  // A listener holds its port in spite of SO_REUSEADDR.
  CHECK_ERRNO(bind(second, address.get(), address.size), EADDRINUSE);
  OK(close(first));
  OK(bind(second, address.get(), address.size));
  Address foreign(AF_INET);
  reinterpret_cast<sockaddr_in*>(&foreign.value)->sin_addr.s_addr = htonl(0x01020304);
  CHECK_ERRNO(bind(OK(socket(AF_INET, SOCK_STREAM, 0)), foreign.get(), foreign.size),
              EADDRNOTAVAIL);
}

TEST(connection_refused) {
  Address address(AF_INET);
  const int bound_only = bound(AF_INET, SOCK_STREAM, address);
  const int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  CHECK_ERRNO(connect(fd, address.get(), address.size), ECONNREFUSED);
  OK(close(bound_only));
  const int nonblocking = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  if (connect(nonblocking, address.get(), address.size) == -1 && errno == EINPROGRESS) {
    pollfd poller = {nonblocking, POLLOUT, 0};
    CHECK_EQ(poll(&poller, 1, -1), 1);
    CHECK_EQ(option(nonblocking, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    CHECK_EQ(option(nonblocking, SOL_SOCKET, SO_ERROR), 0);
  }
}

TEST(udp_errors_come_back) {
  Address address(AF_INET);
  OK(close(bound(AF_INET, SOCK_DGRAM, address)));
  const int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  OK(connect(fd, address.get(), address.size));
  CHECK_EQ(send(fd, "x", 1, 0), 1);
  char byte;
  CHECK_ERRNO(recv(fd, &byte, 1, 0), ECONNREFUSED);
}

TEST(nonblocking_connect_and_accept) {
  Address address(AF_INET);
  const int listener = bound(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, address);
  OK(listen(listener, 5));
  CHECK_ERRNO(accept(listener, nullptr, nullptr), EAGAIN);
  const int client = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  CHECK_ERRNO(connect(client, address.get(), address.size), EINPROGRESS);
  pollfd pollers[] = {{client, POLLOUT, 0}, {listener, POLLIN, 0}};
  CHECK(poll(&pollers[1], 1, -1) == 1);
  CHECK(poll(&pollers[0], 1, -1) == 1);
  CHECK_EQ(option(client, SOL_SOCKET, SO_ERROR), 0);
  OK(accept(listener, nullptr, nullptr));
  // The first call after the connection stands reports its success.
  OK(connect(client, address.get(), address.size));
  CHECK_ERRNO(connect(client, address.get(), address.size), EISCONN);
}

TEST(names_of_both_sides) {
  const Connection connection;
  Address local(AF_INET), peer(AF_INET);
  OK(getsockname(connection.client, local.get(), &local.size));
  OK(getpeername(connection.server, peer.get(), &peer.size));
  CHECK_EQ(local.port(), peer.port());
  CHECK_EQ(peer.size, sizeof(sockaddr_in));
  socklen_t small = 4;
  OK(getpeername(connection.server, peer.get(), &small));
  // The full size is told even when it did not fit.
  CHECK_EQ(small, sizeof(sockaddr_in));
}

TEST(options) {
  const Connection connection;
  CHECK_EQ(option(connection.client, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
  CHECK_EQ(option(connection.client, SOL_SOCKET, SO_DOMAIN), AF_INET);
  CHECK_EQ(option(connection.client, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
  CHECK_EQ(option(connection.client, SOL_SOCKET, SO_ACCEPTCONN), 0);
  CHECK_EQ(option(connection.client, IPPROTO_TCP, TCP_NODELAY), 0);
  const int on = 1;
  OK(setsockopt(connection.client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
  CHECK_EQ(option(connection.client, IPPROTO_TCP, TCP_NODELAY), 1);
  OK(setsockopt(connection.client, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on));
  CHECK_EQ(option(connection.client, SOL_SOCKET, SO_KEEPALIVE), 1);
  const timeval soon = {0, 5000};
  OK(setsockopt(connection.client, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
  char byte;
  CHECK_ERRNO(recv(connection.client, &byte, 1, 0), EAGAIN);
  CHECK_ERRNO(setsockopt(connection.client, SOL_SOCKET, 9999, &on, sizeof on), ENOPROTOOPT);
  CHECK_ERRNO(setsockopt(connection.client, 9999, 1, &on, sizeof on), ENOPROTOOPT);
}

TEST(half_close) {
  const Connection connection;
  OK(shutdown(connection.client, SHUT_WR));
  char byte;
  CHECK_EQ(recv(connection.server, &byte, 1, 0), 0);
  CHECK_EQ(send(connection.server, "x", 1, 0), 1);
  CHECK_EQ(recv(connection.client, &byte, 1, 0), 1);
  CHECK_ERRNO(send(connection.client, "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(reset_by_linger) {
  const Connection connection;
  const linger abort = {1, 0};
  OK(setsockopt(connection.server, SOL_SOCKET, SO_LINGER, &abort, sizeof abort));
  OK(close(connection.server));
  char byte;
  CHECK_ERRNO(recv(connection.client, &byte, 1, 0), ECONNRESET);
}

TEST(peek_and_available) {
  const Connection connection;
  CHECK_EQ(send(connection.client, "abc", 3, 0), 3);
  char buffer[8];
  CHECK_EQ(recv(connection.server, buffer, 3, MSG_PEEK | MSG_WAITALL), 3);
  int available;
  OK(ioctl(connection.server, FIONREAD, &available));
  CHECK_EQ(available, 3);
  CHECK_EQ(recv(connection.server, buffer, 8, 0), 3);
  CHECK_ERRNO(recv(connection.server, buffer, 8, MSG_DONTWAIT), EAGAIN);
}

TEST(blocked_accept_and_receive_wake) {
  Address address(AF_INET);
  const int listener = bound(AF_INET, SOCK_STREAM, address);
  OK(listen(listener, 5));
  const pid_t server = in_child([=] {
    const int fd = OK(accept(listener, nullptr, nullptr));
    CHECK_EQ(read_fd(fd), "message");
  });
  await_state(server, 'S');
  const int client = OK(socket(AF_INET, SOCK_STREAM, 0));
  OK(connect(client, address.get(), address.size));
  CHECK_EQ(send(client, "message", 7, 0), 7);
  OK(close(client));
  CHECK_EXIT(server, 0);
}

TEST(receive_is_interrupted) {
  const Connection connection;
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  OK(sigaction(SIGUSR1, &action, nullptr));
  const pid_t parent = getpid();
  const pid_t child = in_child([=] {
    await_state(parent, 'S');
    kill(parent, SIGUSR1);
  });
  char byte;
  CHECK_ERRNO(recv(connection.client, &byte, 1, 0), EINTR);
  CHECK_EXIT(child, 0);
}

TEST(large_transfer) {
  const Connection connection;
  constexpr size_t kSize = 8 << 20;
  const pid_t child = in_child([&] {
    OK(close(connection.server));
    const std::string data(kSize, 'x');
    CHECK_EQ(send(connection.client, data.data(), data.size(), 0), kSize);
  });
  OK(close(connection.client));
  CHECK_EQ(read_fd(connection.server).size(), kSize);
  CHECK_EXIT(child, 0);
}

TEST(multiple_messages) {
  Address first(AF_INET), second(AF_INET);
  const int a = bound(AF_INET, SOCK_DGRAM, first), b = bound(AF_INET, SOCK_DGRAM, second);
  OK(connect(a, second.get(), second.size));
  char one[] = "one", three[] = "three";
  iovec vectors[] = {{one, 3}, {three, 5}};
  mmsghdr messages[2] = {};
  for (int i = 0; i < 2; ++i) {
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  CHECK_EQ(sendmmsg(a, messages, 2, 0), 2);
  CHECK_EQ(messages[1].msg_len, 5u);
  CHECK_EQ(recvmmsg(b, messages, 1, 0, nullptr), 1);
  CHECK_EQ(messages[0].msg_len, 3u);
}

TEST(privileged_ports) {
  CHECK_EXIT(in_child([] {
               if (geteuid() == 0) OK(setresuid(1234, 1234, 1234));
               if (std::stoi(read_file("/proc/sys/net/ipv4/ip_unprivileged_port_start")) == 0)
                 return;
               Address address(AF_INET, 81);
               CHECK_ERRNO(bind(OK(socket(AF_INET, SOCK_STREAM, 0)), address.get(), address.size),
                           EACCES);
             }),
             0);
}
