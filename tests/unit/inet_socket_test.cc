// Internet sockets over the host's loopback, and netlink, on the fake backend.
#include <cstring>
#include <set>

#include "abi/linux/ioctl.h"
#include "lxcore/net/inet.h"
#include "lxcore/net/interfaces.h"
#include "lxcore/net/netlink.h"
#include "lxcore/syscalls/file.h"
#include "lxcore/syscalls/socket.h"
#include "tests/unit/vfs_fixture.h"

// Behind ours: these define names of structure members as macros.
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

namespace lxss {
namespace {

using abi::MsgFlag;

constexpr i32 kNonblock = static_cast<i32>(abi::SockFlag::kSOCK_NONBLOCK);

class InetSocketTest : public VfsTest {
 protected:
  static UserAddr at(const void* memory) { return UserAddr{reinterpret_cast<u64>(memory)}; }
  Fd make(i32 type, i32 flags = 0) {
    return MUST(sys::socket(task(), abi::kAF_INET, type | flags, 0));
  }
  static abi::SockaddrIn loopback(u16 port) {
    return {.sin_family = abi::kAF_INET,
            .sin_port = htons(port),
            .sin_addr = {htonl(abi::kINADDR_LOOPBACK)},
            .sin_zero = {}};
  }
  i64 bind(Fd fd, const abi::SockaddrIn& to) {
    return to_register(sys::bind(task(), fd, at(&to), sizeof to));
  }
  i64 connect(Fd fd, const abi::SockaddrIn& to) {
    return to_register(sys::connect(task(), fd, at(&to), sizeof to));
  }
  abi::SockaddrIn local(Fd fd) {
    abi::SockaddrIn name{};
    i32 size = sizeof name;
    EXPECT_TRUE(sys::getsockname(task(), fd, at(&name), {at(&size)}).ok());
    EXPECT_EQ(size, static_cast<i32>(sizeof name));
    return name;
  }
  i64 send(Fd fd, std::string_view data, abi::MsgFlags flags = MsgFlag::kMSG_NOSIGNAL) {
    return to_register(sys::sendto(task(), fd, at(data.data()), data.size(), flags, {}, 0));
  }
  std::string receive(Fd fd, usize size = 100, abi::MsgFlags flags = {}) {
    std::string data(size, '\0');
    auto got = sys::recvfrom(task(), fd, at(data.data()), size, flags, {}, {});
    if (!got.ok()) return std::to_string(to_register(got));
    data.resize(*got);
    return data;
  }
};

TEST_F(InetSocketTest, StreamOverLoopback) {
  Fd listener = make(abi::kSOCK_STREAM);
  EXPECT_EQ(bind(listener, loopback(0)), 0);
  EXPECT_EQ(to_register(sys::listen(task(), listener, 5)), 0);
  const abi::SockaddrIn name = local(listener);
  Fd client = make(abi::kSOCK_STREAM);
  EXPECT_EQ(connect(client, name), 0);
  EXPECT_EQ(connect(client, name), error(Errno::kEISCONN));
  abi::SockaddrIn peer{};
  i32 size = sizeof peer;
  Fd server = MUST(sys::accept(task(), listener, at(&peer), {at(&size)}));
  EXPECT_EQ(peer.sin_port, local(client).sin_port);
  EXPECT_EQ(write(client, "abc"), 3);
  EXPECT_EQ(read(server), "abc");
  EXPECT_EQ(send(server, "12345"), 5);
  EXPECT_EQ(receive(client, 2, MsgFlag::kMSG_PEEK), "12");
  EXPECT_EQ(receive(client, 5, MsgFlag::kMSG_WAITALL), "12345");
  close(server);
  EXPECT_EQ(read(client), "");
}

TEST_F(InetSocketTest, RefusedAndNonblockingConnections) {
  Fd reserved = make(abi::kSOCK_STREAM);
  EXPECT_EQ(bind(reserved, loopback(0)), 0);
  const abi::SockaddrIn name = local(reserved);
  EXPECT_EQ(connect(make(abi::kSOCK_STREAM), name), error(Errno::kECONNREFUSED));
  Fd client = make(abi::kSOCK_STREAM, kNonblock);
  EXPECT_EQ(connect(client, name), error(Errno::kEINPROGRESS));
  i32 pending = 0, size = sizeof pending;
  EXPECT_TRUE(
      sys::getsockopt(task(), client, abi::kSOL_SOCKET, abi::kSO_ERROR, at(&pending), {at(&size)})
          .ok());
  EXPECT_EQ(pending, ECONNREFUSED);
}

TEST_F(InetSocketTest, Datagrams) {
  Fd a = make(abi::kSOCK_DGRAM), b = make(abi::kSOCK_DGRAM, kNonblock);
  EXPECT_EQ(bind(b, loopback(0)), 0);
  EXPECT_EQ(receive(b), std::to_string(error(Errno::kEAGAIN)));
  EXPECT_EQ(connect(a, local(b)), 0);
  EXPECT_EQ(send(a, "one"), 3);
  EXPECT_EQ(send(a, ""), 0);
  i32 waiting = 0;
  EXPECT_TRUE(MUST(task().file(b))->ioctl(task(), abi::kFIONREAD, at(&waiting).value).ok());
  EXPECT_EQ(waiting, 3);
  EXPECT_EQ(receive(b), "one");
  EXPECT_EQ(receive(b), "");
}

TEST_F(InetSocketTest, PrivilegedPortsAndRawSocketsAreTheGuestsPrivilege) {
  become(1000, 1000);
  EXPECT_EQ(bind(make(abi::kSOCK_STREAM), loopback(80)), error(Errno::kEACCES));
  EXPECT_EQ(to_register(sys::socket(task(), abi::kAF_INET, abi::kSOCK_RAW, 1)),
            error(Errno::kEPERM));
}

TEST_F(InetSocketTest, OptionsPassWhereTheyMay) {
  Fd fd = make(abi::kSOCK_STREAM);
  i32 value = 1;
  EXPECT_TRUE(sys::setsockopt(task(), fd, abi::kSOL_TCP, abi::kTCP_NODELAY, at(&value), 4).ok());
  EXPECT_EQ(to_register(sys::setsockopt(task(), fd, abi::kSOL_TCP, 35, at(&value), 4)),
            error(Errno::kENOPROTOOPT));
  EXPECT_EQ(to_register(
                sys::setsockopt(task(), fd, abi::kSOL_SOCKET, abi::kSO_ATTACH_BPF, at(&value), 4)),
            error(Errno::kENOPROTOOPT));
  const abi::Linger linger{1, 30};
  EXPECT_TRUE(
      sys::setsockopt(task(), fd, abi::kSOL_SOCKET, abi::kSO_LINGER, at(&linger), sizeof linger)
          .ok());
  abi::Linger seen{};
  i32 size = sizeof seen;
  EXPECT_TRUE(
      sys::getsockopt(task(), fd, abi::kSOL_SOCKET, abi::kSO_LINGER, at(&seen), {at(&size)}).ok());
  EXPECT_EQ(seen.l_linger, 30);
}

TEST_F(InetSocketTest, TheHostsInterfacesAreSeen) {
  ifaddrs* list = nullptr;
  ASSERT_EQ(getifaddrs(&list), 0);
  std::set<std::string> names;
  std::set<std::pair<u32, std::string>> addresses;
  for (ifaddrs* entry = list; entry; entry = entry->ifa_next) {
    names.insert(entry->ifa_name);
    if (!entry->ifa_addr) continue;
    const u32 index = if_nametoindex(entry->ifa_name);
    if (entry->ifa_addr->sa_family == AF_INET) {
      auto* name = reinterpret_cast<sockaddr_in*>(entry->ifa_addr);
      addresses.emplace(index, std::string(reinterpret_cast<char*>(&name->sin_addr), 4));
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      auto* name = reinterpret_cast<sockaddr_in6*>(entry->ifa_addr);
      addresses.emplace(index, std::string(reinterpret_cast<char*>(&name->sin6_addr), 16));
    }
  }
  freeifaddrs(list);
  std::set<std::string> seen;
  for (const net::Interface& link : net::interfaces()) {
    seen.insert(link.name);
    EXPECT_EQ(static_cast<u32>(link.index), if_nametoindex(link.name.c_str()));
  }
  EXPECT_EQ(seen, names);
  std::set<std::pair<u32, std::string>> seen_addresses;
  for (const net::InterfaceAddress& address : net::interface_addresses(0)) {
    seen_addresses.emplace(address.index,
                           std::string(reinterpret_cast<const char*>(address.address),
                                       address.family == abi::kAF_INET ? 4 : 16));
  }
  EXPECT_EQ(seen_addresses, addresses);
}

TEST_F(InetSocketTest, NetlinkAnswersDumps) {
  Fd fd = MUST(sys::socket(task(), abi::kAF_NETLINK, abi::kSOCK_RAW, abi::kNETLINK_ROUTE));
  struct {
    abi::NlMsgHdr header;
    u8 body[16];
  } request{{sizeof request, 18 /* RTM_GETLINK */, 0x301, 7, 0}, {}};
  EXPECT_EQ(send(fd, {reinterpret_cast<char*>(&request), sizeof request}),
            static_cast<i64>(sizeof request));
  bool done = false;
  usize links = 0;
  while (!done) {
    const std::string reply = receive(fd, 8192);
    ASSERT_GE(reply.size(), sizeof(abi::NlMsgHdr));
    for (usize offset = 0; offset < reply.size();) {
      abi::NlMsgHdr header;
      std::memcpy(&header, reply.data() + offset, sizeof header);
      ASSERT_GE(header.nlmsg_len, sizeof header);
      EXPECT_EQ(header.nlmsg_seq, 7u);
      links += header.nlmsg_type == 16;
      done = header.nlmsg_type == abi::kNLMSG_DONE;
      offset += abi::nlmsg_align(header.nlmsg_len);
    }
  }
  EXPECT_EQ(links, net::interfaces().size());
  EXPECT_EQ(receive(fd, 100, MsgFlag::kMSG_DONTWAIT), std::to_string(error(Errno::kEAGAIN)));
}

}  // namespace
}  // namespace lxss
