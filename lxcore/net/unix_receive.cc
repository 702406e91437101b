// Receiving on AF_UNIX sockets.
#include <algorithm>

#include "base/scope.h"
#include "lxcore/kernel.h"
#include "lxcore/net/unix_socket.h"

namespace lxss::net {

using abi::MsgFlag;

namespace {

constexpr usize kLockedCopy = 4096;

Result<usize> copy_to(IoBuffer& data, const std::byte* from, usize size) {
  if (size <= kLockedCopy) return data.put(from, size);
  KernelLock::Released released;
  return data.put(from, size);
}

bool same_sender(const abi::Ucred& a, const abi::Ucred& b) {
  return a.pid == b.pid && a.uid == b.uid && a.gid == b.gid;
}

}  // namespace

/// Who sent it, and the files that came with it.
void UnixSocket::describe(IncomingMessage& message, const UnixMessage& from, bool first) {
  if (pass_credentials_ && first) {
    message.control.add_value(abi::kSOL_SOCKET, abi::kSCM_CREDENTIALS, from.credentials);
  }
  if (!from.rights) return;
  const bool peek = message.flags.has(MsgFlag::kMSG_PEEK);
  auto files = peek ? from.rights->files() : from.rights->take();
  if (!files.empty()) message.control.add_files(std::move(files));
}

Result<usize> UnixSocket::receive(Task& task, IncomingMessage& message) {
  if (message.flags.has(MsgFlag::kMSG_OOB)) return Errno::kEOPNOTSUPP;
  if (message.flags.has(MsgFlag::kMSG_ERRQUEUE)) {
    return endpoint_->is_datagram() ? Errno::kEOPNOTSUPP : Errno::kEAGAIN;
  }
  if (type() == abi::kSOCK_STREAM) return receive_stream(task, message);
  return receive_packet(task, message);
}

Result<usize> UnixSocket::receive_stream(Task& task, IncomingMessage& message) {
  UnixEndpoint& self = *endpoint_;
  if (self.state != State::kConnected) return Errno::kEINVAL;
  const bool peek = message.flags.has(MsgFlag::kMSG_PEEK);
  const bool fill = message.flags.has(MsgFlag::kMSG_WAITALL) && !peek;
  const Patience patience = patience_to_receive(message.flags);
  StreamRead read;
  // What was received before a failure counts.
  auto end = [&read](Errno error) {
    return read.done ? Result<usize>(read.done) : Result<usize>(error);
  };
  for (;;) {
    if (auto locked = self.reading.lock(task); !locked.ok()) {
      return end(patience.failure(locked.error()));
    }
    read_queue(message, read);
    self.reading.unlock();
    if (read.error != Errno{0}) return end(read.error);
    if (read.finished || (read.done != 0 && !fill)) return read.done;
    if (!self.received.empty()) continue;  // came while the lock was given up
    if (read.done == 0) {
      if (Errno error = take_error(); error != Errno{0}) return error;
    }
    if (self.receive_shut) return read.done;
    auto waited = wait(task, self.events, patience, [&self] {
      return !self.received.empty() || self.receive_shut || self.error != Errno{0};
    });
    if (!waited.ok()) return end(waited.error());
  }
}

/// Reads what is there, with `reading` held; peeking keeps the kernel lock too. As on Linux the
/// data of several messages is joined, up to and with the first that carries files, and never that
/// of senders told apart.
void UnixSocket::read_queue(IncomingMessage& message, StreamRead& read) {
  UnixEndpoint& self = *endpoint_;
  const bool peek = message.flags.has(MsgFlag::kMSG_PEEK);
  auto at = self.received.begin();
  while (at != self.received.end() && !read.finished) {
    UnixMessage& piece = *at;
    if (read.sender && pass_credentials_ && !same_sender(*read.sender, piece.credentials)) {
      read.finished = true;
      return;
    }
    const usize size = std::min(message.data.size(), piece.left());
    usize copied = 0;
    if (size != 0) {
      auto result = peek ? message.data.put(piece.data() + piece.consumed, size)
                         : copy_to(message.data, piece.data() + piece.consumed, size);
      if (!result.ok()) {
        read.error = result.error();
        return;
      }
      copied = *result;
    }
    const bool has_files = piece.rights && !piece.rights->files().empty();
    describe(message, piece, !read.sender);
    read.sender = piece.credentials;
    read.done += copied;
    read.finished = has_files || copied < size || message.data.empty();
    if (peek) {
      ++at;
      continue;
    }
    piece.consumed += copied;
    self.received_bytes -= copied;
    if (piece.left() == 0) UnixMessage::destroy(self.take());
    at = self.received.begin();
  }
}

Result<usize> UnixSocket::receive_packet(Task& task, IncomingMessage& message) {
  UnixEndpoint& self = *endpoint_;
  if (!self.is_datagram() && self.state != State::kConnected) return Errno::kENOTCONN;
  const Patience patience = patience_to_receive(message.flags);
  const bool eof_is_ready = patience.may_wait || !self.is_datagram();
  TRY(wait(task, self.events, patience, [&] {
    return self.error != Errno{0} || !self.received.empty() || (self.receive_shut && eof_is_ready);
  }));
  if (Errno error = take_error(); error != Errno{0}) return error;
  if (self.received.empty()) return usize{0};

  const bool peek = message.flags.has(MsgFlag::kMSG_PEEK);
  UnixMessage* packet = peek ? &self.received.front() : self.take();
  const ScopeExit destroy([&] {
    if (!peek) UnixMessage::destroy(packet);
  });
  const usize size = packet->size;
  const usize wanted = std::min(size, message.data.size());
  if (wanted != 0) {
    // A message that stays in the queue is safe only under the lock.
    auto copied = peek ? message.data.put(packet->data(), wanted)
                       : copy_to(message.data, packet->data(), wanted);
    if (TRY(std::move(copied)) != wanted) return Errno::kEFAULT;
  }
  if (packet->from) message.from = packet->from->address();
  describe(message, *packet, true);
  if (wanted == size) return size;
  message.result |= MsgFlag::kMSG_TRUNC;
  return message.flags.has(MsgFlag::kMSG_TRUNC) ? size : wanted;
}

}  // namespace lxss::net
