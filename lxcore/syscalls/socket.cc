// Making, naming, connecting and configuring sockets.
#include "lxcore/syscalls/socket.h"

#include <algorithm>

#include "lxcore/net/user_address.h"

namespace lxss::net {

Result<SocketRef> socket_of(const Task& task, Fd fd) {
  FileRef file = TRY(task.file(fd));
  if (!file->as_socket()) return Errno::kENOTSOCK;
  return SocketRef(std::move(file));
}

Result<Address> address_in(UserAddr from, i32 size) {
  if (size < 0 || static_cast<usize>(size) > Address::kMaxSize) return Errno::kEINVAL;
  Address result;
  result.size = static_cast<u32>(size);
  if (size != 0) TRY(copy_in(result.bytes, from, result.size));
  return result;
}

Result<> address_out(const Address& address, UserAddr to, UserInOut<i32> size) {
  const i32 room = TRY(size.read());
  if (room < 0) return Errno::kEINVAL;
  const usize length = std::min(static_cast<usize>(room), static_cast<usize>(address.size));
  if (length != 0) TRY(copy_out(to, address.bytes, length));
  return size.write(static_cast<i32>(address.size));
}

}  // namespace lxss::net

namespace lxss::sys {

using abi::SockFlag;
using net::Address;
using net::Socket;

namespace {

constexpr abi::SockFlags kTypeFlags = SockFlag::kSOCK_CLOEXEC | SockFlag::kSOCK_NONBLOCK;
/// The largest option value taken or given (SO_PEERGROUPS).
constexpr usize kMaxOption = 65536 * sizeof(u32);

struct SocketType {
  i32 type;
  abi::SockFlags flags;

  bool close_on_exec() const { return flags.has(SockFlag::kSOCK_CLOEXEC); }
  abi::OpenFlags open_flags() const {
    return flags.has(SockFlag::kSOCK_NONBLOCK) ? abi::OpenFlags(abi::OpenFlag::kO_NONBLOCK)
                                               : abi::OpenFlags();
  }
};

Result<SocketType> parse_type(i32 type) {
  const abi::SockFlags flags(static_cast<u32>(type & ~abi::kSOCK_TYPE_MASK));
  if (!flags.within(kTypeFlags)) return Errno::kEINVAL;
  return SocketType{type & abi::kSOCK_TYPE_MASK, flags};
}

Result<Fd> install(Task& task, RefPtr<File> file, bool close_on_exec) {
  return task.files->install(std::move(file), close_on_exec, task.limit(abi::kRLIMIT_NOFILE));
}

}  // namespace

Result<Fd> socket(UnlockedTask task, i32 domain, i32 type, i32 protocol) {
  const SocketType wanted = TRY(parse_type(type));
  auto made = TRY(net::create(task, domain, wanted.type, protocol, wanted.open_flags()));
  return install(task, std::move(made), wanted.close_on_exec());
}

Result<> socketpair(UnlockedTask task, i32 domain, i32 type, i32 protocol, UserOut<i32> fds) {
  const SocketType wanted = TRY(parse_type(type));
  auto pair = TRY(net::create_pair(task, domain, wanted.type, protocol, wanted.open_flags()));
  const Fd first = TRY(install(task, pair.first, wanted.close_on_exec()));
  auto second = install(task, pair.second, wanted.close_on_exec());
  if (!second.ok()) {
    (void)task->files->remove(first);
    return second.error();
  }
  auto written = fds.write(first.value, 0);
  if (written.ok()) written = fds.write(second->value, 1);
  if (!written.ok()) {
    (void)task->files->remove(first);
    (void)task->files->remove(*second);
  }
  return written;
}

Result<> bind(UnlockedTask task, Fd fd, UserAddr address, i32 size) {
  auto socket = TRY(net::socket_of(task, fd));
  return socket->bind(task, TRY(net::address_in(address, size)));
}

Result<> connect(UnlockedTask task, Fd fd, UserAddr address, i32 size) {
  auto socket = TRY(net::socket_of(task, fd));
  return socket->connect(task, TRY(net::address_in(address, size)));
}

Result<> listen(UnlockedTask task, Fd fd, i32 backlog) {
  return TRY(net::socket_of(task, fd))->listen(task, backlog);
}

Result<Fd> accept(UnlockedTask task, Fd fd, UserAddr address, UserInOut<i32> size) {
  return accept4(task, fd, address, size, {});
}

Result<Fd> accept4(UnlockedTask task, Fd fd, UserAddr address, UserInOut<i32> size,
                   abi::SockFlags flags) {
  if (!flags.within(kTypeFlags)) return Errno::kEINVAL;
  auto socket = TRY(net::socket_of(task, fd));
  const SocketType wanted{socket->type(), flags};
  Address peer;
  RefPtr<Socket> accepted = TRY(socket->accept(task, &peer));
  net::initialise(*accepted, wanted.open_flags());
  if (address) TRY(net::address_out(peer, address, size));
  return install(task, std::move(accepted), wanted.close_on_exec());
}

Result<> getsockname(UnlockedTask task, Fd fd, UserAddr address, UserInOut<i32> size) {
  auto socket = TRY(net::socket_of(task, fd));
  return net::address_out(TRY(socket->local_address()), address, size);
}

Result<> getpeername(UnlockedTask task, Fd fd, UserAddr address, UserInOut<i32> size) {
  auto socket = TRY(net::socket_of(task, fd));
  return net::address_out(TRY(socket->peer_address()), address, size);
}

Result<> shutdown(UnlockedTask task, Fd fd, i32 how) {
  auto socket = TRY(net::socket_of(task, fd));
  if (how < abi::kSHUT_RD || how > abi::kSHUT_RDWR) return Errno::kEINVAL;
  return socket->shutdown(task, how);
}

Result<> setsockopt(UnlockedTask task, Fd fd, i32 level, i32 option, UserAddr value, i32 size) {
  if (size < 0) return Errno::kEINVAL;
  auto socket = TRY(net::socket_of(task, fd));
  std::vector<std::byte> copy(std::min(static_cast<usize>(size), kMaxOption));
  if (!copy.empty()) TRY(copy_in(copy.data(), value, copy.size()));
  return socket->set_option(task, level, option, copy);
}

Result<> getsockopt(UnlockedTask task, Fd fd, i32 level, i32 option, UserAddr value,
                    UserInOut<i32> size) {
  auto socket = TRY(net::socket_of(task, fd));
  const i32 room = TRY(size.read());
  if (room < 0) return Errno::kEINVAL;
  std::vector<std::byte> copy(std::min(static_cast<usize>(room), kMaxOption));
  const usize length = TRY(socket->get_option(task, level, option, copy));
  if (length != 0) TRY(copy_out(value, copy.data(), length));
  return size.write(static_cast<i32>(length));
}

}  // namespace lxss::sys
