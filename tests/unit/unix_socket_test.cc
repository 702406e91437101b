// AF_UNIX sockets on the fake backend: streams, messages, names, files in flight.
#include "tests/unit/vfs_fixture.h"

#include <cstring>

#include "lxcore/net/socket.h"
#include "lxcore/net/unix_names.h"
#include "lxcore/net/unix_socket.h"
#include "lxcore/syscalls/socket.h"

namespace lxss {
namespace {

using abi::MsgFlag;
using abi::PollFlag;

constexpr i32 kNonblock = static_cast<i32>(abi::SockFlag::kSOCK_NONBLOCK);

class UnixSocketTest : public VfsTest {
 protected:
  struct Ends {
    Fd a, b;
  };
  Ends pair(i32 type, i32 flags = kNonblock) {
    i32 fds[2] = {-1, -1};
    EXPECT_EQ(to_register(sys::socketpair(task(), abi::kAF_UNIX, type | flags, 0, out(fds))), 0);
    return {Fd{fds[0]}, Fd{fds[1]}};
  }
  Fd make(i32 type, i32 flags = kNonblock) {
    auto fd = sys::socket(task(), abi::kAF_UNIX, type | flags, 0);
    EXPECT_TRUE(fd.ok());
    return *fd;
  }
  static UserAddr at(const void* memory) { return UserAddr{reinterpret_cast<u64>(memory)}; }
  struct Name {
    abi::SockaddrUn address{abi::kAF_UNIX, {}};
    i32 size;
    explicit Name(std::string_view path) : size(static_cast<i32>(2 + path.size())) {
      std::memcpy(address.sun_path, path.data(), path.size());
    }
  };
  i64 bind(Fd fd, std::string_view path) {
    Name name(path);
    return to_register(sys::bind(task(), fd, at(&name.address), name.size));
  }
  i64 connect(Fd fd, std::string_view path) {
    Name name(path);
    return to_register(sys::connect(task(), fd, at(&name.address), name.size));
  }
  i64 listen(Fd fd, i32 backlog) { return to_register(sys::listen(task(), fd, backlog)); }
  i64 accept(Fd fd) {
    return to_register(sys::accept4(task(), fd, {}, {}, abi::SockFlag::kSOCK_NONBLOCK));
  }
  i64 send(Fd fd, std::string_view data, abi::MsgFlags flags = {}) {
    return to_register(sys::sendto(task(), fd, at(data.data()), data.size(),
                                   flags | MsgFlag::kMSG_NOSIGNAL, {}, 0));
  }
  i64 send_to(Fd fd, std::string_view data, std::string_view path) {
    Name name(path);
    return to_register(
        sys::sendto(task(), fd, at(data.data()), data.size(), {}, at(&name.address), name.size));
  }
  /// The data, or "-errno".
  std::string receive(Fd fd, usize size = 100, abi::MsgFlags flags = {}) {
    std::string data(size, '\0');
    auto got = sys::recvfrom(task(), fd, at(data.data()), size, flags, {}, {});
    if (!got.ok()) return std::to_string(to_register(got));
    data.resize(std::min(*got, size));
    return data;
  }
  i64 send_files(Fd fd, std::vector<i32> files, std::string data = "x") {
    abi::IoVec piece{at(data.data()).value, data.size()};
    std::vector<std::byte> control(abi::cmsg_space(files.size() * sizeof(i32)));
    abi::CmsgHdr header{abi::cmsg_len(files.size() * sizeof(i32)), abi::kSOL_SOCKET,
                        abi::kSCM_RIGHTS};
    std::memcpy(control.data(), &header, sizeof header);
    std::memcpy(control.data() + sizeof header, files.data(), files.size() * sizeof(i32));
    abi::MsgHdr message{};
    message.msg_iov = at(&piece).value;
    message.msg_iovlen = 1;
    message.msg_control = at(control.data()).value;
    message.msg_controllen = control.size();
    return to_register(sys::sendmsg(task(), fd, in(&message), {}));
  }
  struct Delivery {
    std::string data;
    std::vector<i32> files;
    abi::MsgFlags flags;
    usize control_size = 0;
  };
  Delivery receive_files(Fd fd, usize room = 256, abi::MsgFlags flags = {}) {
    char data[64] = {};
    abi::IoVec piece{at(data).value, sizeof data};
    alignas(8) std::byte control[256] = {};
    abi::MsgHdr message{};
    message.msg_iov = at(&piece).value;
    message.msg_iovlen = 1;
    message.msg_control = at(control).value;
    message.msg_controllen = room;
    auto got = sys::recvmsg(task(), fd, {at(&message)}, flags);
    Delivery result;
    if (!got.ok()) {
      result.data = std::to_string(to_register(got));
      return result;
    }
    result.data.assign(data, *got);
    result.flags = abi::MsgFlags(message.msg_flags);
    result.control_size = message.msg_controllen;
    abi::CmsgHdr header;
    std::memcpy(&header, control, sizeof header);
    if (message.msg_controllen >= sizeof header && header.cmsg_type == abi::kSCM_RIGHTS) {
      result.files.resize((header.cmsg_len - sizeof header) / sizeof(i32));
      std::memcpy(result.files.data(), control + sizeof header, result.files.size() * sizeof(i32));
    }
    return result;
  }
  u32 events(Fd fd) { return MUST(task().file(fd))->poll(nullptr).raw(); }
  i32 option(Fd fd, i32 name) {
    i32 value = -1, size = sizeof value;
    EXPECT_EQ(
        to_register(sys::getsockopt(task(), fd, abi::kSOL_SOCKET, name, at(&value), {at(&size)})),
        0);
    return value;
  }
  i64 set_option(Fd fd, i32 name, i32 value) {
    return to_register(
        sys::setsockopt(task(), fd, abi::kSOL_SOCKET, name, at(&value), sizeof value));
  }
};

TEST_F(UnixSocketTest, StreamJoinsWritesAndPacketsStayApart) {
  auto [a, b] = pair(abi::kSOCK_STREAM);
  EXPECT_EQ(receive(b), std::to_string(error(Errno::kEAGAIN)));
  EXPECT_EQ(send(a, "one"), 3);
  EXPECT_EQ(send(a, "two"), 3);
  EXPECT_EQ(receive(b, 100, MsgFlag::kMSG_PEEK), "onetwo");
  EXPECT_EQ(receive(b, 4), "onet");
  EXPECT_EQ(receive(b), "wo");
  for (i32 type : {abi::kSOCK_DGRAM, abi::kSOCK_SEQPACKET}) {
    auto [c, d] = pair(type);
    EXPECT_EQ(send(c, "one"), 3);
    EXPECT_EQ(send(c, ""), 0);
    EXPECT_EQ(send(c, "two"), 3);
    EXPECT_EQ(receive(d, 2, MsgFlag::kMSG_PEEK), "on");
    EXPECT_EQ(receive(d, 2), "on");
    EXPECT_EQ(receive(d), "");
    EXPECT_EQ(receive(d), "two");
  }
}

TEST_F(UnixSocketTest, MessageTruncationIsReported) {
  auto [a, b] = pair(abi::kSOCK_DGRAM);
  send(a, "12345");
  char small[2];
  auto got = sys::recvfrom(task(), b, at(small), sizeof small, MsgFlag::kMSG_TRUNC, {}, {});
  EXPECT_EQ(to_register(got), 5);
}

TEST_F(UnixSocketTest, BuffersAreBounded) {
  for (i32 type : {abi::kSOCK_STREAM, abi::kSOCK_DGRAM, abi::kSOCK_SEQPACKET}) {
    auto [a, b] = pair(type);
    const std::string piece(100, 'x');
    int sent = 0;
    while (send(a, piece) == 100) ++sent;
    EXPECT_EQ(sent, 278);  // as many as on Linux
    EXPECT_EQ(send(a, piece), error(Errno::kEAGAIN));
    EXPECT_FALSE(events(a) & static_cast<u32>(PollFlag::kPOLLOUT));
    while (receive(b, 1 << 16) != std::to_string(error(Errno::kEAGAIN))) {
    }
    EXPECT_TRUE(events(a) & static_cast<u32>(PollFlag::kPOLLOUT));
  }
  auto [c, d] = pair(abi::kSOCK_SEQPACKET);
  EXPECT_EQ(send(c, std::string(300000, 'x')), error(Errno::kEMSGSIZE));
  auto [e, f] = pair(abi::kSOCK_STREAM);
  const i64 part = send(e, std::string(3000000, 'y'));
  EXPECT_GT(part, 200000);
  EXPECT_LT(part, 300000);
}

TEST_F(UnixSocketTest, BlockedWriterAndReaderTakeTurns) {
  auto [a, b] = pair(abi::kSOCK_STREAM, 0);
  Task& writer = task();
  Task& reader = instance_.new_thread(writer);
  std::string received;
  instance_.on_block = [&] {
    instance_.run_as(reader);
    for (std::string part(50000, '\0');;) {
      auto got =
          sys::recvfrom(reader, b, at(part.data()), part.size(), MsgFlag::kMSG_DONTWAIT, {}, {});
      if (!got.ok()) break;
      received.append(part, 0, *got);
    }
    instance_.run_as(writer);
  };
  std::string data(1000000, '\0');
  for (usize i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 7 + i / 251);
  EXPECT_EQ(send(a, data), static_cast<i64>(data.size()));
  instance_.on_block = {};
  while (received.size() < data.size()) received += receive(b, 65536, MsgFlag::kMSG_DONTWAIT);
  EXPECT_TRUE(received == data);
}

TEST_F(UnixSocketTest, WaitAllFillsTheBuffer) {
  auto [a, b] = pair(abi::kSOCK_STREAM, 0);
  send(a, "abc");
  Task& reader = task();
  Task& writer = instance_.new_thread(reader);
  instance_.on_block = [&, a = a] {
    use(writer);
    send(a, "de");
    use(reader);
  };
  EXPECT_EQ(receive(b, 5, MsgFlag::kMSG_WAITALL), "abcde");
}

TEST_F(UnixSocketTest, PathnamesLeadToListeners) {
  Fd listener = make(abi::kSOCK_STREAM);
  EXPECT_EQ(listen(listener, 1), error(Errno::kEINVAL));
  EXPECT_EQ(bind(listener, "/sock"), 0);
  EXPECT_EQ(bind(listener, "/sock2"), error(Errno::kEINVAL));
  EXPECT_EQ(bind(make(abi::kSOCK_STREAM), "/sock"), error(Errno::kEADDRINUSE));
  abi::Stat status{};
  EXPECT_EQ(stat("/sock", &status), 0);
  EXPECT_EQ(status.st_mode, abi::kS_IFSOCK | 0755u);
  Fd client = make(abi::kSOCK_STREAM);
  EXPECT_EQ(connect(client, "/sock"), error(Errno::kECONNREFUSED));
  EXPECT_EQ(connect(client, "/none"), error(Errno::kENOENT));
  EXPECT_EQ(listen(listener, 0), 0);
  EXPECT_EQ(connect(make(abi::kSOCK_SEQPACKET), "/sock"), error(Errno::kEPROTOTYPE));
  EXPECT_EQ(accept(listener), error(Errno::kEAGAIN));
  EXPECT_EQ(connect(client, "/sock"), 0);
  EXPECT_EQ(connect(make(abi::kSOCK_STREAM), "/sock"), error(Errno::kEAGAIN));
  EXPECT_EQ(send(client, "hi"), 2);
  Fd server{static_cast<i32>(accept(listener))};
  EXPECT_EQ(receive(server), "hi");
  EXPECT_EQ(connect(client, "/sock"), error(Errno::kEISCONN));

  abi::SockaddrUn name{};
  i32 size = sizeof name;
  EXPECT_TRUE(sys::getpeername(task(), client, at(&name), {at(&size)}).ok());
  EXPECT_EQ(size, 2 + 6);
  EXPECT_STREQ(name.sun_path, "/sock");
  close(listener);
  EXPECT_EQ(connect(make(abi::kSOCK_STREAM), "/sock"), error(Errno::kECONNREFUSED));
}

TEST_F(UnixSocketTest, ConnectNeedsWritePermission) {
  Fd listener = make(abi::kSOCK_STREAM);
  EXPECT_EQ(bind(listener, "/private"), 0);
  EXPECT_EQ(listen(listener, 5), 0);
  become(1000, 1000);
  EXPECT_EQ(connect(make(abi::kSOCK_STREAM), "/private"), error(Errno::kEACCES));
}

TEST_F(UnixSocketTest, AbstractNamesBelongToTheirType) {
  using namespace std::literals;
  Fd stream = make(abi::kSOCK_STREAM), datagram = make(abi::kSOCK_DGRAM);
  EXPECT_EQ(bind(stream, "\0name"sv), 0);
  EXPECT_EQ(bind(make(abi::kSOCK_STREAM), "\0name"sv), error(Errno::kEADDRINUSE));
  EXPECT_EQ(bind(datagram, "\0name"sv), 0);
  EXPECT_EQ(send_to(make(abi::kSOCK_DGRAM), "x", "\0name"sv), 1);
  EXPECT_EQ(receive(datagram), "x");
  EXPECT_EQ(connect(make(abi::kSOCK_SEQPACKET), "\0name"sv), error(Errno::kECONNREFUSED));
  close(stream);
  EXPECT_EQ(bind(make(abi::kSOCK_STREAM), "\0name"sv), 0);
  Fd automatic = make(abi::kSOCK_STREAM);
  EXPECT_EQ(bind(automatic, ""), 0);
  abi::SockaddrUn name{};
  i32 size = sizeof name;
  EXPECT_TRUE(sys::getsockname(task(), automatic, at(&name), {at(&size)}).ok());
  EXPECT_EQ(size, 2 + 6);
}

TEST_F(UnixSocketTest, ShutdownAndCloseAsLinuxTellsThem) {
  auto [a, b] = pair(abi::kSOCK_STREAM);
  EXPECT_EQ(events(a), 0x304u);
  EXPECT_EQ(to_register(sys::shutdown(task(), a, abi::kSHUT_WR)), 0);
  EXPECT_EQ(events(b), 0x2345u);
  EXPECT_EQ(send(a, "x"), error(Errno::kEPIPE));
  EXPECT_EQ(receive(b), "");
  EXPECT_EQ(send(b, "y"), 1);
  EXPECT_EQ(receive(a), "y");
  close(b);
  EXPECT_EQ(events(a), 0x2355u);

  auto [c, d] = pair(abi::kSOCK_STREAM);
  EXPECT_EQ(send(c, "unread"), 6);
  close(d);
  EXPECT_EQ(events(c), 0x235du);
  EXPECT_EQ(receive(c), std::to_string(error(Errno::kECONNRESET)));
  EXPECT_EQ(receive(c), "");

  auto [e, f] = pair(abi::kSOCK_DGRAM);
  close(f);
  EXPECT_EQ(events(e), 0x304u);
  EXPECT_EQ(send(e, "x"), error(Errno::kECONNREFUSED));
  EXPECT_EQ(send(e, "x"), error(Errno::kENOTCONN));
  EXPECT_EQ(events(make(abi::kSOCK_STREAM)), 0x314u);
}

TEST_F(UnixSocketTest, DatagramQueueIsBounded) {
  using namespace std::literals;
  Fd receiver = make(abi::kSOCK_DGRAM);
  EXPECT_EQ(bind(receiver, "\0full"sv), 0);
  Fd sender = make(abi::kSOCK_DGRAM);
  EXPECT_EQ(connect(sender, "\0full"sv), 0);
  for (int i = 0; i < 11; ++i) EXPECT_EQ(send(sender, "x"), 1);
  EXPECT_EQ(send(sender, "x"), error(Errno::kEAGAIN));
  EXPECT_FALSE(events(sender) & static_cast<u32>(PollFlag::kPOLLOUT));
  receive(receiver);
  EXPECT_EQ(send(sender, "x"), 1);
}

TEST_F(UnixSocketTest, FilesTravel) {
  auto [a, b] = pair(abi::kSOCK_STREAM);
  create("/file", 0644, "content");
  Fd file = must_open("/file", {});
  EXPECT_EQ(send(a, "aaaa"), 4);
  EXPECT_EQ(send_files(a, {file.value}), 1);
  EXPECT_EQ(send(a, "cccc"), 4);
  close(file);
  Delivery got = receive_files(b, 256, MsgFlag::kMSG_CMSG_CLOEXEC);
  EXPECT_EQ(got.data, "aaaax");  // files are a barrier behind them
  ASSERT_EQ(got.files.size(), 1u);
  EXPECT_EQ(read(Fd{got.files[0]}), "content");
  EXPECT_TRUE(MUST(task().files->close_on_exec(Fd{got.files[0]})));
  EXPECT_EQ(receive_files(b).data, "cccc");

  // What does not fit is dropped.
  EXPECT_EQ(send_files(a, {got.files[0], got.files[0], got.files[0]}), 1);
  got = receive_files(b, 24);
  EXPECT_EQ(got.files.size(), 2u);
  EXPECT_TRUE(got.flags.has(MsgFlag::kMSG_CTRUNC));
  EXPECT_EQ(send_files(a, {999}), error(Errno::kEBADF));
  EXPECT_EQ(send_files(a, std::vector<i32>(254, 0)), error(Errno::kEINVAL));
  EXPECT_EQ(net::unix_namespace().in_flight, 0u);
}

TEST_F(UnixSocketTest, FilesInFlightAreBounded) {
  become(1000, 1000);
  auto [c, d] = pair(abi::kSOCK_STREAM);
  task().process->limits[abi::kRLIMIT_NOFILE].rlim_cur = 16;
  i64 sent = 0;
  while (sent < 100 && send_files(c, {c.value, d.value}) == 1) ++sent;
  EXPECT_EQ(sent, 9);
  EXPECT_EQ(send_files(c, {c.value}), error(Errno::kETOOMANYREFS));
}

TEST_F(UnixSocketTest, SocketsThatOnlyMessagesHoldAreCollected) {
  net::UnixNamespace& names = net::unix_namespace();
  const auto count = [&names] {
    usize result = 0;
    for (auto& endpoint : names.endpoints) result += endpoint.type() != 0;
    return result;
  };
  {
    // Each is in the other's queue, and in its own.
    auto [a, b] = pair(abi::kSOCK_STREAM);
    EXPECT_EQ(send_files(a, {a.value, b.value}), 1);
    EXPECT_EQ(send_files(b, {a.value, b.value}), 1);
    close(a);
    close(b);
  }
  EXPECT_EQ(count(), 2u);
  net::collect_garbage();
  EXPECT_EQ(count(), 0u);
  EXPECT_EQ(names.in_flight, 0u);
  {
    // Reachable through a queue whose socket is held.
    auto [a, b] = pair(abi::kSOCK_STREAM);
    auto [c, d] = pair(abi::kSOCK_STREAM);
    EXPECT_EQ(send_files(c, {d.value}), 1);
    EXPECT_EQ(send_files(a, {c.value, d.value}), 1);
    close(c);
    close(d);
    net::collect_garbage();
    EXPECT_EQ(count(), 4u);
    Delivery got = receive_files(b);
    ASSERT_EQ(got.files.size(), 2u);
    EXPECT_EQ(receive_files(Fd{got.files[1]}).files.size(), 1u);
  }
}

TEST_F(UnixSocketTest, LongChainsInFlightEndWithoutDeepRecursion) {
  Fd last = make(abi::kSOCK_DGRAM);
  for (int i = 0; i < 20000; ++i) {
    auto [a, b] = pair(abi::kSOCK_DGRAM);
    EXPECT_EQ(send_files(a, {last.value}), 1);
    close(last);
    close(a);
    last = b;
  }
  close(last);
  EXPECT_EQ(net::unix_namespace().in_flight, 0u);
}

TEST_F(UnixSocketTest, CredentialsAreTold) {
  auto [a, b] = pair(abi::kSOCK_DGRAM);
  EXPECT_EQ(set_option(b, abi::kSO_PASSCRED, 1), 0);
  EXPECT_EQ(send(a, "x"), 1);
  EXPECT_EQ(receive_files(b).control_size, abi::cmsg_space(sizeof(abi::Ucred)));
  abi::Ucred peer{};
  i32 size = sizeof peer;
  EXPECT_TRUE(
      sys::getsockopt(task(), a, abi::kSOL_SOCKET, abi::kSO_PEERCRED, at(&peer), {at(&size)}).ok());
  EXPECT_EQ(Pid(peer.pid), task().process->pid);
}

TEST_F(UnixSocketTest, Options) {
  Fd fd = make(abi::kSOCK_STREAM);
  EXPECT_EQ(option(fd, abi::kSO_TYPE), abi::kSOCK_STREAM);
  EXPECT_EQ(option(fd, abi::kSO_DOMAIN), abi::kAF_UNIX);
  EXPECT_EQ(option(fd, abi::kSO_SNDBUF), 212992);
  EXPECT_EQ(set_option(fd, abi::kSO_SNDBUF, 1), 0);
  EXPECT_EQ(option(fd, abi::kSO_SNDBUF), 4608);
  EXPECT_EQ(set_option(fd, abi::kSO_RCVBUF, 5000), 0);
  EXPECT_EQ(option(fd, abi::kSO_RCVBUF), 10000);
  EXPECT_EQ(set_option(fd, 999, 1), error(Errno::kENOPROTOOPT));
  EXPECT_EQ(set_option(fd, abi::kSO_RCVTIMEO, 1), error(Errno::kEINVAL));
}

TEST_F(UnixSocketTest, ReceiveTimesOut) {
  auto [a, b] = pair(abi::kSOCK_STREAM, 0);
  const abi::Timeval soon{0, 1000};
  EXPECT_TRUE(
      sys::setsockopt(task(), b, abi::kSOL_SOCKET, abi::kSO_RCVTIMEO, at(&soon), sizeof soon).ok());
  EXPECT_EQ(receive(b), std::to_string(error(Errno::kEAGAIN)));
}

TEST_F(UnixSocketTest, BadDescriptorsAndAddresses) {
  create("/file");
  Fd file = must_open("/file", {});
  EXPECT_EQ(send(file, "x"), error(Errno::kENOTSOCK));
  EXPECT_EQ(send(Fd{77}, "x"), error(Errno::kEBADF));
  EXPECT_EQ(connect(make(abi::kSOCK_STREAM), "/file"), error(Errno::kECONNREFUSED));
  EXPECT_EQ(bind(make(abi::kSOCK_STREAM), "/file"), error(Errno::kEADDRINUSE));
  EXPECT_EQ(to_register(sys::socket(task(), abi::kAF_UNIX, 11, 0)), error(Errno::kEINVAL));
  EXPECT_EQ(to_register(sys::socket(task(), abi::kAF_UNIX, 4, 0)), error(Errno::kESOCKTNOSUPPORT));
  EXPECT_EQ(to_register(sys::socket(task(), abi::kAF_UNIX, 1, 2)), error(Errno::kEPROTONOSUPPORT));
  EXPECT_EQ(to_register(sys::socket(task(), 46, 1, 0)), error(Errno::kEAFNOSUPPORT));
  EXPECT_EQ(to_register(sys::socket(task(), 16, 3, abi::kNETLINK_AUDIT)),
            error(Errno::kEPROTONOSUPPORT));
}

}  // namespace
}  // namespace lxss
