#include "fs/procfs/socket_files.h"

#include <algorithm>
#include <bit>

#include "fs/procfs/process_facts.h"
#include "lxcore/kernel.h"
#include "lxcore/net/socket.h"
#include "lxcore/net/unix_endpoint.h"
#include "lxcore/net/unix_names.h"
#include "lxcore/net/unix_socket.h"

namespace lxss::procfs {

namespace {

/// States of a socket in these files, from Linux's TCP.
constexpr u8 kEstablished = 1;
constexpr u8 kClosed = 7;

/// An address as tcp and udp show it: words of memory in hexadecimal, and the port.
struct ShownAddress {
  u32 words[4] = {};
  usize word_count = 1;
  u16 port = 0;

  explicit ShownAddress(const net::Address& address, i32 family) {
    word_count = family == abi::kAF_INET6 ? 4 : 1;
    if (address.family() == abi::kAF_INET6) {
      auto name = address.as<abi::SockaddrIn6>();
      port = std::rotl(name.sin6_port, 8);
      std::memcpy(words, &name.sin6_addr, sizeof name.sin6_addr);
    } else if (address.family() == abi::kAF_INET) {
      auto name = address.as<abi::SockaddrIn>();
      port = std::rotl(name.sin_port, 8);
      std::memcpy(words, &name.sin_addr, sizeof name.sin_addr);
    }
  }
};

TextBuilder& upper_hex(TextBuilder& out, u64 number, usize width) {
  TextBuilder lower;
  lower.hex(number, width);
  for (char digit : lower.view()) {
    out << (digit >= 'a' ? static_cast<char>(digit - 'a' + 'A') : digit);
  }
  return out;
}

void append(TextBuilder& out, const ShownAddress& address) {
  for (usize i = 0; i < address.word_count; ++i) upper_hex(out, address.words[i], 8);
  out << ':';
  upper_hex(out, address.port, 4);
}

/// Every socket in a descriptor table, once.
std::vector<RefPtr<net::Socket>> open_sockets() {
  std::vector<RefPtr<net::Socket>> sockets;
  for (const RefPtr<FdTable>& files : descriptor_tables()) {
    for (i32 fd = files->next_used(0); fd >= 0; fd = files->next_used(fd + 1)) {
      auto file = files->get(Fd{fd});
      if (!file) continue;
      if (net::Socket* socket = (*file)->as_socket()) sockets.emplace_back(socket);
    }
  }
  std::sort(sockets.begin(), sockets.end());
  sockets.erase(std::unique(sockets.begin(), sockets.end()), sockets.end());
  return sockets;
}

/// Those of local sockets that are not closed.
std::vector<RefPtr<net::UnixEndpoint>> unix_endpoints() {
  net::UnixNamespace& names = net::unix_namespace();
  std::vector<RefPtr<net::UnixEndpoint>> endpoints;
  for (;;) {
    usize count;
    {
      Lock::Held held(names.lock);
      count = names.endpoint_count;
      if (count <= endpoints.capacity()) {
        for (net::UnixEndpoint& endpoint : names.endpoints) endpoints.emplace_back(endpoint);
        return endpoints;
      }
    }
    endpoints.reserve(count + 16);
  }
}

u8 state_of(net::Socket& socket, bool connected) {
  if (socket.type() != abi::kSOCK_STREAM) return connected ? kEstablished : kClosed;
  std::byte info[1] = {std::byte{kClosed}};
  (void)socket.get_option(Task::current(), abi::kIPPROTO_TCP, abi::kTCP_INFO, info);
  return static_cast<u8>(info[0]);
}

}  // namespace

void append_unix_sockets(TextBuilder& out) {
  constexpr u32 kAcceptsConnections = 0x10000;
  constexpr u8 kUnconnected = 1, kConnected = 3;
  using State = net::UnixEndpoint::State;
  for (const RefPtr<net::UnixEndpoint>& endpoint : unix_endpoints()) {
    const State state = endpoint->state;
    if (state == State::kClosed) continue;
    // Kernel addresses are not shown.
    out << "0000000000000000: ";
    upper_hex(out, endpoint->reference_count() - 1, 8) << " 00000000 ";
    upper_hex(out, state == State::kListening ? kAcceptsConnections : 0, 8) << ' ';
    upper_hex(out, static_cast<u64>(endpoint->type()), 4) << ' ';
    upper_hex(out, state == State::kConnected ? kConnected : kUnconnected, 2) << ' ';
    out.decimal(endpoint->inode_number.load(), 5);
    if (endpoint->name) out << ' ' << endpoint->name->text();
    out << '\n';
  }
}

void append_inet_sockets(TextBuilder& out, i32 family, i32 type) {
  constexpr usize kTcpWidth = 149, kUdpWidth = 127;
  u32 line = 0;
  for (const RefPtr<net::Socket>& socket : open_sockets()) {
    if (socket->domain() != family || socket->type() != type) continue;
    KernelLock::HeldFor guard(socket->locking());
    auto local = socket->local_address();
    if (!local) continue;
    auto peer = socket->peer_address();
    ShownAddress from(*local, family), to(peer.ok() ? *peer : net::Address(), family);
    // Linux: what has no port is not in the tables.
    if (from.port == 0) continue;
    usize start = out.size();
    bool stream = type == abi::kSOCK_STREAM;
    out.decimal(line++, stream ? 4 : 5) << ": ";
    append(out, from);
    out << ' ';
    append(out, to);
    out << ' ';
    upper_hex(out, state_of(*socket, peer.ok()), 2);
    // Queues, timer, retransmissions: the host's.
    out << " 00000000:00000000 00:00000000 00000000 ";
    out.decimal(socket->inode().uid(), 5)
        << "        0 " << socket->inode().number() << " 1 0000000000000000";
    out << (stream ? " 100 0 0 10 0" : " 0");
    if (family == abi::kAF_INET) out.pad_to(start + (stream ? kTcpWidth : kUdpWidth));
    out << '\n';
  }
}

SocketCounts count_sockets() {
  SocketCounts counts;
  for (const RefPtr<net::Socket>& socket : open_sockets()) {
    ++counts.used;
    if (socket->domain() != abi::kAF_INET) continue;
    ++(socket->type() == abi::kSOCK_STREAM ? counts.tcp : counts.udp);
  }
  return counts;
}

}  // namespace lxss::procfs
