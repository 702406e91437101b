// One end of AF_UNIX communication, apart from the File through which a guest uses it: an
// endpoint exists before it is accepted, and as long as a peer or a message knows of it.
//
// References: the UnixSocket holds its endpoint, connected endpoints hold each other, a
// message holds its sender. close() breaks all of them; it comes with the end of the File.
#pragma once

#include <list>
#include <memory>

#include "lxcore/net/unix_names.h"
#include "lxcore/net/unix_rights.h"
#include "lxcore/task/credentials.h"

namespace lxss::net {

class UnixSocket;

/// A message, or a piece of a stream. Made and destroyed by its functions: data follows it.
class UnixMessage final : public ListNode<UnixMessage> {
 public:
  static UnixMessage* create(UnixEndpoint& sender, usize size);
  /// Ends its charge on the sender.
  static void destroy(UnixMessage* message);

  std::byte* data() { return reinterpret_cast<std::byte*>(this + 1); }
  usize left() const { return size - consumed; }
  /// What it counts against SO_SNDBUF; with Linux's overhead for a small message.
  usize charge() const { return size + 668; }

  usize size;
  usize consumed = 0;  ///< by readers of a stream
  RefPtr<UnixEndpoint> sender;
  RefPtr<UnixName> from;
  abi::Ucred credentials{};
  std::unique_ptr<Rights> rights;

 private:
  UnixMessage(UnixEndpoint& from_endpoint, usize data_size);
  ~UnixMessage() = default;
};

/// Who was at the other end when it connected, listened or made the pair (SO_PEERCRED).
struct UnixIdentity {
  i32 pid = 0;
  RefPtr<Credentials> credentials;
};

class UnixEndpoint final : public RefCounted, public ListNode<EndpointTag> {
 public:
  enum class State : u8 { kUnconnected, kListening, kConnected, kClosed };
  /// Messages that wait at a datagram socket (net.unix.max_dgram_qlen).
  static constexpr usize kMaxQueued = 10;

  UnixEndpoint(i32 type, UnixSocket* front);
  ~UnixEndpoint() override;

  i32 type() const { return type_; }
  bool is_datagram() const;
  /// Connects two ends that keep each other until one closes.
  static void connect(UnixEndpoint& a, UnixEndpoint& b);

  /// Room for one more message of this sender.
  bool may_send() const { return unread < send_limit; }
  bool is_writable() const { return unread * 4 <= send_limit; }
  /// No more than the backlog (connections), or kMaxQueued (datagrams).
  bool is_full() const;
  void deliver(UnixMessage* message);
  /// Takes the first message off the queue. The caller destroys it.
  UnixMessage* take();
  /// Drops all messages.
  void purge();
  /// man 2 shutdown; a connected peer notices.
  void shutdown(bool receive, bool send);
  /// The end. `accepted`: false for one that nobody ever accepted.
  void close(bool accepted);
  PollEvents poll(PollRegistration* registration);

  UnixSocket* socket;  ///< null before accept and after the end
  State state = State::kUnconnected;
  RefPtr<UnixName> name;
  Path bound_path;  ///< keeps the inode that knows this endpoint
  SleepLock binding;

  RefPtr<UnixEndpoint> peer;
  UnixIdentity identity;  ///< of the listener, for those who connect
  UnixIdentity peer_identity;
  bool receive_shut = false, send_shut = false;
  Errno error{0};

  List<UnixMessage> received;
  usize received_count = 0;
  usize received_bytes = 0;
  SleepLock reading;  ///< of a stream: held while data is copied out
  usize unread = 0;   ///< charge of what this endpoint sent and nobody has read
  usize send_limit;

  std::list<RefPtr<UnixEndpoint>> backlog;
  usize backlog_limit = 0;

  WaitQueue events;  ///< something to read or accept, room to send, another state
  WaitQueue room;    ///< room in this endpoint's queue or backlog, for others

  // unix_rights.cc
  usize in_flight = 0;
  bool reachable = false;

 private:
  i32 type_;
};

}  // namespace lxss::net
