// Sending on AF_UNIX sockets.
#include <algorithm>

#include "lxcore/kernel.h"
#include "lxcore/mm/heap.h"
#include "lxcore/net/unix_socket.h"

namespace lxss::net {

namespace {

constexpr usize kStreamPiece = 32 * 1024;
/// Copies beyond this many bytes run without the kernel lock.
constexpr usize kLockedCopy = 4096;

struct MessageDestroyer {
  void operator()(UnixMessage* message) const { UnixMessage::destroy(message); }
};
using MessagePtr = std::unique_ptr<UnixMessage, MessageDestroyer>;

/// A message with the next `size` bytes of `data`, which not everybody may see yet.
Result<MessagePtr> compose(UnixEndpoint& sender, IoBuffer& data, usize size) {
  if (!heap::has_room()) return Errno::kENOBUFS;
  MessagePtr message(UnixMessage::create(sender, size));
  auto copy = [&]() -> Result<usize> {
    if (size <= kLockedCopy) return data.take(message->data(), size);
    KernelLock::Released released;
    return data.take(message->data(), size);
  };
  if (size != 0 && TRY(copy()) != size) return Errno::kEFAULT;
  return message;
}

/// Adds what travels with the data, at the last moment: files in flight belong to a queue.
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
  if (message.to) return self.peer ? Errno::kEISCONN : Errno::kEOPNOTSUPP;
  if (!self.peer) return Errno::kENOTCONN;
  if (self.send_shut) return Errno::kEPIPE;
  const Patience patience = patience_to_send(message.flags);
  usize done = 0;
  // What was sent before a failure counts.
  auto end = [&done](Errno error) { return done ? Result<usize>(done) : Result<usize>(error); };
  while (!message.data.empty()) {
    auto waited =
        wait(task, self.events, patience, [&self] { return self.may_send() || self.send_shut; });
    if (!waited.ok()) return end(waited.error());
    if (self.send_shut) return end(Errno::kEPIPE);
    const usize size = std::min(message.data.size(), kStreamPiece);
    auto piece = compose(self, message.data, size);
    if (!piece.ok()) return end(piece.error());
    if (self.send_shut) return end(Errno::kEPIPE);
    if (auto attached = attach(task, **piece, control); !attached.ok()) {
      return end(attached.error());
    }
    self.peer->deliver(piece->release());
    done += size;
  }
  return done;
}

Result<RefPtr<UnixEndpoint>> UnixSocket::packet_target(Task& task, const Address* to) {
  UnixEndpoint& self = *endpoint_;
  // Linux: sequenced packets go to the peer, whatever the address.
  if (to && self.is_datagram()) return TRY(find_endpoint(task, *to, type()));
  if (!self.peer) return Errno::kENOTCONN;
  if (self.is_datagram() && self.peer->state == State::kClosed) {
    self.peer = nullptr;
    self.state = State::kUnconnected;
    self.purge();
    return Errno::kECONNREFUSED;
  }
  return self.peer;
}

Result<usize> UnixSocket::send_packet(Task& task, OutgoingMessage& message, SentControl& control) {
  UnixEndpoint& self = *endpoint_;
  const usize size = message.data.size();
  if (self.is_datagram() && message.to) TRY(parse_unix_address(*message.to));
  if (!(self.is_datagram() && message.to) && !self.peer) return Errno::kENOTCONN;
  TRY(ensure_name());
  if (size > self.send_limit - 32) return Errno::kEMSGSIZE;
  const Patience patience = patience_to_send(message.flags);
  TRY(wait(task, self.events, patience,
           [&self] { return self.error != Errno{0} || self.send_shut || self.may_send(); }));
  if (Errno error = take_error(); error != Errno{0}) return error;
  if (self.send_shut) return Errno::kEPIPE;

  MessagePtr packet = TRY(compose(self, message.data, size));
  for (;;) {
    const RefPtr<UnixEndpoint> target = TRY(packet_target(task, message.to));
    const bool mutual = target->peer == &self;
    if (self.is_datagram() && target->peer && !mutual) return Errno::kEPERM;
    if (self.send_shut || target->receive_shut) return Errno::kEPIPE;
    if (mutual || !target->is_full()) {
      TRY(attach(task, *packet, control));
      target->deliver(packet.release());
      return size;
    }
    TRY(wait(task, target->room, patience, [&] {
      return !target->is_full() || target->receive_shut || target->state == State::kClosed ||
             self.send_shut;
    }));
  }
}

}  // namespace lxss::net
