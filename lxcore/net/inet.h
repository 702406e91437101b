// AF_INET and AF_INET6 over the host's network stack (man 7 ip, ipv6, tcp, udp, icmp).
//
// The host's socket never blocks; waiting, timeouts, MSG_WAITALL and SO_LINGER's time are
// done here. There is nothing to lock: all state is the host's, and its descriptor lives as long as
// the File, which each call keeps.
#pragma once

#include "abi/linux/ioctl.h"
#include "host/socket.h"
#include "lxcore/net/socket.h"

namespace lxss::net {

class InetSocket final : public Socket {
 public:
  static Result<RefPtr<InetSocket>> create(Task& task, i32 domain, i32 type, i32 protocol);
  InetSocket(i32 domain, i32 type, i32 protocol, host::UniqueFd host)
      : Socket(domain, type, protocol), host_(std::move(host)) {}

  Result<> bind(Task& task, const Address& address) override;
  Result<> connect(Task& task, const Address& address) override;
  Result<> listen(Task& task, i32 backlog) override;
  Result<RefPtr<Socket>> accept(Task& task, Address* peer) override;
  Result<Address> local_address() override;
  Result<Address> peer_address() override;
  Result<> shutdown(Task& task, i32 how) override;
  Result<usize> send(Task& task, OutgoingMessage& message) override;
  Result<usize> receive(Task& task, IncomingMessage& message) override;
  Result<> set_option(Task& task, i32 level, i32 option, std::span<const std::byte> value) override;
  Result<usize> get_option(Task& task, i32 level, i32 option, std::span<std::byte> value) override;
  PollEvents poll(PollRegistration* registration) override;
  host::Fd host_poll_fd() const override { return host_.get(); }
  Result<u64> ioctl(Task& task, u32 request, u64 argument) override;

 private:
  bool is_stream() const { return type() == abi::kSOCK_STREAM; }
  /// Until the host says that one of `events` holds, or something is wrong.
  Result<> wait_for_host(Task& task, PollEvents events, const Patience& patience);
  Result<> check_port(const Task& task, const Address& address) const;
  Result<i32> bytes_to_read() override { return query(abi::kFIONREAD); }
  Result<i32> bytes_unsent() override { return query(abi::kSIOCOUTQ); }
  Result<i32> query(u32 request);

  const host::UniqueFd host_;
};

/// Whether an option may pass to the host: its value holds no address and no descriptor.
bool may_pass_option(i32 level, i32 option);
/// The records of `control` that the host may see; EINVAL for malformed or foreign ones.
Result<std::vector<std::byte>> filter_control(std::span<const std::byte> control);

}  // namespace lxss::net
