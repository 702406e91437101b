#include "lxcore/net/inet.h"

#include <algorithm>

#include "host/clock.h"
#include "lxcore/task/process.h"

namespace lxss::net {

using abi::MsgFlag;
using abi::PollFlag;

namespace {

constexpr u16 kFirstUnprivilegedPort = 1024;
/// How often a wait looks again while the host reports nothing but a state that stays.
constexpr u64 kRetryNs = 10'000'000;

u16 port_of(const Address& address) {
  // The port stands at the same place in both families.
  const u16 port = address.as<abi::SockaddrIn>().sin_port;
  return static_cast<u16>(port << 8 | port >> 8);
}

}  // namespace

Result<RefPtr<InetSocket>> InetSocket::create(Task& task, i32 domain, i32 type, i32 protocol) {
  if (protocol < 0 || protocol > abi::kIPPROTO_MPTCP) return Errno::kEINVAL;
  if (type == abi::kSOCK_RAW && protocol == 0) return Errno::kEPROTONOSUPPORT;
  if (type == abi::kSOCK_RAW && !task.has_capability(abi::kCAP_NET_RAW)) return Errno::kEPERM;
  auto host = TRY(host::create_socket(domain, type, protocol));
  if (protocol == 0) protocol = type == abi::kSOCK_STREAM ? abi::kIPPROTO_TCP : abi::kIPPROTO_UDP;
  return make_ref<InetSocket>(domain, type, protocol, std::move(host));
}

Result<> InetSocket::check_port(const Task& task, const Address& address) const {
  if (address.size < sizeof(abi::SockaddrIn)) return {};  // the host will say
  const u16 port = port_of(address);
  if (port != 0 && port < kFirstUnprivilegedPort &&
      !task.has_capability(abi::kCAP_NET_BIND_SERVICE)) {
    return Errno::kEACCES;
  }
  return {};
}

Result<> InetSocket::bind(Task& task, const Address& address) {
  TRY(check_port(task, address));
  return host::bind(host_.get(), address.span());
}

Result<> InetSocket::wait_for_host(Task& task, PollEvents events, const Patience& patience) {
  if (!patience.may_wait) return Errno::kEAGAIN;
  abi::PollFd fd{host_.get().value, static_cast<i16>(events.raw()), 0};
  auto ready = Wait(task).sleep_on_host(std::span(&fd, 1), patience.deadline);
  if (!ready.ok()) return patience.failure(ready.error());
  const PollEvents seen(static_cast<u16>(fd.revents));
  if (*ready == 0 || seen.any(events)) return {};
  // An error or a hang-up that the operation may not consume (a queue of errors that nobody
  // reads): the host would report it again at once.
  u64 until = host::monotonic_ns() + kRetryNs;
  if (patience.deadline) until = std::min(until, *patience.deadline);
  auto slept = Wait(task).sleep(until);
  if (slept.is(Errno::kERESTARTSYS)) return patience.failure(slept.error());
  if (patience.deadline && until == *patience.deadline) return Errno::kEAGAIN;
  return {};
}

Result<> InetSocket::connect(Task& task, const Address& address) {
  const Patience patience = patience_to_send();
  auto started = host::connect(host_.get(), address.span());
  const bool resumed = started.is(Errno::kEALREADY) && patience.may_wait;
  if (!started.is(Errno::kEINPROGRESS) && !resumed) return started;
  if (!patience.may_wait) return started;
  for (;;) {
    auto waited =
        wait_for_host(task, PollFlag::kPOLLOUT | PollFlag::kPOLLERR | PollFlag::kPOLLHUP, patience);
    // Linux: the connection goes on being made after a timeout.
    if (waited.is(Errno::kEAGAIN)) return Errno::kEINPROGRESS;
    if (!waited.ok()) return waited;
    // Asked again, the host says how it ended.
    auto done = host::connect(host_.get(), address.span());
    if (!done.is(Errno::kEALREADY) && !done.is(Errno::kEINPROGRESS)) return done;
  }
}

Result<> InetSocket::listen(Task&, i32 backlog) { return host::listen(host_.get(), backlog); }

Result<RefPtr<Socket>> InetSocket::accept(Task& task, Address* peer) {
  const Patience patience = patience_to_receive();
  for (;;) {
    Address from;
    auto accepted = host::accept(host_.get(), from.bytes);
    if (accepted.ok()) {
      from.size = static_cast<u32>(std::min(accepted->address_size, Address::kMaxSize));
      if (peer) *peer = from;
      auto socket = make_ref<InetSocket>(domain(), type(), protocol(), std::move(accepted->socket));
      socket->inherit_options(*this);
      return RefPtr<Socket>(std::move(socket));
    }
    if (!accepted.is(Errno::kEAGAIN)) return accepted.error();
    TRY(wait_for_host(task, PollFlag::kPOLLIN, patience));
  }
}

Result<Address> InetSocket::local_address() {
  Address result;
  result.size = static_cast<u32>(TRY(host::local_address(host_.get(), result.bytes)));
  return result;
}

Result<Address> InetSocket::peer_address() {
  Address result;
  result.size = static_cast<u32>(TRY(host::peer_address(host_.get(), result.bytes)));
  return result;
}

Result<> InetSocket::shutdown(Task&, i32 how) { return host::shutdown(host_.get(), how); }

Result<usize> InetSocket::send(Task& task, OutgoingMessage& message) {
  // A connection that begins with data is more than one step of the host's.
  if (message.flags.has(MsgFlag::kMSG_FASTOPEN)) return Errno::kEOPNOTSUPP;
  const std::vector<std::byte> control = TRY(filter_control(message.control));
  const Patience patience = patience_to_send(message.flags);
  usize done = 0;
  for (;;) {
    Result<usize> sent =
        host::send(host_.get(),
                   {.address = message.to ? message.to->span() : std::span<std::byte>(),
                    .buffers = message.data.pieces(),
                    .control = control},
                   message.flags);
    if (sent.ok()) {
      message.data.skip(*sent);
      done += *sent;
      // A stream takes what it has room for; a caller that waits wants all of it taken.
      if (!is_stream() || message.data.empty() || !patience.may_wait) return done;
    } else if (sent.is(Errno::kEAGAIN)) {
      auto waited = wait_for_host(task, PollFlag::kPOLLOUT, patience);
      if (!waited.ok()) return done ? Result<usize>(done) : waited.error();
    } else {
      return done ? Result<usize>(done) : Result<usize>(sent.error());
    }
  }
}

Result<usize> InetSocket::receive(Task& task, IncomingMessage& message) {
  std::vector<std::byte> control(message.control.room());
  const std::span<std::byte> address =
      message.data_only ? std::span<std::byte>() : std::span<std::byte>(message.from.bytes);
  const bool fill = is_stream() && message.flags.has(MsgFlag::kMSG_WAITALL) &&
                    !message.flags.has(MsgFlag::kMSG_PEEK);
  const bool waits = !message.flags.any(MsgFlag::kMSG_ERRQUEUE | MsgFlag::kMSG_OOB);
  const Patience patience = patience_to_receive(message.flags);
  usize done = 0;
  for (;;) {
    Result<host::Received> got = host::receive(
        host_.get(), {.address = address, .buffers = message.data.pieces(), .control = control},
        message.flags);
    if (got.ok()) {
      message.data.skip(std::min(got->size, message.data.size()));
      done += got->size;
      message.from.size = static_cast<u32>(std::min(got->address_size, Address::kMaxSize));
      message.result |= got->flags;
      message.control.add_records(std::span(control).first(got->control_size));
      if (!fill || got->size == 0 || message.data.empty() || !patience.may_wait) return done;
      control.clear();  // what came with the first part is not to be joined with more
    } else if (got.is(Errno::kEAGAIN) && waits) {
      auto waited = wait_for_host(task, PollFlag::kPOLLIN | PollFlag::kPOLLRDHUP, patience);
      if (!waited.ok()) return done ? Result<usize>(done) : waited.error();
    } else {
      return done ? Result<usize>(done) : Result<usize>(got.error());
    }
  }
}

PollEvents InetSocket::poll(PollRegistration*) {
  constexpr PollEvents kAll = PollFlag::kPOLLIN | PollFlag::kPOLLPRI | PollFlag::kPOLLOUT |
                              PollFlag::kPOLLRDNORM | PollFlag::kPOLLRDBAND |
                              PollFlag::kPOLLWRNORM | PollFlag::kPOLLWRBAND | PollFlag::kPOLLRDHUP;
  abi::PollFd fd{host_.get().value, static_cast<i16>(kAll.raw()), 0};
  auto ready = host::poll(std::span(&fd, 1), u64{0});
  if (!ready.ok()) return {};
  return PollEvents(static_cast<u16>(fd.revents));
}

Result<i32> InetSocket::query(u32 request) {
  i32 value = 0;
  TRY(host::socket_control(host_.get(), request, std::as_writable_bytes(std::span(&value, 1))));
  return value;
}

Result<u64> InetSocket::ioctl(Task& task, u32 request, u64 argument) {
  if (request == abi::kSIOCATMARK) {
    TRY(UserOut<i32>{UserAddr{argument}}.write(TRY(query(request))));
    return u64{0};
  }
  return Socket::ioctl(task, request, argument);
}

}  // namespace lxss::net
