#include "lxcore/net/unix_endpoint.h"

#include <new>

#include "lxcore/net/socket.h"

namespace lxss::net {

using abi::PollFlag;

namespace {

constexpr PollEvents kReadable = PollFlag::kPOLLIN | PollFlag::kPOLLRDNORM;
constexpr PollEvents kWritable = PollFlag::kPOLLOUT | PollFlag::kPOLLWRNORM;

}  // namespace

UnixMessage::UnixMessage(UnixEndpoint& from_endpoint, usize data_size)
    : size(data_size), sender(&from_endpoint), from(from_endpoint.name.ref()) {
  from_endpoint.unread.fetch_add(charge());
}

UnixMessage* UnixMessage::create(UnixEndpoint& sender, usize size) {
  return new (::operator new(sizeof(UnixMessage) + size)) UnixMessage(sender, size);
}

void UnixMessage::destroy(UnixMessage* message) {
  // Nobody begins to peek any more: who is alone stays so.
  if (message->users.load(std::memory_order_acquire) != 1 && message->users.fetch_sub(1) != 1) {
    return;
  }
  const RefPtr<UnixEndpoint> sender = std::move(message->sender);
  sender->unread.fetch_sub(message->charge());
  message->~UnixMessage();
  ::operator delete(message);
  if (sender->is_writable()) sender->events.wake(kWritable);
}

UnixEndpoint::UnixEndpoint(i32 type) : type_(type) {}

UnixEndpoint::~UnixEndpoint() { LXSS_ASSERT(received.empty()); }

bool UnixEndpoint::is_datagram() const { return type_ == abi::kSOCK_DGRAM; }

void UnixEndpoint::enter(UnixSocket& front) {
  UnixNamespace& names = unix_namespace();
  Lock::Held held(names.lock);
  reach.socket = &front;
  ListNode<EmbryoTag>::unlink();
  if (ListNode<EndpointTag>::linked()) return;
  names.endpoints.push_back(*this);
  ++names.endpoint_count;
}

void UnixEndpoint::leave_namespace() {
  UnixNamespace& names = unix_namespace();
  forget_name(*this);
  Lock::Held held(names.lock);
  reach.socket = nullptr;
  ListNode<EmbryoTag>::unlink();
  if (!ListNode<EndpointTag>::linked()) return;
  ListNode<EndpointTag>::unlink();
  --names.endpoint_count;
}

void UnixEndpoint::join(UnixEndpoint& a, UnixEndpoint& b, const UnixIdentity& identity) {
  a.connected(RefPtr<UnixEndpoint>(b), identity);
  b.connected(RefPtr<UnixEndpoint>(a), identity);
}

void UnixEndpoint::connected(RefPtr<UnixEndpoint> other, UnixIdentity identity_of_other) {
  {
    Lock::Held held(lock);
    peer = std::move(other);
    peer_identity = std::move(identity_of_other);
    state.store(State::kConnected, std::memory_order_release);
  }
  events.wake();
}

Result<> UnixEndpoint::add_connection(RefPtr<UnixEndpoint> embryo, Errno objection,
                                      UnixIdentity& listener) {
  {
    Lock::Held held(lock);
    if (state != State::kListening || receive_shut) return Errno::kECONNREFUSED;
    if (is_full()) return Errno::kEAGAIN;
    if (objection != Errno{0}) return objection;
    listener = identity;
    UnixNamespace& names = unix_namespace();
    {
      Lock::Held names_held(names.lock);
      names.endpoints.push_back(*embryo);
      ++names.endpoint_count;
      reach.embryos.push_back(*embryo);
    }
    backlog.push_back(std::move(embryo));
  }
  events.wake(kReadable);
  return {};
}

RefPtr<UnixEndpoint> UnixEndpoint::take_connection() {
  if (backlog.empty()) return nullptr;
  RefPtr<UnixEndpoint> first = std::move(backlog.front());
  backlog.pop_front();
  if (room.has_waiters()) room.wake(kWritable);
  return first;
}

Result<> UnixEndpoint::listen(usize limit, UnixIdentity who) {
  Lock::Held held(lock);
  if (state != State::kUnconnected && state != State::kListening) return Errno::kEINVAL;
  backlog_limit = limit;
  std::swap(identity, who);
  state = State::kListening;
  room.wake();
  return {};
}

void UnixEndpoint::set_peer(RefPtr<UnixEndpoint> target) {
  bool changes;
  {
    Lock::Held held(lock);
    changes = peer && peer != target;
    if (changes) relay_.unlink();
    state = target ? State::kConnected : State::kUnconnected;
    std::swap(peer, target);
  }
  // Linux: what an earlier peer sent is gone.
  if (changes) purge();
  events.wake();
}

RefPtr<UnixEndpoint> UnixEndpoint::current_peer() const {
  Lock::Held held(lock);
  return peer;
}

bool UnixEndpoint::is_full() const {
  return state == State::kListening ? backlog.size() > backlog_limit : received_count > kMaxQueued;
}

bool UnixEndpoint::has_room_for(const UnixEndpoint& sender) const {
  return peer == &sender || !is_full();
}

Result<> UnixEndpoint::deliver(UnixMessage* message, const UnixEndpoint& from) {
  {
    Lock::Held held(lock);
    if (is_datagram()) {
      if (state == State::kClosed) return Errno::kECONNREFUSED;
      if (peer && peer != &from) return Errno::kEPERM;
      if (!receive_shut && !has_room_for(from)) return Errno::kEAGAIN;
    }
    if (receive_shut) return Errno::kEPIPE;
    received.push_back(*message);
    ++received_count;
    received_bytes += message->size;
    if (message->rights) message->rights->enter(*this);
  }
  events.wake(kReadable);
  return {};
}

UnixMessage* UnixEndpoint::take() {
  UnixMessage& first = received.pop_front();
  --received_count;
  received_bytes -= first.left();
  if (first.rights) first.rights->leave();
  if (room.has_waiters() && !is_full()) room.wake(kWritable);
  return &first;
}

void UnixEndpoint::put_back(UnixMessage* message) {
  received.push_front(*message);
  ++received_count;
  received_bytes += message->left();
  if (message->rights) message->rights->enter(*this);
}

void UnixEndpoint::purge() {
  for (;;) {
    UnixMessage* message;
    {
      Lock::Held held(lock);
      if (received.empty()) return;
      message = take();
    }
    UnixMessage::destroy(message);
  }
}

Errno UnixEndpoint::take_error() {
  if (error.load(std::memory_order_relaxed) == Errno{0}) return Errno{0};
  return error.exchange(Errno{0});
}

void UnixEndpoint::peer_shut(bool receive, bool send, Errno reason) {
  {
    Lock::Held held(lock);
    if (receive) receive_shut = true;
    if (send) send_shut = true;
    if (reason != Errno{0}) error = reason;
  }
  events.wake();
}

void UnixEndpoint::shutdown(bool receive, bool send) {
  RefPtr<UnixEndpoint> other;
  {
    Lock::Held held(lock);
    if (receive) receive_shut = true;
    if (send) send_shut = true;
    other = peer;
  }
  if (other && !is_datagram()) other->peer_shut(send, receive, Errno{0});
  // Those who wait for room at the other end look at this end too.
  if (other && send) other->room.wake();
  events.wake();
  room.wake();
}

void UnixEndpoint::close(bool accepted) {
  const RefPtr<UnixEndpoint> keep(this);
  leave_namespace();
  RefPtr<UnixEndpoint> other;
  bool was_read;
  {
    Lock::Held held(lock);
    state = State::kClosed;
    receive_shut = send_shut = true;
    relay_.unlink();
    other = std::move(peer);
    was_read = received.empty();
  }
  if (other && !is_datagram()) {
    other->peer_shut(true, true, was_read && accepted ? Errno{0} : Errno::kECONNRESET);
  }
  for (;;) {
    RefPtr<UnixEndpoint> waiting;
    {
      Lock::Held held(lock);
      waiting = take_connection();
    }
    if (!waiting) break;
    waiting->close(false);
  }
  purge();
  events.wake();
  room.wake();
  collect_garbage_if_due();
}

void UnixEndpoint::watch_peer(const UnixEndpoint& target) {
  Lock::Held held(lock);
  if (peer == &target && !relay_.linked()) peer->room.add(relay_);
}

PollEvents UnixEndpoint::poll(PollRegistration* registration) {
  if (registration) registration->on(events);
  PollEvents ready;
  RefPtr<UnixEndpoint> target;
  {
    Lock::Held held(lock);
    if (error.load(std::memory_order_relaxed) != Errno{0}) ready |= PollFlag::kPOLLERR;
    if (receive_shut && send_shut) ready |= PollFlag::kPOLLHUP;
    if (receive_shut) ready |= kReadable | PollFlag::kPOLLRDHUP;
    if (!received.empty() || !backlog.empty()) ready |= kReadable;
    if (state == State::kListening) return ready;
    // Linux: a stream that is not connected counts as hung up.
    if (!is_datagram() && state == State::kUnconnected) ready |= PollFlag::kPOLLHUP;
    if (is_datagram()) target = peer;
  }
  bool writable = is_writable();
  if (target) {
    auto takes_more = [&] {
      Lock::Held held(target->lock);
      return target->has_room_for(*this);
    };
    if (!takes_more()) {
      watch_peer(*target);
      writable = writable && takes_more();
    }
  }
  if (writable) ready |= kWritable | PollFlag::kPOLLWRBAND;
  return ready;
}

}  // namespace lxss::net
