// Sending on AF_UNIX sockets.
#include <algorithm>

#include "lxcore/mm/heap.h"
#include "lxcore/net/unix_socket.h"

namespace lxss::net {

namespace {

constexpr usize kStreamPiece = 32 * 1024;

struct MessageDestroyer {
  void operator()(UnixMessage* message) const { UnixMessage::destroy(message); }
};
using MessagePtr = std::unique_ptr<UnixMessage, MessageDestroyer>;

/// A message with the next `size` bytes of `data`, which not everybody may see yet.
Result<MessagePtr> compose(UnixEndpoint& sender, IoBuffer& data, usize size) {
  if (!heap::has_room()) return Errno::kENOBUFS;
  MessagePtr message(UnixMessage::create(sender, size));
  if (size != 0 && TRY(data.take(message->data(), size)) != size) return Errno::kEFAULT;
  return message;
}

/// Adds what travels with the data, at the last moment.
Result<> attach(Task& task, UnixMessage& message, SentControl& control) {
  message.credentials = control.credentials.value_or(sender_credentials(task));
  if (!control.files.empty()) {
    message.rights = TRY(Rights::create(task, std::exchange(control.files, {})));
  }
  return {};
}

}  // namespace

Result<usize> UnixSocket::send(Task& task, OutgoingMessage& message) {
  SentControl control = TRY(parse_control(task, message.control, true));
  if (message.flags.has(abi::MsgFlag::kMSG_OOB)) return Errno::kEOPNOTSUPP;
  if (type() == abi::kSOCK_STREAM) return send_stream(task, message, control);
  return send_packet(task, message, control);
}

Result<usize> UnixSocket::send_stream(Task& task, OutgoingMessage& message, SentControl& control) {
  UnixEndpoint& self = *endpoint_;
  if (message.to) return self.is_connected() ? Errno::kEISCONN : Errno::kEOPNOTSUPP;
  if (!self.is_connected()) return Errno::kENOTCONN;
  if (self.send_shut) return Errno::kEPIPE;
  UnixEndpoint& peer = self.connected_peer();
  const Patience patience = patience_to_send(message.flags);
  usize done = 0;
  // What was sent before a failure counts.
  auto end = [&done](Errno error) { return done ? Result<usize>(done) : Result<usize>(error); };
  while (!message.data.empty()) {
    auto waited = wait_unlocked(task, self.events, patience,
                                [&self] { return self.may_send() || self.send_shut; });
    if (!waited.ok()) return end(waited.error());
    if (self.send_shut) return end(Errno::kEPIPE);
    const usize size = std::min(message.data.size(), kStreamPiece);
    auto piece = compose(self, message.data, size);
    if (!piece.ok()) return end(piece.error());
    if (auto attached = attach(task, **piece, control); !attached.ok()) {
      return end(attached.error());
    }
    if (self.send_shut) return end(Errno::kEPIPE);
    auto delivered = peer.deliver(piece->get(), self);
    if (!delivered.ok()) return end(delivered.error());
    (void)piece->release();
    done += size;
  }
  return done;
}

Result<RefPtr<UnixEndpoint>> UnixSocket::packet_target(Task& task, const Address* to) {
  // Linux: sequenced packets go to the peer, whatever the address.
  if (to && endpoint_->is_datagram()) return TRY(find_endpoint(task, *to, type()));
  RefPtr<UnixEndpoint> peer = endpoint_->current_peer();
  if (!peer) return Errno::kENOTCONN;
  return peer;
}

void UnixSocket::forget_peer(const UnixEndpoint& closed) {
  if (endpoint_->current_peer() == &closed) endpoint_->set_peer(nullptr);
}

Result<usize> UnixSocket::send_packet(Task& task, OutgoingMessage& message, SentControl& control) {
  UnixEndpoint& self = *endpoint_;
  const usize size = message.data.size();
  const bool to_named = self.is_datagram() && message.to;
  if (to_named) TRY(parse_unix_address(*message.to));
  if (!to_named && !self.is_connected()) return Errno::kENOTCONN;
  TRY(ensure_name(task));
  if (size > self.send_limit - 32) return Errno::kEMSGSIZE;
  const Patience patience = patience_to_send(message.flags);
  TRY(wait_unlocked(task, self.events, patience, [&self] {
    return self.error.load() != Errno{0} || self.send_shut || self.may_send();
  }));
  if (Errno error = take_error(); error != Errno{0}) return error;
  if (self.send_shut) return Errno::kEPIPE;

  MessagePtr packet = TRY(compose(self, message.data, size));
  TRY(attach(task, *packet, control));
  for (;;) {
    const RefPtr<UnixEndpoint> target = TRY(packet_target(task, message.to));
    if (self.send_shut) return Errno::kEPIPE;
    auto delivered = target->deliver(packet.get(), self);
    if (delivered.ok()) {
      (void)packet.release();
      return size;
    }
    if (delivered.is(Errno::kECONNREFUSED) && !to_named) forget_peer(*target);
    if (!delivered.is(Errno::kEAGAIN)) return delivered.error();
    if (!patience.may_wait) self.watch_peer(*target);
    Lock::Held held(target->lock);
    TRY(wait(task, target->lock, target->room, patience, [&]() LXSS_REQUIRES(target->lock) {
      return target->has_room_for(self) || target->receive_shut || self.send_shut;
    }));
  }
}

}  // namespace lxss::net
