// AF_UNIX sockets as files (man 7 unix): stream, datagram, sequenced packets.
#pragma once

#include "lxcore/net/socket.h"
#include "lxcore/net/unix_endpoint.h"

namespace lxss::net {

class UnixSocket final : public Socket {
 public:
  static Result<RefPtr<UnixSocket>> create(i32 type, i32 protocol);
  /// Makes a pair of two new sockets.
  static void join(Task& task, UnixSocket& first, UnixSocket& second);
  /// The file of `endpoint`, or of a new one.
  explicit UnixSocket(i32 type, RefPtr<UnixEndpoint> endpoint = {});
  ~UnixSocket() override;

  UnixEndpoint& endpoint() const { return *endpoint_; }

  Result<> bind(Task& task, const Address& address) override;
  Result<> connect(Task& task, const Address& address) override;
  Result<> listen(Task& task, i32 backlog) override;
  Result<RefPtr<Socket>> accept(Task& task, Address* peer) override;
  Result<Address> local_address() override;
  Result<Address> peer_address() override;
  Result<> shutdown(Task& task, i32 how) override;
  Result<usize> send(Task& task, OutgoingMessage& message) override;
  Result<usize> receive(Task& task, IncomingMessage& message) override;
  Result<usize> get_option(Task& task, i32 level, i32 option, std::span<std::byte> value) override;
  PollEvents poll(PollRegistration* registration) override { return endpoint_->poll(registration); }
  std::string fdinfo() override;

 private:
  using State = UnixEndpoint::State;

  Result<> connect_datagram(Task& task, const Address& address);
  Result<> connect_stream(Task& task, const Address& address);
  /// A sender that passes credentials needs a name.
  Result<> ensure_name(Task& task);

  // unix_send.cc, unix_receive.cc
  Result<usize> send_stream(Task& task, OutgoingMessage& message, SentControl& control);
  Result<usize> send_packet(Task& task, OutgoingMessage& message, SentControl& control);
  Result<RefPtr<UnixEndpoint>> packet_target(Task& task, const Address* to);
  /// The peer of a datagram socket is closed.
  void forget_peer(const UnixEndpoint& closed);
  Result<usize> receive_stream(Task& task, IncomingMessage& message);
  struct StreamRead {
    usize done = 0;
    std::optional<abi::Ucred> sender;  ///< of what was read
    bool finished = false;             ///< no more may be joined
    Errno error{0};
  };
  void read_queue(IncomingMessage& message, StreamRead& read);
  /// The piece of the queue that is to be read next, taken from it if it will be read up; null if
  /// there is none that may be joined with what was read.
  struct Piece {
    UnixMessage* message = nullptr;
    usize size = 0;  ///< to be read
    bool taken = false;
  };
  Piece next_piece(const IncomingMessage& message, StreamRead& read, UnixMessage* peeked);
  Result<usize> receive_packet(Task& task, IncomingMessage& message);
  void describe(IncomingMessage& message, const UnixMessage& from, bool first);

  Errno take_error() override;
  bool is_listening() const override { return endpoint_->state == State::kListening; }
  void buffer_sizes_changed() override { endpoint_->send_limit = send_buffer_.load(); }
  void inode_known() override { endpoint_->inode_number = inode().number(); }
  Result<i32> bytes_to_read() override;
  Result<i32> bytes_unsent() override;

  const RefPtr<UnixEndpoint> endpoint_;
};

}  // namespace lxss::net
