// Sockets used by several threads at once: calls that meet the end of what they wait for.
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <thread>

#include "check.h"

namespace {

constexpr int kRounds = 200;

struct Pair {
  int a, b;
};

Pair unix_pair(int type = SOCK_STREAM) {
  int fds[2];
  OK(socketpair(AF_UNIX, type, 0, fds));
  return {fds[0], fds[1]};
}

/// A listener of 127.0.0.1 and its address.
struct Loopback {
  Loopback() {
    fd = OK(socket(AF_INET, SOCK_STREAM, 0));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    OK(bind(fd, get(), size));
    OK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size));
    OK(listen(fd, 16));
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
  int connect_to() const {
    const int client = OK(socket(AF_INET, SOCK_STREAM, 0));
    OK(connect(client, get(), sizeof address));
    return client;
  }
  int fd;
  sockaddr_in address = {};
};

Pair tcp_pair() {
  const Loopback listener;
  const int client = listener.connect_to();
  const int server = OK(accept(listener.fd, nullptr, nullptr));
  OK(close(listener.fd));
  return {client, server};
}

struct AbstractName {
  explicit AbstractName(const char* test) {
    value.sun_family = AF_UNIX;
    const std::string name = test + std::to_string(getpid());
    std::memcpy(value.sun_path + 1, name.data(), name.size());
    size = offsetof(sockaddr_un, sun_path) + 1 + name.size();
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&value); }
  sockaddr_un value = {};
  socklen_t size;
};

void close_pair(const Pair& pair) {
  OK(close(pair.a));
  OK(close(pair.b));
}

template <typename Make>
void check_shutdown_ends_receive(Make make) {
  for (int round = 0; round < kRounds; ++round) {
    const Pair pair = make();
    std::thread receiver([&] {
      char byte;
      CHECK_EQ(OK(recv(pair.b, &byte, 1, 0)), 0);
    });
    OK(shutdown(round % 2 ? pair.b : pair.a, round % 2 ? SHUT_RD : SHUT_WR));
    receiver.join();
    close_pair(pair);
  }
}

/// Either the call had its reference when the descriptor went, and receives; or it came too late,
/// and so does the sender.
template <typename Make>
void check_close_leaves_receive(Make make) {
  for (int round = 0; round < kRounds; ++round) {
    const Pair pair = make();
    std::thread receiver([&] {
      char byte = 0;
      if (recv(pair.b, &byte, 1, 0) == -1) {
        CHECK_EQ(errno, EBADF);
      } else {
        CHECK_EQ(byte, 'x');
      }
    });
    if (round % 2) sched_yield();
    OK(close(pair.b));
    if (send(pair.a, "x", 1, MSG_NOSIGNAL) == -1) {
      CHECK(errno == EPIPE || errno == ECONNRESET || errno == ECONNREFUSED);
    }
    receiver.join();
    OK(close(pair.a));
  }
}

/// All that was sent before the end of the sending side arrives, and nothing after.
template <typename Make>
void check_all_arrives(Make make) {
  for (int round = 0; round < kRounds / 4; ++round) {
    const Pair pair = make();
    std::array<std::atomic<size_t>, 2> sent = {};
    std::vector<std::thread> senders;
    for (size_t number = 0; number < sent.size(); ++number) {
      senders.emplace_back([&, number] {
        const std::string data(100 + 1000 * (round % 7), static_cast<char>('a' + number));
        for (;;) {
          const ssize_t count = send(pair.a, data.data(), data.size(), MSG_NOSIGNAL);
          if (count == -1) {
            CHECK_EQ(errno, EPIPE);
            return;
          }
          sent[number] += static_cast<size_t>(count);
        }
      });
    }
    std::array<size_t, 2> received = {};
    char data[8192];
    ssize_t count;
    size_t total = 0;
    bool shut = false;
    while ((count = OK(recv(pair.b, data, sizeof data, 0))) != 0) {
      for (ssize_t i = 0; i < count; ++i) ++received[static_cast<size_t>(data[i] - 'a')];
      total += static_cast<size_t>(count);
      if (total > 20000 && !shut) {
        OK(shutdown(pair.a, SHUT_WR));
        shut = true;
      }
    }
    for (auto& sender : senders) sender.join();
    for (size_t number = 0; number < sent.size(); ++number) {
      CHECK_EQ(received[number], sent[number].load());
    }
    close_pair(pair);
  }
}

/// One byte with descriptors.
void send_files(int socket, std::initializer_list<int> fds) {
  char byte = 'f';
  iovec data = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), std::data(fds), fds.size() * sizeof(int));
  OK(sendmsg(socket, &message, 0));
}

int receive_file(int socket) {
  char byte;
  iovec data = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  CHECK_EQ(OK(recvmsg(socket, &message, 0)), 1);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  CHECK(header != nullptr);
  int fd;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

/// The end of file comes once nobody can write any more; Linux collects garbage in its own time,
/// when a socket is closed.
void await_end(int pipe) {
  pollfd end = {pipe, POLLIN, 0};
  while (OK(poll(&end, 1, 0)) == 0) close_pair(unix_pair());
  char byte;
  CHECK_EQ(OK(read(pipe, &byte, 1)), 0);
}

}  // namespace

TEST(shutdown_ends_receive) {
  check_shutdown_ends_receive([] { return unix_pair(); });
  check_shutdown_ends_receive([] { return unix_pair(SOCK_SEQPACKET); });
}

TEST(shutdown_ends_receive_over_tcp) { check_shutdown_ends_receive(tcp_pair); }

TEST(close_leaves_receive) {
  check_close_leaves_receive([] { return unix_pair(); });
  check_close_leaves_receive([] { return unix_pair(SOCK_DGRAM); });
}

TEST(close_leaves_receive_over_tcp) { check_close_leaves_receive(tcp_pair); }

TEST(all_arrives_before_the_end) {
  check_all_arrives([] { return unix_pair(); });
}

TEST(listeners_come_and_go) {
  const AbstractName name("listeners");
  std::atomic<bool> done = false;
  std::atomic<int> served = 0;
  std::thread server([&] {
    while (!done) {
      const int listener = OK(socket(AF_UNIX, SOCK_STREAM, 0));
      OK(bind(listener, name.get(), name.size));
      OK(listen(listener, 2));
      for (int i = 0; i < 5 && !done; ++i) {
        const int fd = OK(accept(listener, nullptr, nullptr));
        char byte;
        if (recv(fd, &byte, 1, 0) == 1) CHECK_EQ(send(fd, &byte, 1, MSG_NOSIGNAL), 1);
        OK(close(fd));
        ++served;
      }
      OK(close(listener));
    }
  });
  auto client = [&](char mine) {
    for (int round = 0; round < kRounds;) {
      const int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
      if (connect(fd, name.get(), name.size) == -1) {
        CHECK_EQ(errno, ECONNREFUSED);
        sched_yield();
      } else if (send(fd, &mine, 1, MSG_NOSIGNAL) == 1) {
        char answer = 0;
        const ssize_t got = recv(fd, &answer, 1, 0);
        // Who was in the backlog of a listener that went is told so.
        if (got == 1) {
          CHECK_EQ(answer, mine);
          ++round;
        } else {
          CHECK(got == -1 && errno == ECONNRESET);
        }
      } else {
        CHECK(errno == EPIPE || errno == ECONNRESET);
      }
      OK(close(fd));
    }
  };
  std::thread first(client, 'a'), second(client, 'b');
  first.join();
  second.join();
  done = true;
  // It may wait for one more.
  const int last = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  (void)connect(last, name.get(), name.size);
  OK(close(last));
  server.join();
  CHECK(served >= 2 * kRounds);
}

TEST(one_socket_is_connected_once) {
  const AbstractName name("once");
  const int listener = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(bind(listener, name.get(), name.size));
  OK(listen(listener, 8));
  for (int round = 0; round < kRounds; ++round) {
    const int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    std::atomic<int> connected = 0;
    auto connector = [&] {
      if (connect(fd, name.get(), name.size) == 0) {
        ++connected;
      } else {
        CHECK_EQ(errno, EISCONN);
      }
    };
    std::thread other(connector);
    connector();
    other.join();
    CHECK_EQ(connected.load(), 1);
    const int accepted = OK(accept(listener, nullptr, nullptr));
    CHECK_EQ(send(accepted, "y", 1, 0), 1);
    char byte;
    CHECK_EQ(OK(recv(fd, &byte, 1, 0)), 1);
    OK(close(accepted));
    OK(close(fd));
  }
}

TEST(one_name_is_bound_once) {
  const AbstractName name("bound");
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<int> bound = 0;
    const Pair fds = {OK(socket(AF_UNIX, SOCK_DGRAM, 0)), OK(socket(AF_UNIX, SOCK_DGRAM, 0))};
    auto binder = [&](int fd) {
      if (bind(fd, name.get(), name.size) == 0) {
        ++bound;
      } else {
        CHECK_EQ(errno, EADDRINUSE);
      }
    };
    std::thread other(binder, fds.a);
    binder(fds.b);
    other.join();
    CHECK_EQ(bound.load(), 1);
    close_pair(fds);
  }
}

TEST(accepting_threads_share_connections) {
  const Loopback tcp;
  constexpr int kThreads = 3, kEach = 40;
  std::atomic<int> accepted = 0;
  std::vector<std::thread> servers;
  for (int i = 0; i < kThreads; ++i) {
    servers.emplace_back([&] {
      for (;;) {
        const int fd = OK(accept(tcp.fd, nullptr, nullptr));
        char byte;
        CHECK_EQ(OK(recv(fd, &byte, 1, 0)), 1);
        OK(close(fd));
        if (byte == 'q') return;
        ++accepted;
      }
    });
  }
  for (int i = 0; i < kThreads * kEach + kThreads; ++i) {
    const int fd = tcp.connect_to();
    CHECK_EQ(send(fd, i < kThreads * kEach ? "x" : "q", 1, 0), 1);
    OK(close(fd));
  }
  for (auto& server : servers) server.join();
  CHECK_EQ(accepted.load(), kThreads * kEach);
}

TEST(peeking_meets_receiving) {
  const Pair pair = unix_pair(SOCK_DGRAM);
  constexpr int kMessages = 3000;
  std::atomic<bool> done = false;
  auto is_whole = [](const char* data, ssize_t count) {
    return std::all_of(data, data + count, [&](char byte) { return byte == data[0]; });
  };
  std::thread peeker([&] {
    char data[3000];
    while (!done) {
      const ssize_t count = recv(pair.b, data, sizeof data, MSG_PEEK | MSG_DONTWAIT);
      if (count == -1) {
        CHECK_EQ(errno, EAGAIN);
      } else {
        CHECK(count > 0 && is_whole(data, count));
      }
    }
  });
  std::thread sender([&] {
    for (int i = 0; i < kMessages; ++i) {
      const std::string data(static_cast<size_t>(1 + i % 2900), static_cast<char>('a' + i % 26));
      CHECK_EQ(send(pair.a, data.data(), data.size(), 0), data.size());
    }
  });
  for (int i = 0; i < kMessages; ++i) {
    char data[3000];
    const ssize_t count = OK(recv(pair.b, data, sizeof data, 0));
    CHECK_EQ(count, 1 + i % 2900);
    CHECK(is_whole(data, count) && data[0] == 'a' + i % 26);
  }
  done = true;
  sender.join();
  peeker.join();
}

TEST(datagrams_wake_who_waits_for_room) {
  const AbstractName name("room");
  const int server = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  OK(bind(server, name.get(), name.size));
  constexpr int kSenders = 3, kEach = 300;
  std::vector<std::thread> senders;
  for (int i = 0; i < kSenders; ++i) {
    senders.emplace_back([&, i] {
      const int fd = OK(socket(AF_UNIX, SOCK_DGRAM | (i ? SOCK_NONBLOCK : 0), 0));
      OK(connect(fd, name.get(), name.size));
      const int edges = OK(epoll_create1(0));
      epoll_event edge = {EPOLLOUT | EPOLLET, {}};
      OK(epoll_ctl(edges, EPOLL_CTL_ADD, fd, &edge));
      for (int sent = 0; sent < kEach;) {
        if (send(fd, "x", 1, 0) == 1) {
          ++sent;
          continue;
        }
        CHECK_EQ(errno, EAGAIN);
        if (i == 1) {
          pollfd room = {fd, POLLOUT, 0};
          CHECK_EQ(OK(poll(&room, 1, -1)), 1);
        } else {
          epoll_event event;
          CHECK_EQ(OK(epoll_wait(edges, &event, 1, -1)), 1);
        }
      }
      OK(close(edges));
      OK(close(fd));
    });
  }
  char byte;
  for (int i = 0; i < kSenders * kEach; ++i) CHECK_EQ(OK(recv(server, &byte, 1, 0)), 1);
  for (auto& sender : senders) sender.join();
}

TEST(circles_of_rights_are_found) {
  int pipe_ends[2];
  OK(pipe(pipe_ends));
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds / 2; ++round) {
        const Pair one = unix_pair(), two = unix_pair();
        // Each can be received only at itself, or at the other, which carries it.
        send_files(one.a, {one.b, pipe_ends[1]});
        send_files(two.a, {one.a, two.b});
        send_files(one.a, {two.a, two.b});
        close_pair(one);
        close_pair(two);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  OK(close(pipe_ends[1]));
  await_end(pipe_ends[0]);
}

TEST(a_listener_in_its_own_backlog_is_found) {
  const AbstractName name("backlog");
  int pipe_ends[2];
  OK(pipe(pipe_ends));
  const int listener = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(bind(listener, name.get(), name.size));
  OK(listen(listener, 2));
  const int client = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(connect(client, name.get(), name.size));
  send_files(client, {listener, pipe_ends[1]});
  OK(close(listener));
  OK(close(pipe_ends[1]));
  OK(close(client));
  await_end(pipe_ends[0]);
}

TEST(what_a_fault_interrupts_stays) {
  void* nowhere = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(nowhere != MAP_FAILED);
  const Pair pair = unix_pair();
  CHECK_EQ(send(pair.a, "first", 5, 0), 5);
  CHECK_EQ(send(pair.a, "second", 6, 0), 6);
  CHECK_ERRNO(recv(pair.b, nowhere, 4096, 0), EFAULT);
  char data[20];
  CHECK_EQ(OK(recv(pair.b, data, sizeof data, 0)), 11);
  CHECK_EQ(std::string_view(data, 11), "firstsecond");
}

/// What is on its way through sockets that are themselves on their way is no garbage.
TEST(rights_on_their_way_are_kept) {
  const Pair road = unix_pair(SOCK_SEQPACKET);
  constexpr int kTravellers = 300;
  std::atomic<bool> done = false;
  std::thread litter([&] {
    while (!done) {
      const Pair pair = unix_pair();
      send_files(pair.a, {pair.a, pair.b});
      close_pair(pair);
    }
  });
  std::thread sender([&] {
    for (int i = 0; i < kTravellers; ++i) {
      const Pair carried = unix_pair();
      CHECK_EQ(send(carried.a, &i, sizeof i, 0), sizeof i);
      send_files(carried.a, {carried.a});
      send_files(road.a, {carried.b});
      close_pair(carried);
    }
  });
  for (int i = 0; i < kTravellers; ++i) {
    const int socket = receive_file(road.b);
    int number;
    CHECK_EQ(OK(recv(socket, &number, sizeof number, MSG_WAITALL)), sizeof number);
    CHECK_EQ(number, i);
    const int back = receive_file(socket);
    CHECK_EQ(send(back, "b", 1, 0), 1);
    char byte = 0;
    CHECK_EQ(OK(recv(socket, &byte, 1, 0)), 1);
    CHECK_EQ(byte, 'b');
    OK(close(back));
    OK(close(socket));
  }
  done = true;
  sender.join();
  litter.join();
}
