// Receiving on AF_UNIX sockets.
#include <algorithm>

#include "base/scope.h"
#include "lxcore/net/unix_socket.h"

namespace lxss::net {

using abi::MsgFlag;

namespace {

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
  auto files = peek ? from.rights->copy() : from.rights->take();
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
  if (!self.is_connected()) return Errno::kEINVAL;
  const bool peek = message.flags.has(MsgFlag::kMSG_PEEK);
  const bool fill = message.flags.has(MsgFlag::kMSG_WAITALL) && !peek;
  const Patience patience = patience_to_receive(message.flags);
  StreamRead read;
  // What was received before a failure counts.
  auto end = [&read](Errno error) {
    return read.done ? Result<usize>(read.done) : Result<usize>(error);
  };
  for (;;) {
    {
      SleepLock::Held reading;
      if (auto locked = reading.lock(task, self.reading); !locked.ok()) {
        return end(patience.failure(locked.error()));
      }
      read_queue(message, read);
    }
    if (read.error != Errno{0}) return end(read.error);
    if (read.finished || (read.done != 0 && !fill)) return read.done;
    Lock::Held held(self.lock);
    if (!self.received.empty()) continue;  // came meanwhile
    if (read.done == 0) {
      if (Errno error = take_error(); error != Errno{0}) return error;
    }
    if (self.receive_shut) return read.done;
    auto waited = wait(task, self.lock, self.events, patience, [&self]() LXSS_REQUIRES(self.lock) {
      return !self.received.empty() || self.receive_shut || self.error.load() != Errno{0};
    });
    if (!waited.ok()) return end(waited.error());
  }
}

/// Reads what is there, with `reading` held. As on Linux the data of several messages is joined, up
/// to and with the first that carries files, and never that of senders told apart.
void UnixSocket::read_queue(IncomingMessage& message, StreamRead& read) {
  UnixEndpoint& self = *endpoint_;
  const bool peek = message.flags.has(MsgFlag::kMSG_PEEK);
  UnixMessage* peeked = nullptr;
  while (!read.finished) {
    const Piece next = next_piece(message, read, peeked);
    if (!next.message) return;
    UnixMessage& piece = *next.message;
    usize copied = 0;
    if (next.size != 0) {
      auto result = message.data.put(piece.data() + piece.consumed, next.size);
      if (result.ok()) {
        copied = *result;
      } else {
        read.error = result.error();
      }
    }
    if (read.error == Errno{0}) {
      const bool has_files = piece.rights && piece.rights->count() != 0;
      describe(message, piece, !read.sender);
      read.sender = piece.credentials;
      read.done += copied;
      read.finished = has_files || copied < next.size || message.data.empty();
    }
    peeked = &piece;
    if (peek) {
      if (read.error != Errno{0}) return;
      continue;
    }
    if (next.taken && copied == next.size) {
      UnixMessage::destroy(&piece);
      continue;
    }
    Lock::Held held(self.lock);
    piece.consumed += copied;
    if (next.taken) {
      self.put_back(&piece);
    } else {
      self.received_bytes -= copied;
    }
    if (read.error != Errno{0}) return;
  }
}

UnixSocket::Piece UnixSocket::next_piece(const IncomingMessage& message, StreamRead& read,
                                         UnixMessage* peeked) {
  UnixEndpoint& self = *endpoint_;
  const bool peek = message.flags.has(MsgFlag::kMSG_PEEK);
  Lock::Held held(self.lock);
  auto at = self.received.begin();
  if (peek && peeked) ++(at = List<UnixMessage>::Iterator(peeked));
  if (at == self.received.end()) return {};
  if (read.sender && pass_credentials_ && !same_sender(*read.sender, at->credentials)) {
    read.finished = true;
    return {};
  }
  Piece piece{&*at, std::min(message.data.size(), at->left()), false};
  piece.taken = !peek && piece.size == at->left();
  if (piece.taken) (void)self.take();
  return piece;
}

Result<usize> UnixSocket::receive_packet(Task& task, IncomingMessage& message) {
  UnixEndpoint& self = *endpoint_;
  if (!self.is_datagram() && !self.is_connected()) return Errno::kENOTCONN;
  const Patience patience = patience_to_receive(message.flags);
  const bool eof_is_ready = patience.may_wait || !self.is_datagram();
  const bool peek = message.flags.has(MsgFlag::kMSG_PEEK);
  UnixMessage* packet;
  {
    Lock::Held held(self.lock);
    TRY(wait(task, self.lock, self.events, patience, [&]() LXSS_REQUIRES(self.lock) {
      return self.error.load() != Errno{0} || !self.received.empty() ||
             (self.receive_shut && eof_is_ready);
    }));
    if (Errno error = take_error(); error != Errno{0}) return error;
    if (self.received.empty()) return usize{0};
    packet = peek ? &self.received.front() : self.take();
    // One that stays in the queue may be taken by others meanwhile.
    if (peek) packet->users.fetch_add(1);
  }
  const ScopeExit destroy([&] { UnixMessage::destroy(packet); });
  const usize size = packet->size;
  const usize wanted = std::min(size, message.data.size());
  if (wanted != 0 && TRY(message.data.put(packet->data(), wanted)) != wanted) {
    return Errno::kEFAULT;
  }
  if (packet->from) message.from = packet->from->address();
  describe(message, *packet, true);
  if (wanted == size) return size;
  message.result |= MsgFlag::kMSG_TRUNC;
  return message.flags.has(MsgFlag::kMSG_TRUNC) ? size : wanted;
}

}  // namespace lxss::net
