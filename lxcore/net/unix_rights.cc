#include "lxcore/net/unix_rights.h"

#include "lxcore/kernel.h"
#include "lxcore/net/unix_names.h"
#include "lxcore/net/unix_socket.h"

namespace lxss::net {

namespace {

/// The endpoint of a file that is an AF_UNIX socket, or null.
UnixEndpoint* endpoint_of(File& file) {
  Socket* socket = file.as_socket();
  if (!socket || socket->domain() != abi::kAF_UNIX) return nullptr;
  return &static_cast<UnixSocket*>(socket)->endpoint();
}

/// Lets go of files one after another: a socket's end may drop messages with more files in
/// them, and so on to any depth, which the kernel stack has not.
void release(std::vector<RefPtr<File>> files) {
  UnixNamespace& names = unix_namespace();
  for (auto& file : files) names.to_release.push_back(std::move(file));
  if (names.releasing) return;
  names.releasing = true;
  while (!names.to_release.empty()) {
    RefPtr<File> file = std::move(names.to_release.back());
    names.to_release.pop_back();
  }
  names.releasing = false;
}

/// A socket that no descriptor and no call refers to.
bool only_in_flight(const UnixEndpoint& endpoint) {
  return endpoint.in_flight != 0 && endpoint.socket &&
         endpoint.socket->reference_count() == endpoint.in_flight;
}

void mark(UnixEndpoint& endpoint, std::vector<UnixEndpoint*>& pending) {
  if (endpoint.reachable) return;
  endpoint.reachable = true;
  pending.push_back(&endpoint);
}

}  // namespace

Rights::Rights(std::vector<RefPtr<File>> files, u32 user) : files_(std::move(files)), user_(user) {
  UnixNamespace& names = unix_namespace();
  names.in_flight += files_.size();
  names.in_flight_by_user[user_] += files_.size();
  for (auto& file : files_) {
    if (UnixEndpoint* endpoint = endpoint_of(*file)) {
      ++endpoint->in_flight;
      ++names.in_flight_sockets;
    }
  }
}

Result<std::unique_ptr<Rights>> Rights::create(Task& task, std::vector<RefPtr<File>> files) {
  collect_garbage_if_due();
  UnixNamespace& names = unix_namespace();
  const u32 user = task.credentials->uid;
  auto counted = names.in_flight_by_user.find(user);
  const usize of_user = counted == names.in_flight_by_user.end() ? 0 : counted->second;
  const bool may_exceed =
      task.has_capability(abi::kCAP_SYS_RESOURCE) || task.has_capability(abi::kCAP_SYS_ADMIN);
  if ((of_user > task.limit(abi::kRLIMIT_NOFILE) && !may_exceed) ||
      names.in_flight + files.size() > UnixNamespace::kMaxInFlight) {
    return Errno::kETOOMANYREFS;
  }
  return std::unique_ptr<Rights>(new Rights(std::move(files), user));
}

void Rights::land() {
  UnixNamespace& names = unix_namespace();
  names.in_flight -= files_.size();
  auto of_user = names.in_flight_by_user.find(user_);
  of_user->second -= files_.size();
  if (of_user->second == 0) names.in_flight_by_user.erase(of_user);
  for (auto& file : files_) {
    if (UnixEndpoint* endpoint = endpoint_of(*file)) {
      --endpoint->in_flight;
      --names.in_flight_sockets;
    }
  }
}

std::vector<RefPtr<File>> Rights::take() {
  if (!files_.empty()) land();
  return std::exchange(files_, {});
}

Rights::~Rights() {
  if (!files_.empty()) release(take());
}

void collect_garbage_if_due() {
  constexpr usize kFew = 256;
  const UnixNamespace& names = unix_namespace();
  if (names.endpoint_count <= kFew || names.in_flight_sockets >= names.collect_at) {
    collect_garbage();
  }
}

void collect_garbage() {
  UnixNamespace& names = unix_namespace();
  if (names.in_flight_sockets == 0 || names.collecting) return;
  bool any = false;
  for (UnixEndpoint& endpoint : names.endpoints) {
    endpoint.reachable = false;
    any = any || only_in_flight(endpoint);
  }
  names.collect_at = 2 * names.in_flight_sockets;
  if (!any) return;
  names.collecting = true;

  // From every socket that somebody holds, through the messages queued at it and the
  // connections that it has not accepted, to the sockets that can be received there.
  std::vector<UnixEndpoint*> pending;
  for (UnixEndpoint& endpoint : names.endpoints) {
    if (endpoint.socket && !only_in_flight(endpoint)) mark(endpoint, pending);
  }
  while (!pending.empty()) {
    UnixEndpoint& from = *pending.back();
    pending.pop_back();
    for (auto& waiting : from.backlog) mark(*waiting, pending);
    for (UnixMessage& message : from.received) {
      if (!message.rights) continue;
      for (auto& file : message.rights->files()) {
        if (UnixEndpoint* endpoint = endpoint_of(*file)) mark(*endpoint, pending);
      }
    }
  }

  std::vector<RefPtr<File>> garbage;
  for (UnixEndpoint& endpoint : names.endpoints) {
    if (endpoint.reachable) continue;
    for (UnixMessage& message : endpoint.received) {
      if (!message.rights) continue;
      for (auto& file : message.rights->take()) garbage.push_back(std::move(file));
    }
  }
  release(std::move(garbage));
  names.collect_at = 2 * names.in_flight_sockets;
  names.collecting = false;
}

}  // namespace lxss::net
