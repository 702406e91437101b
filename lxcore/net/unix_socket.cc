#include "lxcore/net/unix_socket.h"

#include <algorithm>

#include "base/text.h"
#include "lxcore/kernel.h"

namespace lxss::net {

namespace {

UnixIdentity identity_of(const Task& task) { return {task.process->pid.value, task.credentials}; }

Address unnamed() { return Address::of(u16{abi::kAF_UNIX}); }

Address name_of(const UnixEndpoint& endpoint) {
  return endpoint.name ? endpoint.name->address() : unnamed();
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
    : Socket(abi::kAF_UNIX, type, 0), endpoint_(std::move(endpoint)) {
  if (!endpoint_) endpoint_ = make_ref<UnixEndpoint>(type, this);
  endpoint_->socket = this;
}

UnixSocket::~UnixSocket() { endpoint_->close(true); }

void UnixSocket::join(Task& task, UnixSocket& first, UnixSocket& second) {
  UnixEndpoint::connect(*first.endpoint_, *second.endpoint_);
  first.endpoint_->peer_identity = second.endpoint_->peer_identity = identity_of(task);
}

Result<> UnixSocket::bind(Task& task, const Address& address) {
  return bind_endpoint(task, *endpoint_, address);
}

Result<> UnixSocket::ensure_name() {
  if (pass_credentials_ && !endpoint_->name) TRY(bind_automatically(*endpoint_));
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
    TRY(ensure_name());
    target = TRY(find_endpoint(task, address, type()));
    if (target->peer && target->peer != endpoint_) return Errno::kEPERM;
  }
  // Linux: what an earlier peer sent is gone.
  if (endpoint_->peer && endpoint_->peer != target) endpoint_->purge();
  endpoint_->state = target ? State::kConnected : State::kUnconnected;
  endpoint_->peer = std::move(target);
  endpoint_->events.wake();
  return {};
}

Result<> UnixSocket::connect_stream(Task& task, const Address& address) {
  TRY(parse_unix_address(address));
  TRY(ensure_name());
  const Patience patience = patience_to_send();
  for (;;) {
    const RefPtr<UnixEndpoint> target = TRY(find_endpoint(task, address, type()));
    if (target->state != State::kListening || target->receive_shut) return Errno::kECONNREFUSED;
    if (target->is_full()) {
      TRY(wait(task, target->room, patience, [&] {
        return !target->is_full() || target->state != State::kListening || target->receive_shut;
      }));
      continue;
    }
    if (endpoint_->state == State::kConnected) return Errno::kEISCONN;
    if (endpoint_->state != State::kUnconnected) return Errno::kEINVAL;
    auto accepted = make_ref<UnixEndpoint>(type(), nullptr);
    accepted->name = target->name;
    accepted->peer_identity = identity_of(task);
    endpoint_->peer_identity = target->identity;
    UnixEndpoint::connect(*endpoint_, *accepted);
    target->backlog.push_back(std::move(accepted));
    target->events.wake(abi::PollFlag::kPOLLIN | abi::PollFlag::kPOLLRDNORM);
    endpoint_->events.wake();
    return {};
  }
}

Result<> UnixSocket::listen(Task& task, i32 backlog) {
  if (endpoint_->is_datagram()) return Errno::kEOPNOTSUPP;
  if (!endpoint_->name) return Errno::kEINVAL;
  if (endpoint_->state != State::kUnconnected && endpoint_->state != State::kListening) {
    return Errno::kEINVAL;
  }
  // Linux: a negative backlog is the most there is.
  endpoint_->backlog_limit = std::min(static_cast<u32>(backlog), static_cast<u32>(abi::kSOMAXCONN));
  endpoint_->identity = identity_of(task);
  endpoint_->state = State::kListening;
  endpoint_->room.wake();
  return {};
}

Result<RefPtr<Socket>> UnixSocket::accept(Task& task, Address* peer) {
  if (endpoint_->is_datagram()) return Errno::kEOPNOTSUPP;
  if (endpoint_->state != State::kListening) return Errno::kEINVAL;
  TRY(wait(task, endpoint_->events, patience_to_receive(),
           [this] { return !endpoint_->backlog.empty() || endpoint_->receive_shut; }));
  if (endpoint_->backlog.empty()) return Errno::kEINVAL;
  RefPtr<UnixEndpoint> accepted = std::move(endpoint_->backlog.front());
  endpoint_->backlog.pop_front();
  endpoint_->room.wake(abi::PollFlag::kPOLLOUT | abi::PollFlag::kPOLLWRNORM);
  if (peer) *peer = accepted->peer ? name_of(*accepted->peer) : unnamed();
  auto socket = make_ref<UnixSocket>(type(), std::move(accepted));
  socket->inherit_options(*this);
  return RefPtr<Socket>(std::move(socket));
}

Result<Address> UnixSocket::local_address() { return name_of(*endpoint_); }

Result<Address> UnixSocket::peer_address() {
  if (!endpoint_->peer) return Errno::kENOTCONN;
  return name_of(*endpoint_->peer);
}

Result<> UnixSocket::shutdown(Task&, i32 how) {
  endpoint_->shutdown(how != abi::kSHUT_WR, how != abi::kSHUT_RD);
  return {};
}

Result<usize> UnixSocket::get_option(Task& task, i32 level, i32 option,
                                     std::span<std::byte> value) {
  if (level != abi::kSOL_SOCKET) return Socket::get_option(task, level, option, value);
  const UnixIdentity& peer = endpoint_->peer_identity;
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
  for (UnixMessage& message : endpoint_->received) {
    if (message.rights) files += message.rights->files().size();
  }
  text << "scm_fds: " << files << '\n';
  return text.take();
}

Errno UnixSocket::take_error() {
  if (endpoint_->error == Errno{0}) return Socket::take_error();
  return std::exchange(endpoint_->error, Errno{0});
}

Result<i32> UnixSocket::bytes_to_read() {
  if (endpoint_->state == State::kListening) return Errno::kEINVAL;
  if (!endpoint_->is_datagram()) return static_cast<i32>(endpoint_->received_bytes);
  if (endpoint_->received.empty()) return i32{0};
  return static_cast<i32>(endpoint_->received.front().size);
}

Result<i32> UnixSocket::bytes_unsent() {
  if (endpoint_->state == State::kListening) return Errno::kEINVAL;
  return static_cast<i32>(endpoint_->unread);
}

}  // namespace lxss::net
