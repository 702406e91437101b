// AF_NETLINK with NETLINK_ROUTE: programs ask for the host's interfaces and addresses (man 7
// netlink, rtnetlink). Nothing can be changed, and no events come.
#pragma once

#include <deque>

#include "lxcore/net/socket.h"

namespace lxss::net {

class NetlinkSocket final : public Socket {
 public:
  /// Datagrams of replies that may wait; requests beyond are ENOBUFS.
  static constexpr usize kMaxReplies = 256;

  static Result<RefPtr<NetlinkSocket>> create(i32 type, i32 protocol);
  NetlinkSocket(i32 type, i32 protocol) : Socket(abi::kAF_NETLINK, type, protocol) {}
  ~NetlinkSocket() override;

  Result<> bind(Task& task, const Address& address) override;
  Result<> connect(Task& task, const Address& address) override;
  Result<Address> local_address() override;
  Result<Address> peer_address() override;
  Result<usize> send(Task& task, OutgoingMessage& message) override;
  Result<usize> receive(Task& task, IncomingMessage& message) override;
  Result<> set_option(Task& task, i32 level, i32 option, std::span<const std::byte> value) override;
  Result<usize> get_option(Task& task, i32 level, i32 option, std::span<std::byte> value) override;
  PollEvents poll(PollRegistration* registration) override;

 private:
  using Datagram = std::vector<std::byte>;
  /// Takes a port: `wanted`, or the process's id, or what is free.
  Result<> take_port(const Task& task, u32 wanted);
  /// Queues an answer; ENOBUFS.
  Result<> queue(std::vector<Datagram> replies);
  Result<i32> bytes_to_read() override;

  std::atomic<u32> port_ = 0;  ///< nl_pid; 0 until bound, which is under UnixNamespace::lock
  std::atomic<u32> groups_ = 0;
  std::atomic<u32> options_ = 0;  ///< switches of SOL_NETLINK by number
  Lock lock_{LockRank::kObject};
  std::deque<Datagram> replies_ LXSS_GUARDED_BY(lock_);
  WaitQueue events_;
};

/// The datagrams that answer one request of NETLINK_ROUTE (route_messages.cc). `request` is a
/// whole message with its header.
std::vector<std::vector<std::byte>> answer_route_request(std::span<const std::byte> request,
                                                         u32 port);

}  // namespace lxss::net
