#include "lxcore/net/unix_endpoint.h"

#include <new>

#include "lxcore/net/socket.h"

namespace lxss::net {

using abi::PollFlag;

UnixMessage::UnixMessage(UnixEndpoint& from_endpoint, usize data_size)
    : size(data_size), sender(&from_endpoint), from(from_endpoint.name) {
  from_endpoint.unread += charge();
}

UnixMessage* UnixMessage::create(UnixEndpoint& sender, usize size) {
  return new (::operator new(sizeof(UnixMessage) + size)) UnixMessage(sender, size);
}

void UnixMessage::destroy(UnixMessage* message) {
  RefPtr<UnixEndpoint> sender = std::move(message->sender);
  sender->unread -= message->charge();
  message->~UnixMessage();
  ::operator delete(message);
  if (sender->is_writable()) sender->events.wake(PollFlag::kPOLLOUT | PollFlag::kPOLLWRNORM);
}

UnixEndpoint::UnixEndpoint(i32 type, UnixSocket* front)
    : socket(front), send_limit(212992), type_(type) {
  unix_namespace().endpoints.push_back(*this);
  ++unix_namespace().endpoint_count;
}

UnixEndpoint::~UnixEndpoint() { LXSS_ASSERT(received.empty()); }

bool UnixEndpoint::is_datagram() const { return type_ == abi::kSOCK_DGRAM; }

void UnixEndpoint::connect(UnixEndpoint& a, UnixEndpoint& b) {
  a.peer = &b;
  b.peer = &a;
  a.state = b.state = State::kConnected;
}

bool UnixEndpoint::is_full() const {
  return state == State::kListening ? backlog.size() > backlog_limit : received_count > kMaxQueued;
}

void UnixEndpoint::deliver(UnixMessage* message) {
  received.push_back(*message);
  ++received_count;
  received_bytes += message->size;
  events.wake(PollFlag::kPOLLIN | PollFlag::kPOLLRDNORM);
}

UnixMessage* UnixEndpoint::take() {
  UnixMessage& first = received.pop_front();
  --received_count;
  received_bytes -= first.left();
  if (room.has_waiters() && !is_full()) room.wake(PollFlag::kPOLLOUT | PollFlag::kPOLLWRNORM);
  return &first;
}

void UnixEndpoint::purge() {
  while (!received.empty()) UnixMessage::destroy(take());
}

void UnixEndpoint::shutdown(bool receive, bool send) {
  receive_shut |= receive;
  send_shut |= send;
  if (peer && !is_datagram()) {
    peer->receive_shut |= send;
    peer->send_shut |= receive;
    peer->events.wake();
  }
  events.wake();
  room.wake();
}

void UnixEndpoint::close(bool accepted) {
  const RefPtr<UnixEndpoint> keep(this);
  const RefPtr<UnixEndpoint> other = std::move(peer);
  socket = nullptr;
  forget_name(*this);
  state = State::kClosed;
  receive_shut = send_shut = true;
  if (other && !is_datagram() && other->state != State::kClosed) {
    other->receive_shut = other->send_shut = true;
    if (!received.empty() || !accepted) other->error = Errno::kECONNRESET;
    other->events.wake();
  }
  while (!backlog.empty()) {
    const RefPtr<UnixEndpoint> waiting = std::move(backlog.front());
    backlog.pop_front();
    waiting->close(false);
  }
  purge();
  events.wake();
  room.wake();
  ListNode<EndpointTag>::unlink();
  --unix_namespace().endpoint_count;
  collect_garbage_if_due();
}

PollEvents UnixEndpoint::poll(PollRegistration* registration) {
  if (registration) registration->on(events);
  PollEvents ready;
  if (error != Errno{0}) ready |= PollFlag::kPOLLERR;
  if (receive_shut && send_shut) ready |= PollFlag::kPOLLHUP;
  if (receive_shut) ready |= PollFlag::kPOLLRDHUP | PollFlag::kPOLLIN | PollFlag::kPOLLRDNORM;
  if (!received.empty() || !backlog.empty()) ready |= PollFlag::kPOLLIN | PollFlag::kPOLLRDNORM;
  if (state == State::kListening) return ready;
  // Linux: a stream that is not connected counts as hung up.
  if (!is_datagram() && state == State::kUnconnected) ready |= PollFlag::kPOLLHUP;
  bool writable = is_writable();
  if (is_datagram() && peer && peer->peer != this) {
    if (registration) registration->on(peer->room);
    writable = writable && !peer->is_full();
  }
  if (writable) ready |= PollFlag::kPOLLOUT | PollFlag::kPOLLWRNORM | PollFlag::kPOLLWRBAND;
  return ready;
}

}  // namespace lxss::net
