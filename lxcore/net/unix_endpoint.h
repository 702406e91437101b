// One end of AF_UNIX communication, apart from the File through which a guest uses it: an
// endpoint exists before it is accepted, and as long as a peer or a message knows of it.
//
// References: the UnixSocket holds its endpoint, connected endpoints hold each other, a
// message holds its sender. close() breaks all of them; it comes with the end of the File.
//
// Locks: each endpoint has one, under which its own state and queue change. Two of them are never
// held at once: what concerns two ends is done at one after the other, and it is the receiving
// end's lock that decides whether a message still arrives. Messages are made, filled, read and
// destroyed without short locks.
#pragma once

#include <list>
#include <memory>

#include "base/set_once.h"
#include "lxcore/net/unix_names.h"
#include "lxcore/net/unix_rights.h"
#include "lxcore/task/credentials.h"

namespace lxss::net {

/// A message, or a piece of a stream. Made and destroyed by its functions: data follows it. It
/// belongs to its writer, then under the endpoint's lock to the queue, then to who took it.
class UnixMessage final : public ListNode<UnixMessage> {
 public:
  static UnixMessage* create(UnixEndpoint& sender, usize size);
  /// A user leaves the message; with the last it goes, and its charge on the sender ends. Without
  /// short locks.
  static void destroy(UnixMessage* message);

  std::byte* data() { return reinterpret_cast<std::byte*>(this + 1); }
  usize left() const { return size - consumed; }
  /// What it counts against SO_SNDBUF; with Linux's overhead for a small message.
  usize charge() const { return size + 668; }

  usize size;
  usize consumed = 0;  ///< by readers of a stream: who holds `reading`
  RefPtr<UnixEndpoint> sender;
  RefPtr<UnixName> from;
  abi::Ucred credentials{};
  std::unique_ptr<Rights> rights;
  /// The queue or who took it, and those who peek. Grows under the lock of the queue it is in.
  std::atomic<u32> users{1};

 private:
  UnixMessage(UnixEndpoint& from_endpoint, usize data_size);
  ~UnixMessage() = default;
};

/// Who was at the other end when it connected, listened or made the pair (SO_PEERCRED).
struct UnixIdentity {
  i32 pid = 0;
  RefPtr<Credentials> credentials;
};

class UnixEndpoint final : public RefCounted,
                           public ListNode<EndpointTag>,
                           public ListNode<FlightTag>,
                           public ListNode<EmbryoTag> {
 public:
  enum class State : u8 { kUnconnected, kListening, kConnected, kClosed };
  /// Messages that wait at a datagram socket (net.unix.max_dgram_qlen).
  static constexpr usize kMaxQueued = 10;

  explicit UnixEndpoint(i32 type);
  ~UnixEndpoint() override;

  i32 type() const { return type_; }
  bool is_datagram() const;
  bool is_connected() const { return state.load(std::memory_order_acquire) == State::kConnected; }

  /// Joins the instance's sockets: as the endpoint of `front`, to which it belongs from now on.
  void enter(UnixSocket& front);
  /// Connects two ends that keep each other until one closes; nobody else knows of either.
  static void join(UnixEndpoint& a, UnixEndpoint& b, const UnixIdentity& identity);
  /// This end of a connection whose other end, `other`, knows it already.
  void connected(RefPtr<UnixEndpoint> other, UnixIdentity identity);
  /// Puts an end whose peer wants to connect into the backlog; who listens is stored in
  /// `listener`. ECONNREFUSED; EAGAIN if it is full; `objection`, if it is none of these.
  Result<> add_connection(RefPtr<UnixEndpoint> embryo, Errno objection, UnixIdentity& listener);
  /// Takes the next connection; null if there is none.
  RefPtr<UnixEndpoint> take_connection() LXSS_REQUIRES(lock);
  /// man 2 listen. EINVAL when connected.
  Result<> listen(usize limit, UnixIdentity who);
  /// Of a datagram socket: to whom it sends, and from whom alone it receives.
  void set_peer(RefPtr<UnixEndpoint> target);
  /// The peer, for who may meet another that changes it.
  RefPtr<UnixEndpoint> current_peer() const;
  /// The peer of a connected stream, for a call on its own file: it stays.
  UnixEndpoint& connected_peer() const LXSS_NO_THREAD_SAFETY_ANALYSIS { return *peer; }

  /// Room for one more message of this sender.
  bool may_send() const { return unread.load() < send_limit.load(std::memory_order_relaxed); }
  bool is_writable() const {
    return unread.load() * 4 <= send_limit.load(std::memory_order_relaxed);
  }
  /// No more than the backlog (connections), or kMaxQueued (datagrams).
  bool is_full() const LXSS_REQUIRES(lock);
  /// Whether a datagram of `sender` would be taken, as far as room goes.
  bool has_room_for(const UnixEndpoint& sender) const LXSS_REQUIRES(lock);
  /// Queues a message of `from`; it then belongs to the queue. EPIPE after the end; for datagrams
  /// ECONNREFUSED instead if it is closed, EPERM if it is another's, EAGAIN if it is full.
  Result<> deliver(UnixMessage* message, const UnixEndpoint& from);
  /// Takes the first message off the queue. The caller destroys it.
  UnixMessage* take() LXSS_REQUIRES(lock);
  /// Puts one back that was not used up.
  void put_back(UnixMessage* message) LXSS_REQUIRES(lock);
  /// Drops all messages.
  void purge();
  /// An error to be reported, once; 0 if there is none.
  Errno take_error();
  /// man 2 shutdown; a connected peer notices.
  void shutdown(bool receive, bool send);
  /// The end. `accepted`: false for one that nobody ever accepted.
  void close(bool accepted);
  PollEvents poll(PollRegistration* registration);
  /// Has `events` woken when there is room at the peer of a datagram socket.
  void watch_peer(const UnixEndpoint& target);

  mutable Lock lock{LockRank::kObject};

  std::atomic<State> state = State::kUnconnected;  ///< changes under `lock`
  SetOnce<UnixName> name;                          ///< set with `setup` held
  Path bound_path;  ///< keeps the inode that knows this endpoint; UnixNamespace::lock
  /// Held by who names it, connects it or makes it listen: a state that is not "unconnected" has
  /// come to stay, until the end.
  SleepLock setup;

  /// Of a stream set once, before `state` says so; close() takes it back. See connected_peer().
  RefPtr<UnixEndpoint> peer LXSS_GUARDED_BY(lock);
  UnixIdentity identity LXSS_GUARDED_BY(lock);  ///< of the listener, for those who connect
  UnixIdentity peer_identity LXSS_GUARDED_BY(lock);
  /// Set under `lock`. What is shut for receiving takes no message any more; `send_shut` of a
  /// stream follows its peer's `receive_shut`.
  std::atomic<bool> receive_shut = false, send_shut = false;
  std::atomic<Errno> error{Errno{0}};

  List<UnixMessage> received LXSS_GUARDED_BY(lock);
  usize received_count LXSS_GUARDED_BY(lock) = 0;
  usize received_bytes LXSS_GUARDED_BY(lock) = 0;
  /// Of a stream: held while data is copied out, so that the front piece stays where it is.
  SleepLock reading;
  std::atomic<usize> unread{0};  ///< charge of what this endpoint sent and nobody has read
  std::atomic<usize> send_limit{212992};

  std::list<RefPtr<UnixEndpoint>> backlog LXSS_GUARDED_BY(lock);
  usize backlog_limit LXSS_GUARDED_BY(lock) = 0;

  WaitQueue events;  ///< something to read or accept, room to send, another state
  WaitQueue room;    ///< room in this endpoint's queue or backlog, for others

  Reachability reach;                ///< unix_rights.cc; UnixNamespace::lock
  std::atomic<u64> inode_number{0};  ///< of its file, once it has one

 private:
  /// Hangs on the `room` of a datagram socket's peer, for the poll of this end.
  class Relay final : public WaitEntry {
   public:
    explicit Relay(WaitQueue& to) : to_(to) {}
    bool notify(PollEvents happened) override {
      to_.wake(happened);
      return false;
    }

   private:
    WaitQueue& to_;
  };

  /// The peer has shut its side down.
  void peer_shut(bool receive, bool send, Errno reason);
  void leave_namespace();

  const i32 type_;
  Relay relay_ LXSS_GUARDED_BY(lock){events};  ///< linked only to the room of `peer`
};

}  // namespace lxss::net
