#include "lxcore/net/netlink.h"

#include <algorithm>

#include "lxcore/kernel.h"
#include "lxcore/net/unix_names.h"

namespace lxss::net {

using abi::MsgFlag;
using abi::PollFlag;

namespace {

constexpr usize kMaxRequest = 65536;
constexpr i32 kLastSwitch = abi::kNETLINK_GET_STRICT_CHK;

Address kernel_address(u32 groups = 0) {
  return Address::of(abi::SockaddrNl{abi::kAF_NETLINK, 0, 0, groups});
}

Result<abi::SockaddrNl> parse(const Address& address) {
  if (address.size < sizeof(abi::SockaddrNl) || address.family() != abi::kAF_NETLINK) {
    return Errno::kEINVAL;
  }
  return address.as<abi::SockaddrNl>();
}

bool is_switch(i32 option) { return option >= abi::kNETLINK_PKTINFO && option <= kLastSwitch; }

}  // namespace

Result<RefPtr<NetlinkSocket>> NetlinkSocket::create(i32 type, i32 protocol) {
  if (type != abi::kSOCK_RAW && type != abi::kSOCK_DGRAM) return Errno::kESOCKTNOSUPPORT;
  if (protocol != abi::kNETLINK_ROUTE) return Errno::kEPROTONOSUPPORT;
  return make_ref<NetlinkSocket>(type, protocol);
}

NetlinkSocket::~NetlinkSocket() {
  UnixNamespace& names = unix_namespace();
  Lock::Held held(names.lock);
  if (port_ != 0) names.netlink_ports.erase(port_);
}

Result<> NetlinkSocket::take_port(const Task& task, u32 wanted) {
  UnixNamespace& names = unix_namespace();
  Lock::Held held(names.lock);
  if (port_ != 0) return wanted == 0 || wanted == port_ ? Result<>() : Errno::kEINVAL;
  auto& ports = names.netlink_ports;
  if (wanted != 0) {
    if (!ports.insert(wanted).second) return Errno::kEADDRINUSE;
    port_ = wanted;
    return {};
  }
  u32 port = static_cast<u32>(task.process->pid.value);
  // As Linux does, beyond the first of a process from the negative numbers.
  for (u32 next = ~u32{4095}; !ports.insert(port).second; --next) port = next;
  port_ = port;
  return {};
}

Result<> NetlinkSocket::bind(Task& task, const Address& address) {
  const auto name = TRY(parse(address));
  TRY(take_port(task, name.nl_pid));
  groups_ = name.nl_groups;
  return {};
}

Result<> NetlinkSocket::connect(Task& task, const Address& address) {
  if (address.size < sizeof(u16)) return Errno::kEINVAL;
  if (address.family() == abi::kAF_UNSPEC) return {};
  const auto name = TRY(parse(address));
  if (name.nl_pid != 0) return Errno::kECONNREFUSED;
  return take_port(task, 0);
}

Result<Address> NetlinkSocket::local_address() {
  return Address::of(abi::SockaddrNl{abi::kAF_NETLINK, 0, port_, groups_});
}

Result<Address> NetlinkSocket::peer_address() { return kernel_address(); }

Result<usize> NetlinkSocket::send(Task& task, OutgoingMessage& message) {
  if (message.flags.has(MsgFlag::kMSG_OOB)) return Errno::kEOPNOTSUPP;
  TRY(parse_control(task, message.control, false));
  if (message.to) {
    const auto name = TRY(parse(*message.to));
    if (name.nl_pid != 0 || name.nl_groups != 0) return Errno::kECONNREFUSED;
  }
  TRY(take_port(task, 0));
  const usize size = message.data.size();
  if (size > std::min<usize>(kMaxRequest, send_buffer_ - 32)) return Errno::kEMSGSIZE;
  std::vector<std::byte> data(size);
  if (size != 0 && TRY(message.data.take(data.data(), size)) != size) return Errno::kEFAULT;
  std::span<const std::byte> rest(data);
  while (rest.size() >= sizeof(abi::NlMsgHdr)) {
    abi::NlMsgHdr header;
    std::memcpy(&header, rest.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > rest.size()) break;
    TRY(queue(answer_route_request(rest.first(header.nlmsg_len), port_)));
    rest = rest.subspan(std::min<usize>(abi::nlmsg_align(header.nlmsg_len), rest.size()));
  }
  return size;
}

Result<> NetlinkSocket::queue(std::vector<Datagram> replies) {
  if (replies.empty()) return {};
  {
    Lock::Held held(lock_);
    if (replies_.size() >= kMaxReplies) return Errno::kENOBUFS;
    for (Datagram& reply : replies) replies_.push_back(std::move(reply));
  }
  events_.wake(PollFlag::kPOLLIN | PollFlag::kPOLLRDNORM);
  return {};
}

Result<usize> NetlinkSocket::receive(Task& task, IncomingMessage& message) {
  if (message.flags.has(MsgFlag::kMSG_OOB)) return Errno::kEOPNOTSUPP;
  const bool peek = message.flags.has(MsgFlag::kMSG_PEEK);
  Datagram reply;
  {
    Lock::Held held(lock_);
    TRY(wait(task, lock_, events_, patience_to_receive(message.flags),
             [this]() LXSS_REQUIRES(lock_) { return !replies_.empty(); }));
    if (peek) {
      reply = replies_.front();
    } else {
      reply = std::move(replies_.front());
      replies_.pop_front();
    }
  }
  const usize size = reply.size();
  const usize wanted = std::min(size, message.data.size());
  if (wanted != 0 && TRY(message.data.put(reply.data(), wanted)) != wanted) return Errno::kEFAULT;
  message.from = kernel_address();
  if (pass_credentials_) {
    message.control.add_value(abi::kSOL_SOCKET, abi::kSCM_CREDENTIALS, abi::Ucred{0, 0, 0});
  }
  if (wanted == size) return size;
  message.result |= MsgFlag::kMSG_TRUNC;
  return message.flags.has(MsgFlag::kMSG_TRUNC) ? size : wanted;
}

Result<> NetlinkSocket::set_option(Task& task, i32 level, i32 option,
                                   std::span<const std::byte> value) {
  if (level != abi::kSOL_NETLINK) return Socket::set_option(task, level, option, value);
  const i32 number = TRY(option_int(value));
  if (option == abi::kNETLINK_ADD_MEMBERSHIP || option == abi::kNETLINK_DROP_MEMBERSHIP) {
    constexpr i32 kGroups = 32;
    if (number < 1 || number > kGroups) return Errno::kEINVAL;
    const u32 bit = u32{1} << (number - 1);
    option == abi::kNETLINK_ADD_MEMBERSHIP ? groups_ |= bit : groups_ &= ~bit;
    return {};
  }
  if (!is_switch(option)) return Errno::kENOPROTOOPT;
  const u32 bit = u32{1} << option;
  number ? options_ |= bit : options_ &= ~bit;
  return {};
}

Result<usize> NetlinkSocket::get_option(Task& task, i32 level, i32 option,
                                        std::span<std::byte> value) {
  if (level != abi::kSOL_NETLINK) return Socket::get_option(task, level, option, value);
  if (!is_switch(option)) return Errno::kENOPROTOOPT;
  if (value.size() < sizeof(i32)) return Errno::kEINVAL;
  return put_option(value, i32{(options_ >> option & 1) != 0});
}

PollEvents NetlinkSocket::poll(PollRegistration* registration) {
  if (registration) registration->on(events_);
  PollEvents ready = PollFlag::kPOLLOUT | PollFlag::kPOLLWRNORM | PollFlag::kPOLLWRBAND;
  Lock::Held held(lock_);
  if (!replies_.empty()) ready |= PollFlag::kPOLLIN | PollFlag::kPOLLRDNORM;
  return ready;
}

Result<i32> NetlinkSocket::bytes_to_read() {
  Lock::Held held(lock_);
  return replies_.empty() ? 0 : static_cast<i32>(replies_.front().size());
}

}  // namespace lxss::net
