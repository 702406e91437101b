// Sending and receiving: msghdr, its address and its ancillary data are copied here.
#include <algorithm>

#include "abi/linux/uio.h"
#include "host/clock.h"
#include "lxcore/net/user_address.h"
#include "lxcore/syscalls/socket.h"
#include "lxcore/time/clocks.h"

namespace lxss::sys {

using abi::MsgFlag;
using net::Address;
using net::Socket;

namespace {

constexpr usize kMaxControl = 131072;  ///< net.core.optmem_max
constexpr u32 kMaxMessages = abi::kIOV_MAX;
/// Linux's mark of a call from 32-bit code.
constexpr abi::MsgFlags kCompat{0x80000000u};

/// A guest's msghdr, checked.
struct Header {
  UserAddr name;
  i32 name_size = 0;
  UserAddr control;
  usize control_size = 0;
  IoBuffer data;
};

Result<Header> parse_header(const abi::MsgHdr& raw) {
  if (raw.msg_name != 0 && raw.msg_namelen < 0) return Errno::kEINVAL;
  if (raw.msg_iovlen > IoBuffer::kMaxPieces) return Errno::kEMSGSIZE;
  // Linux: a longer address is cut rather than refused.
  const i32 name_size = std::min(raw.msg_namelen, static_cast<i32>(Address::kMaxSize));
  return Header{.name = UserAddr{raw.msg_name},
                .name_size = raw.msg_name != 0 ? name_size : 0,
                .control = UserAddr{raw.msg_control},
                .control_size = raw.msg_control != 0 ? raw.msg_controllen : 0,
                .data = TRY(IoBuffer::user_vector(UserAddr{raw.msg_iov}, raw.msg_iovlen))};
}

Result<usize> send_one(Task& task, Socket& socket, const abi::MsgHdr& raw, abi::MsgFlags flags) {
  Header header = TRY(parse_header(raw));
  const Address to = TRY(net::address_in(header.name, header.name_size));
  if (header.control_size > kMaxControl) return Errno::kENOBUFS;
  std::vector<std::byte> control(header.control_size);
  if (!control.empty()) TRY(copy_in(control.data(), header.control, control.size()));
  net::OutgoingMessage message{
      .data = header.data, .flags = flags, .to = to ? &to : nullptr, .control = control};
  return socket.send_message(task, message);
}

Result<usize> receive_one(Task& task, Socket& socket, UserAddr at, abi::MsgFlags flags) {
  const auto raw = TRY(UserIn<abi::MsgHdr>{at}.read());
  Header header = TRY(parse_header(raw));
  net::IncomingMessage message{
      .data = header.data,
      .flags = flags,
      .control = net::ReceivedControl(std::min(header.control_size, kMaxControl))};
  const usize size = TRY(socket.receive_message(task, message));
  if (header.name) {
    const UserInOut<i32> name_size{at + offsetof(abi::MsgHdr, msg_namelen)};
    const usize room = std::min<usize>(static_cast<u32>(header.name_size), message.from.size);
    if (room != 0) TRY(copy_out(header.name, message.from.bytes, room));
    TRY(name_size.write(static_cast<i32>(message.from.size)));
  }
  const usize used =
      TRY(message.control.deliver(task, header.control, flags.has(MsgFlag::kMSG_CMSG_CLOEXEC)));
  // Linux shows this flag of the request.
  abi::MsgFlags result = message.result | (flags & MsgFlag::kMSG_CMSG_CLOEXEC);
  if (message.control.truncated()) result |= MsgFlag::kMSG_CTRUNC;
  TRY(UserOut<u32>{at + offsetof(abi::MsgHdr, msg_flags)}.write(result.raw()));
  TRY(UserOut<u64>{at + offsetof(abi::MsgHdr, msg_controllen)}.write(used));
  return size;
}

UserAddr message_at(UserAddr messages, usize index) {
  return messages + index * sizeof(abi::MMsgHdr);
}

Result<> write_length(UserAddr message, usize length) {
  return UserOut<u32>{message + offsetof(abi::MMsgHdr, msg_len)}.write(static_cast<u32>(length));
}

}  // namespace

Result<usize> sendto(UnlockedTask task, Fd fd, UserAddr data, usize size, abi::MsgFlags flags,
                     UserAddr address, i32 address_size) {
  IoBuffer buffer = TRY(IoBuffer::user(data, size));
  auto socket = TRY(net::socket_of(task, fd));
  const Address to = TRY(net::address_in(address, address ? address_size : 0));
  net::OutgoingMessage message{
      .data = buffer, .flags = flags.without(kCompat), .to = to ? &to : nullptr};
  return socket->send_message(task, message);
}

Result<usize> recvfrom(UnlockedTask task, Fd fd, UserAddr data, usize size, abi::MsgFlags flags,
                       UserAddr address, UserInOut<i32> address_size) {
  IoBuffer buffer = TRY(IoBuffer::user(data, size));
  auto socket = TRY(net::socket_of(task, fd));
  net::IncomingMessage message{
      .data = buffer, .flags = flags.without(kCompat), .data_only = !address};
  const usize received = TRY(socket->receive_message(task, message));
  if (address) TRY(net::address_out(message.from, address, address_size));
  return received;
}

Result<usize> sendmsg(UnlockedTask task, Fd fd, UserIn<abi::MsgHdr> message, abi::MsgFlags flags) {
  if (flags.any(kCompat)) return Errno::kEINVAL;
  auto socket = TRY(net::socket_of(task, fd));
  return send_one(task, *socket, TRY(message.read()), flags);
}

Result<usize> recvmsg(UnlockedTask task, Fd fd, UserInOut<abi::MsgHdr> message,
                      abi::MsgFlags flags) {
  if (flags.any(kCompat)) return Errno::kEINVAL;
  auto socket = TRY(net::socket_of(task, fd));
  return receive_one(task, *socket, message.address, flags);
}

Result<u32> sendmmsg(UnlockedTask task, Fd fd, UserAddr messages, u32 count, abi::MsgFlags flags) {
  if (flags.any(kCompat)) return Errno::kEINVAL;
  auto socket = TRY(net::socket_of(task, fd));
  count = std::min(count, kMaxMessages);
  for (u32 done = 0; done < count; ++done) {
    const UserAddr at = message_at(messages, done);
    auto sent = [&]() -> Result<usize> {
      const usize size = TRY(send_one(task, *socket, TRY(UserIn<abi::MsgHdr>{at}.read()), flags));
      TRY(write_length(at, size));
      return size;
    }();
    if (!sent.ok()) return done ? Result<u32>(done) : Result<u32>(sent.error());
  }
  return count;
}

Result<u32> recvmmsg(UnlockedTask task, Fd fd, UserAddr messages, u32 count, abi::MsgFlags flags,
                     UserInOut<abi::Timespec> timeout) {
  if (flags.any(kCompat)) return Errno::kEINVAL;
  host::Deadline deadline;
  if (timeout) deadline = clocks::deadline_after(TRY(clocks::to_ns(TRY(timeout.read()))));
  auto socket = TRY(net::socket_of(task, fd));
  count = std::min(count, kMaxMessages);
  u32 done = 0;
  while (done < count) {
    const UserAddr at = message_at(messages, done);
    auto received = [&]() -> Result<usize> {
      const usize size =
          TRY(receive_one(task, *socket, at, flags.without(MsgFlag::kMSG_WAITFORONE)));
      TRY(write_length(at, size));
      return size;
    }();
    if (!received.ok()) {
      if (done == 0) return received.error();
      // What ends the call early is reported by the next one (man 2 recvmmsg).
      if (!received.is(Errno::kEAGAIN) && !is_internal(received.error())) {
        socket->set_error(received.error());
      }
      break;
    }
    ++done;
    if (flags.has(MsgFlag::kMSG_WAITFORONE)) flags |= MsgFlag::kMSG_DONTWAIT;
    // Linux: the timeout is looked at between messages only.
    if (deadline && host::monotonic_ns() >= *deadline) break;
  }
  if (timeout) TRY(timeout.write(clocks::to_timespec(deadline ? clocks::time_left(*deadline) : 0)));
  return done;
}

}  // namespace lxss::sys
