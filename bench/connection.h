// TCP over loopback, for measuring.
#pragma once

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "measure.h"

namespace bench {

struct Listener {
  Listener() {
    sockaddr_in wanted = {};
    wanted.sin_family = AF_INET;
    wanted.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&wanted), sizeof wanted) == 0);
    REQUIRE(listen(fd, 128) == 0);
    REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  }
  int connected() const {
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return client;
  }
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
};

struct Connection {
  explicit Connection(const Listener& listener)
      : client(listener.connected()), server(accept(listener.fd, nullptr, nullptr)) {
    REQUIRE(server >= 0);
  }
  int client, server;
};

inline void watch(int epoll, int fd) {
  epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

/// An epoll set with that many sockets, all of them readable.
inline int ready_sockets(int count) {
  const Listener listener;
  const int epoll = epoll_create1(0);
  for (int i = 0; i < count; ++i) {
    const Connection connection(listener);
    REQUIRE(send(connection.client, "x", 1, 0) == 1);
    watch(epoll, connection.server);
  }
  usleep(10'000);
  return epoll;
}

}  // namespace bench
