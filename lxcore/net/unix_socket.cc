#include "lxcore/net/unix_socket.h"

#include <algorithm>

#include "base/text.h"
#include "lxcore/kernel.h"

namespace lxss::net {

namespace {

UnixIdentity identity_of(const Task& task) { return {task.process->pid.value, task.credentials}; }

Address unnamed() { return Address::of(u16{abi::kAF_UNIX}); }

Address name_of(const UnixEndpoint& endpoint) {
  const UnixName* name = endpoint.name.get();
  return name ? name->address() : unnamed();
}

}  // namespace

Result<RefPtr<UnixSocket>> UnixSocket::create(i32 type, i32 protocol) {
  if (protocol != 0 && protocol != abi::kAF_UNIX) return Errno::kEPROTONOSUPPORT;
  if (type == abi::kSOCK_RAW) type = abi::kSOCK_DGRAM;  // as Linux takes it
  if (type != abi::kSOCK_STREAM && type != abi::kSOCK_DGRAM && type != abi::kSOCK_SEQPACKET) {
    return Errno::kESOCKTNOSUPPORT;
  }
  return make_ref<UnixSocket>(type);
}

UnixSocket::UnixSocket(i32 type, RefPtr<UnixEndpoint> endpoint)
    : Socket(abi::kAF_UNIX, type, 0),
      endpoint_(endpoint ? std::move(endpoint) : make_ref<UnixEndpoint>(type)) {
  endpoint_->enter(*this);
}

UnixSocket::~UnixSocket() { endpoint_->close(true); }

void UnixSocket::join(Task& task, UnixSocket& first, UnixSocket& second) {
  UnixEndpoint::join(*first.endpoint_, *second.endpoint_, identity_of(task));
}

Result<> UnixSocket::bind(Task& task, const Address& address) {
  return bind_endpoint(task, *endpoint_, address);
}

Result<> UnixSocket::ensure_name(Task& task) {
  if (pass_credentials_ && !endpoint_->name) TRY(bind_automatically(task, *endpoint_));
  return {};
}

Result<> UnixSocket::connect(Task& task, const Address& address) {
  if (endpoint_->is_datagram()) return connect_datagram(task, address);
  return connect_stream(task, address);
}

Result<> UnixSocket::connect_datagram(Task& task, const Address& address) {
  if (address.size < sizeof(u16)) return Errno::kEINVAL;
  RefPtr<UnixEndpoint> target;
  if (address.family() != abi::kAF_UNSPEC) {
    TRY(parse_unix_address(address));
    TRY(ensure_name(task));
    target = TRY(find_endpoint(task, address, type()));
    const RefPtr<UnixEndpoint> talks_to = target->current_peer();
    if (talks_to && talks_to != endpoint_) return Errno::kEPERM;
  }
  endpoint_->set_peer(std::move(target));
  return {};
}

Result<> UnixSocket::connect_stream(Task& task, const Address& address) {
  UnixEndpoint& self = *endpoint_;
  TRY(parse_unix_address(address));
  TRY(ensure_name(task));
  const Patience patience = patience_to_send();
  for (;;) {
    const RefPtr<UnixEndpoint> target = TRY(find_endpoint(task, address, type()));
    {
      SleepLock::Held setup;
      TRY(setup.lock(task, self.setup));
      Errno objection{0};
      if (self.state != State::kUnconnected) {
        objection = self.is_connected() ? Errno::kEISCONN : Errno::kEINVAL;
      }
      auto accepted = make_ref<UnixEndpoint>(type());
      if (target->name) accepted->name.set(target->name.ref());
      accepted->connected(endpoint_, identity_of(task));
      UnixIdentity listener;
      auto queued = target->add_connection(accepted, objection, listener);
      if (queued.ok()) {
        self.connected(std::move(accepted), std::move(listener));
        return {};
      }
      if (!queued.is(Errno::kEAGAIN)) return queued.error();
    }
    Lock::Held held(target->lock);
    TRY(wait(task, target->lock, target->room, patience, [&]() LXSS_REQUIRES(target->lock) {
      return !target->is_full() || target->state != State::kListening || target->receive_shut;
    }));
  }
}

Result<> UnixSocket::listen(Task& task, i32 backlog) {
  if (endpoint_->is_datagram()) return Errno::kEOPNOTSUPP;
  SleepLock::Held setup;
  TRY(setup.lock(task, endpoint_->setup));
  if (!endpoint_->name) return Errno::kEINVAL;
  // Linux: a negative backlog is the most there is.
  const u32 limit = std::min(static_cast<u32>(backlog), static_cast<u32>(abi::kSOMAXCONN));
  return endpoint_->listen(limit, identity_of(task));
}

Result<RefPtr<Socket>> UnixSocket::accept(Task& task, Address* peer) {
  UnixEndpoint& self = *endpoint_;
  if (self.is_datagram()) return Errno::kEOPNOTSUPP;
  if (self.state != State::kListening) return Errno::kEINVAL;
  RefPtr<UnixEndpoint> accepted;
  {
    Lock::Held held(self.lock);
    TRY(wait(task, self.lock, self.events, patience_to_receive(), [&]() LXSS_REQUIRES(self.lock) {
      return !self.backlog.empty() || self.receive_shut;
    }));
    accepted = self.take_connection();
  }
  if (!accepted) return Errno::kEINVAL;
  if (peer) *peer = name_of(accepted->connected_peer());
  auto socket = make_ref<UnixSocket>(type(), std::move(accepted));
  socket->inherit_options(*this);
  return RefPtr<Socket>(std::move(socket));
}

Result<Address> UnixSocket::local_address() { return name_of(*endpoint_); }

Result<Address> UnixSocket::peer_address() {
  const RefPtr<UnixEndpoint> peer = endpoint_->current_peer();
  if (!peer) return Errno::kENOTCONN;
  return name_of(*peer);
}

Result<> UnixSocket::shutdown(Task&, i32 how) {
  endpoint_->shutdown(how != abi::kSHUT_WR, how != abi::kSHUT_RD);
  return {};
}

Result<usize> UnixSocket::get_option(Task& task, i32 level, i32 option,
                                     std::span<std::byte> value) {
  if (level != abi::kSOL_SOCKET) return Socket::get_option(task, level, option, value);
  UnixIdentity peer;
  if (option == abi::kSO_PEERCRED || option == abi::kSO_PEERGROUPS) {
    Lock::Held held(endpoint_->lock);
    peer = endpoint_->peer_identity;
  }
  switch (option) {
    case abi::kSO_PEERCRED:
      if (!peer.credentials) break;
      return put_option(value,
                        abi::Ucred{peer.pid, peer.credentials->euid, peer.credentials->egid});
    case abi::kSO_PEERGROUPS: {
      if (!peer.credentials) return Errno::kENODATA;
      const auto& groups = peer.credentials->groups;
      if (value.size() < groups.size() * sizeof(u32)) return Errno::kERANGE;
      return put_option(value, groups.data(), groups.size() * sizeof(u32));
    }
    case abi::kSO_PEERNAME: {
      const Address name = TRY(peer_address());
      if (value.size() < name.size) return Errno::kEINVAL;
      return put_option(value, name.bytes, name.size);
    }
    default:
      break;
  }
  return Socket::get_option(task, level, option, value);
}

std::string UnixSocket::fdinfo() {
  TextBuilder text;
  usize files = 0;
  {
    Lock::Held held(endpoint_->lock);
    for (UnixMessage& message : endpoint_->received) {
      if (message.rights) files += message.rights->count();
    }
  }
  text << "scm_fds: " << files << '\n';
  return text.take();
}

Errno UnixSocket::take_error() {
  if (Errno error = endpoint_->take_error(); error != Errno{0}) return error;
  return Socket::take_error();
}

Result<i32> UnixSocket::bytes_to_read() {
  UnixEndpoint& self = *endpoint_;
  if (self.state == State::kListening) return Errno::kEINVAL;
  Lock::Held held(self.lock);
  if (!self.is_datagram()) return static_cast<i32>(self.received_bytes);
  if (self.received.empty()) return i32{0};
  return static_cast<i32>(self.received.front().size);
}

Result<i32> UnixSocket::bytes_unsent() {
  if (endpoint_->state == State::kListening) return Errno::kEINVAL;
  return static_cast<i32>(endpoint_->unread.load());
}

}  // namespace lxss::net
