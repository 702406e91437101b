// UNIX domain sockets: the three types, names, descriptors and credentials in messages.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <cstddef>

#include "check.h"

namespace {

struct Pair {
  explicit Pair(int type) {
    int fds[2];
    OK(socketpair(AF_UNIX, type, 0, fds));
    a = fds[0];
    b = fds[1];
  }
  int a, b;
};

struct Address {
  /// A name that begins with '@' is abstract.
  explicit Address(const std::string& name) {
    value.sun_family = AF_UNIX;
    std::memcpy(value.sun_path, name.data(), name.size());
    size = offsetof(sockaddr_un, sun_path) + name.size() + 1;
    if (name[0] == '@') {
      value.sun_path[0] = 0;
      --size;
    }
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&value); }
  sockaddr_un value = {};
  socklen_t size;
};

int unix_socket(int type) { return OK(socket(AF_UNIX, type, 0)); }

int listener(const Address& address, int type = SOCK_STREAM, int backlog = 5) {
  const int fd = unix_socket(type);
  OK(bind(fd, address.get(), address.size));
  OK(listen(fd, backlog));
  return fd;
}

int connected(const Address& address, int type = SOCK_STREAM) {
  const int fd = unix_socket(type);
  OK(connect(fd, address.get(), address.size));
  return fd;
}

std::string abstract_name(const char* test) {
  return "@" + std::string(test) + std::to_string(getpid());
}

/// Sends `data` with one control message.
ssize_t send_with(int fd, int type, const void* control, size_t size, std::string data = "d") {
  iovec vector = {data.data(), data.size()};
  std::vector<char> buffer(CMSG_SPACE(size));
  msghdr message = {};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = buffer.data();
  message.msg_controllen = buffer.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(header), control, size);
  return sendmsg(fd, &message, MSG_NOSIGNAL);
}

struct Received {
  std::string data;
  int flags = 0;
  std::vector<int> fds;
  ucred credentials = {};
};

Received receive(int fd, size_t data_size = 100, size_t control_size = 256, int flags = 0) {
  std::vector<char> data(data_size), control(control_size);
  iovec vector = {data.data(), data.size()};
  msghdr message = {};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  Received result;
  result.data.assign(data.data(), OK(recvmsg(fd, &message, flags)));
  result.flags = message.msg_flags;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_type == SCM_RIGHTS) {
      const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      result.fds.resize(count);
      std::memcpy(result.fds.data(), CMSG_DATA(header), count * sizeof(int));
    } else if (header->cmsg_type == SCM_CREDENTIALS) {
      std::memcpy(&result.credentials, CMSG_DATA(header), sizeof(ucred));
    }
  }
  return result;
}

}  // namespace

TEST(socket_and_socketpair_errors) {
  int fds[2];
  CHECK_ERRNO(socket(999, SOCK_STREAM, 0), EAFNOSUPPORT);
  CHECK_ERRNO(socket(AF_UNIX, 77, 0), EINVAL);
  CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM, 99), EPROTONOSUPPORT);
  CHECK_ERRNO(socketpair(AF_INET, SOCK_STREAM, 0, fds), EOPNOTSUPP);
  CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 0, reinterpret_cast<int*>(8)), EFAULT);
  const int fd = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
  CHECK_ERRNO(listen(STDOUT_FILENO, 1), ENOTSOCK);
  CHECK_ERRNO(listen(999, 1), EBADF);
  CHECK_ERRNO(listen(fd, 1), EINVAL);
  CHECK_ERRNO(send(fd, "x", 1, MSG_NOSIGNAL), ENOTCONN);
  CHECK_ERRNO(accept(fd, nullptr, nullptr), EINVAL);
}

TEST(stream_carries_bytes) {
  const Pair pair(SOCK_STREAM);
  CHECK_EQ(write(pair.a, "abc", 3), 3);
  CHECK_EQ(send(pair.a, "def", 3, 0), 3);
  char buffer[10] = {};
  CHECK_EQ(read(pair.b, buffer, 4), 4);
  CHECK_EQ(recv(pair.b, buffer + 4, 6, 0), 2);
  CHECK_EQ(std::string(buffer), "abcdef");
  CHECK_ERRNO(recv(pair.b, buffer, 1, MSG_DONTWAIT), EAGAIN);
  OK(close(pair.a));
  CHECK_EQ(recv(pair.b, buffer, 1, 0), 0);
  CHECK_ERRNO(send(pair.b, "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(datagrams_and_packets_keep_boundaries) {
  for (int type : {SOCK_DGRAM, SOCK_SEQPACKET}) {
    const Pair pair(type);
    CHECK_EQ(send(pair.a, "first", 5, 0), 5);
    CHECK_EQ(send(pair.a, "", 0, 0), 0);
    CHECK_EQ(send(pair.a, "second", 6, 0), 6);
    char buffer[10];
    CHECK_EQ(recv(pair.b, buffer, 3, MSG_TRUNC), 5);
    CHECK_EQ(recv(pair.b, buffer, 10, 0), 0);
    const Received received = receive(pair.b, 4);
    CHECK_EQ(received.data, "seco");
    CHECK(received.flags & MSG_TRUNC);
  }
}

TEST(peek_and_waitall) {
  const Pair pair(SOCK_STREAM);
  CHECK_EQ(send(pair.a, "abcd", 4, 0), 4);
  char buffer[10] = {};
  CHECK_EQ(recv(pair.b, buffer, 2, MSG_PEEK), 2);
  CHECK_EQ(recv(pair.b, buffer, 10, MSG_PEEK), 4);
  int available;
  OK(ioctl(pair.b, FIONREAD, &available));
  CHECK_EQ(available, 4);
  const pid_t child = in_child([=] {
    char all[8];
    CHECK_EQ(recv(pair.b, all, 8, MSG_WAITALL), 8);
    CHECK_EQ(std::string(all, 8), "abcdefgh");
  });
  await_state(child, 'S');
  CHECK_EQ(send(pair.a, "efgh", 4, 0), 4);
  CHECK_EXIT(child, 0);
}

TEST(named_stream) {
  const Address address("socket");
  const int server = listener(address);
  struct stat status;
  OK(stat("socket", &status));
  CHECK(S_ISSOCK(status.st_mode));
  const int client = connected(address);
  const int accepted = OK(accept4(server, nullptr, nullptr, SOCK_CLOEXEC));
  CHECK_EQ(fcntl(accepted, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(write(client, "x", 1), 1);
  char byte;
  CHECK_EQ(read(accepted, &byte, 1), 1);
  sockaddr_un name;
  socklen_t size = sizeof name;
  OK(getpeername(client, reinterpret_cast<sockaddr*>(&name), &size));
  CHECK_EQ(std::string(name.sun_path), "socket");
  size = sizeof name;
  OK(getsockname(client, reinterpret_cast<sockaddr*>(&name), &size));
  CHECK_EQ(size, sizeof(sa_family_t));
}

TEST(name_errors) {
  const Address address("socket");
  const int server = listener(address);
  const int other = unix_socket(SOCK_STREAM);
  CHECK_ERRNO(bind(other, address.get(), address.size), EADDRINUSE);
  CHECK_ERRNO(bind(server, Address("again").get(), Address("again").size), EINVAL);
  const Address missing("missing");
  CHECK_ERRNO(connect(other, missing.get(), missing.size), ENOENT);
  CHECK_ERRNO(connect(unix_socket(SOCK_DGRAM), address.get(), address.size), EPROTOTYPE);
  OK(close(server));
  // The name outlives the socket.
  CHECK_ERRNO(connect(other, address.get(), address.size), ECONNREFUSED);
  CHECK_ERRNO(bind(other, address.get(), address.size), EADDRINUSE);
  write_file("file", "");
  const Address file("file");
  CHECK_ERRNO(connect(other, file.get(), file.size), ECONNREFUSED);
  CHECK_ERRNO(bind(other, address.get(), 1), EINVAL);
  CHECK_ERRNO(connect(other, address.get(), 1000), EINVAL);
}

TEST(abstract_names) {
  const Address address(abstract_name("abstract"));
  const int server = listener(address);
  const int client = connected(address);
  OK(accept(server, nullptr, nullptr));
  sockaddr_un name;
  socklen_t size = sizeof name;
  OK(getpeername(client, reinterpret_cast<sockaddr*>(&name), &size));
  CHECK_EQ(size, address.size);
  CHECK(std::memcmp(&name, &address.value, size) == 0);
  CHECK_ERRNO(bind(unix_socket(SOCK_STREAM), address.get(), address.size), EADDRINUSE);
  OK(close(server));
  CHECK_ERRNO(connect(unix_socket(SOCK_STREAM), address.get(), address.size), ECONNREFUSED);
}

TEST(autobind) {
  const int fd = unix_socket(SOCK_DGRAM);
  const sockaddr family = {AF_UNIX, {}};
  OK(bind(fd, &family, sizeof family.sa_family));
  sockaddr_un name;
  socklen_t size = sizeof name;
  OK(getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size));
  CHECK_EQ(size, sizeof(sa_family_t) + 6);
  CHECK_EQ(name.sun_path[0], 0);
}

TEST(datagram_addresses) {
  const Address first("first"), second("second");
  const int a = unix_socket(SOCK_DGRAM), b = unix_socket(SOCK_DGRAM);
  OK(bind(a, first.get(), first.size));
  OK(bind(b, second.get(), second.size));
  CHECK_EQ(sendto(a, "hi", 2, 0, second.get(), second.size), 2);
  char buffer[4];
  sockaddr_un from;
  socklen_t size = sizeof from;
  CHECK_EQ(recvfrom(b, buffer, 4, 0, reinterpret_cast<sockaddr*>(&from), &size), 2);
  CHECK_EQ(std::string(from.sun_path), "first");
  CHECK_ERRNO(send(a, "x", 1, 0), ENOTCONN);
  OK(connect(a, second.get(), second.size));
  CHECK_EQ(send(a, "x", 1, 0), 1);
  // A connected datagram socket hears only its peer.
  OK(connect(b, first.get(), first.size));
  const int stranger = unix_socket(SOCK_DGRAM);
  CHECK_ERRNO(sendto(stranger, "x", 1, 0, second.get(), second.size), EPERM);
  OK(close(b));
  CHECK_ERRNO(send(a, "x", 1, 0), ECONNREFUSED);
}

TEST(large_datagrams_are_refused) {
  const Pair pair(SOCK_DGRAM);
  const std::string huge(10 << 20, 'x');
  CHECK_ERRNO(send(pair.a, huge.data(), huge.size(), 0), EMSGSIZE);
}

TEST(descriptors_in_messages) {
  const Pair pair(SOCK_STREAM);
  write_file("file", "content");
  const int fd = OK(open("file", O_RDONLY));
  CHECK_EQ(send_with(pair.a, SCM_RIGHTS, &fd, sizeof fd), 1);
  OK(close(fd));
  const Received received = receive(pair.b);
  CHECK_EQ(received.fds.size(), 1);
  CHECK_EQ(read_fd(received.fds[0]), "content");
  const int bad = 999;
  CHECK_ERRNO(send_with(pair.a, SCM_RIGHTS, &bad, sizeof bad), EBADF);
}

TEST(descriptors_between_processes) {
  const Pair pair(SOCK_SEQPACKET);
  const pid_t child = in_child([=] {
    int ends[2];
    OK(pipe(ends));
    CHECK_EQ(write(ends[1], "piped", 5), 5);
    CHECK_EQ(send_with(pair.b, SCM_RIGHTS, ends, sizeof ends), 1);
  });
  const Received received = receive(pair.a, 10, 256, MSG_CMSG_CLOEXEC);
  CHECK_EXIT(child, 0);
  CHECK_EQ(received.fds.size(), 2);
  CHECK_EQ(fcntl(received.fds[0], F_GETFD), FD_CLOEXEC);
  OK(close(received.fds[1]));
  CHECK_EQ(read_fd(received.fds[0]), "piped");
}

TEST(descriptors_without_room_are_closed) {
  const Pair pair(SOCK_STREAM);
  int ends[2];
  OK(pipe(ends));
  CHECK_EQ(send_with(pair.a, SCM_RIGHTS, &ends[1], sizeof(int)), 1);
  OK(close(ends[1]));
  CHECK(receive(pair.b, 10, 1).flags & MSG_CTRUNC);
  CHECK_EQ(read_fd(ends[0]), "");
}

TEST(descriptors_in_flight_are_closed_with_the_socket) {
  int ends[2];
  OK(pipe(ends));
  const Pair pair(SOCK_STREAM);
  CHECK_EQ(send_with(pair.a, SCM_RIGHTS, &ends[1], sizeof(int)), 1);
  OK(close(ends[1]));
  OK(close(pair.a));
  OK(close(pair.b));
  CHECK_EQ(read_fd(ends[0]), "");
}

TEST(credentials) {
  const Pair pair(SOCK_STREAM);
  const int on = 1;
  OK(setsockopt(pair.b, SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  const pid_t child = in_child([=] { CHECK_EQ(send(pair.a, "x", 1, 0), 1); });
  Received received = receive(pair.b);
  CHECK_EXIT(child, 0);
  CHECK_EQ(received.credentials.pid, child);
  CHECK_EQ(received.credentials.uid, getuid());
  ucred own = {getpid(), getuid(), getgid()};
  CHECK_EQ(send_with(pair.a, SCM_CREDENTIALS, &own, sizeof own), 1);
  CHECK_EQ(receive(pair.b).credentials.pid, getpid());
  CHECK_EXIT(in_child([=] {
               if (getuid() == 0) OK(setresuid(1234, 1234, 1234));
               const ucred forged = {getpid(), 4321, getgid()};
               CHECK_ERRNO(send_with(pair.a, SCM_CREDENTIALS, &forged, sizeof forged), EPERM);
             }),
             0);
}

TEST(peer_credentials) {
  const Address address(abstract_name("peer"));
  const int server = listener(address);
  const pid_t child = in_child([&] {
    const int fd = connected(address);
    char byte;
    CHECK_EQ(read(fd, &byte, 1), 0);
  });
  const int accepted = OK(accept(server, nullptr, nullptr));
  ucred peer;
  socklen_t size = sizeof peer;
  OK(getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &peer, &size));
  CHECK_EQ(peer.pid, child);
  CHECK_EQ(peer.uid, getuid());
  CHECK_EQ(peer.gid, getgid());
  OK(close(accepted));
  CHECK_EXIT(child, 0);
}

TEST(shutdown_forms) {
  const Pair pair(SOCK_STREAM);
  OK(shutdown(pair.a, SHUT_WR));
  char byte;
  CHECK_EQ(recv(pair.b, &byte, 1, 0), 0);
  CHECK_ERRNO(send(pair.a, "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_EQ(send(pair.b, "y", 1, 0), 1);
  CHECK_EQ(recv(pair.a, &byte, 1, 0), 1);
  OK(shutdown(pair.a, SHUT_RD));
  CHECK_ERRNO(send(pair.b, "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_ERRNO(shutdown(pair.a, 7), EINVAL);
}

TEST(backlog) {
  const Address address(abstract_name("backlog"));
  const int server = listener(address, SOCK_STREAM, 1);
  std::vector<int> clients;
  int error = 0;
  for (int i = 0; i < 10 && error == 0; ++i) {
    const int fd = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    if (connect(fd, address.get(), address.size) == -1) error = errno;
  }
  CHECK_EQ(error, EAGAIN);
  OK(accept(server, nullptr, nullptr));
  connected(address);
}

TEST(poll_states) {
  const Pair pair(SOCK_STREAM);
  pollfd poller = {pair.a, POLLIN | POLLOUT | POLLRDHUP, 0};
  CHECK_EQ(poll(&poller, 1, 0), 1);
  CHECK_EQ(poller.revents, POLLOUT);
  OK(close(pair.b));
  CHECK_EQ(poll(&poller, 1, 0), 1);
  CHECK_EQ(poller.revents, POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
  const Address address(abstract_name("poll"));
  pollfd server = {listener(address), POLLIN, 0};
  CHECK_EQ(poll(&server, 1, 0), 0);
  connected(address);
  CHECK_EQ(poll(&server, 1, 0), 1);
}

TEST(unread_data_resets_the_peer) {
  const Pair pair(SOCK_STREAM);
  CHECK_EQ(send(pair.a, "x", 1, 0), 1);
  OK(close(pair.b));
  char byte;
  CHECK_ERRNO(recv(pair.a, &byte, 1, 0), ECONNRESET);
  CHECK_EQ(recv(pair.a, &byte, 1, 0), 0);
}

TEST(full_stream_blocks_and_wakes) {
  const Pair pair(SOCK_STREAM);
  constexpr size_t kSize = 4 << 20;
  const pid_t child = in_child([=] {
    OK(close(pair.b));
    const std::string data(kSize, 'x');
    CHECK_EQ(send(pair.a, data.data(), data.size(), 0), kSize);
  });
  OK(close(pair.a));
  CHECK_EQ(read_fd(pair.b).size(), kSize);
  CHECK_EXIT(child, 0);
}

TEST(options) {
  const int fd = unix_socket(SOCK_SEQPACKET);
  int value;
  socklen_t size = sizeof value;
  OK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size));
  CHECK_EQ(value, SOCK_SEQPACKET);
  OK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &size));
  CHECK_EQ(value, AF_UNIX);
  OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &size));
  CHECK_EQ(value, 0);
  value = 100000;
  OK(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof value));
  OK(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &size));
  // Linux: the kernel doubles what is asked for.
  CHECK_EQ(value, 200000);
  CHECK_ERRNO(getsockopt(fd, SOL_SOCKET, 9999, &value, &size), ENOPROTOOPT);
  CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, 1), EINVAL);
  const Pair pair(SOCK_STREAM);
  const timeval soon = {0, 1000};
  OK(setsockopt(pair.a, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
  char byte;
  CHECK_ERRNO(recv(pair.a, &byte, 1, 0), EAGAIN);
}

TEST(multiple_messages) {
  const Pair pair(SOCK_DGRAM);
  char first[] = "one", second[] = "three";
  iovec vectors[] = {{first, 3}, {second, 5}};
  mmsghdr messages[2] = {};
  for (int i = 0; i < 2; ++i) {
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  CHECK_EQ(sendmmsg(pair.a, messages, 2, 0), 2);
  CHECK_EQ(recvmmsg(pair.b, messages, 2, MSG_DONTWAIT, nullptr), 2);
  CHECK_EQ(messages[0].msg_len, 3u);
  CHECK_EQ(messages[1].msg_len, 3u + 2u);
}

TEST(permission_of_the_name) {
  need_root();
  OK(chmod(".", 0777));
  const Address address("socket");
  listener(address);
  OK(chmod("socket", 0700));
  CHECK_EXIT(in_child([&] {
               OK(setresuid(1234, 1234, 1234));
               CHECK_ERRNO(connect(unix_socket(SOCK_STREAM), address.get(), address.size), EACCES);
             }),
             0);
}
