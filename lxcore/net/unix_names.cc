#include "lxcore/net/unix_names.h"

#include <algorithm>

#include "base/text.h"
#include "lxcore/kernel.h"
#include "lxcore/net/unix_endpoint.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::net {

namespace {

constexpr usize kPathOffset = offsetof(abi::SockaddrUn, sun_path);

/// sun_family, then `name` as it stands.
Address make_address(std::string_view name) {
  Address result;
  const u16 family = abi::kAF_UNIX;
  std::memcpy(result.bytes, &family, sizeof family);
  std::memcpy(result.bytes + kPathOffset, name.data(), name.size());
  result.size = static_cast<u32>(kPathOffset + name.size());
  return result;
}

Result<> claim_abstract(UnixEndpoint& endpoint, const std::string& name) {
  auto [at, fresh] = unix_namespace().abstract.try_emplace({endpoint.type(), name}, &endpoint);
  if (!fresh) return Errno::kEADDRINUSE;
  endpoint.name = make_ref<UnixName>(make_address('\0' + name), '@' + name);
  return {};
}

Result<> bind_path(Task& task, UnixEndpoint& endpoint, const std::string& path) {
  auto node = vfs::make_node(task, Fd{abi::kAT_FDCWD}, path, abi::kS_IFSOCK | abi::kS_IRWXUGO, 0);
  if (node.is(Errno::kEEXIST)) return Errno::kEADDRINUSE;
  if (!node.ok()) return node.error();
  if (endpoint.state == UnixEndpoint::State::kClosed) return Errno::kEINVAL;
  node->inode().bound_socket = &endpoint;
  endpoint.bound_path = std::move(*node);
  // Linux: the name reported has its NUL.
  endpoint.name = make_ref<UnixName>(make_address({path.c_str(), path.size() + 1}), "");
  return {};
}

Result<RefPtr<UnixEndpoint>> find_by_path(Task& task, const std::string& path) {
  const Path found =
      TRY(vfs::resolve(task, Fd{abi::kAT_FDCWD}, path, vfs::WalkFlags(vfs::Walk::kFollow)));
  TRY(vfs::check_access(*task.credentials, found.inode(), vfs::Access::kWrite));
  if (found.inode().type() != abi::kS_IFSOCK || !found.inode().bound_socket) {
    return Errno::kECONNREFUSED;
  }
  return RefPtr<UnixEndpoint>(static_cast<UnixEndpoint*>(found.inode().bound_socket));
}

}  // namespace

UnixNamespace& unix_namespace() {
  auto& root = kernel().unix_namespace;
  if (!root) root = make_ref<UnixNamespace>();
  return static_cast<UnixNamespace&>(*root);
}

std::string UnixName::text() const {
  if (!abstract_.empty()) {
    std::string shown = abstract_;
    std::replace(shown.begin(), shown.end(), '\0', '@');
    return shown;
  }
  const char* path = reinterpret_cast<const char*>(address_.bytes + kPathOffset);
  return std::string(path, address_.size - kPathOffset - 1);
}

Result<ParsedUnixAddress> parse_unix_address(const Address& address) {
  if (address.size < kPathOffset || address.size > sizeof(abi::SockaddrUn) ||
      address.family() != abi::kAF_UNIX) {
    return Errno::kEINVAL;
  }
  ParsedUnixAddress result;
  const usize length = address.size - kPathOffset;
  const char* path = reinterpret_cast<const char*>(address.bytes + kPathOffset);
  if (length == 0) {
    result.automatic = true;
  } else if (path[0] == '\0') {
    result.abstract = true;
    result.name.assign(path + 1, length - 1);
  } else {
    result.name.assign(path, std::find(path, path + length, '\0'));
  }
  return result;
}

Result<RefPtr<UnixEndpoint>> find_endpoint(Task& task, const Address& address, i32 type) {
  const ParsedUnixAddress wanted = TRY(parse_unix_address(address));
  if (wanted.automatic) return Errno::kEINVAL;
  if (wanted.abstract) {
    auto& table = unix_namespace().abstract;
    auto found = table.find({type, wanted.name});
    if (found == table.end()) return Errno::kECONNREFUSED;
    return RefPtr<UnixEndpoint>(found->second);
  }
  auto endpoint = TRY(find_by_path(task, wanted.name));
  if (endpoint->type() != type) return Errno::kEPROTOTYPE;
  return endpoint;
}

Result<> bind_endpoint(Task& task, UnixEndpoint& endpoint, const Address& address) {
  const ParsedUnixAddress wanted = TRY(parse_unix_address(address));
  // Making a node may give up the kernel lock.
  TRY(endpoint.binding.lock(task));
  Result<> result;
  if (endpoint.name) {
    // Linux: asking for an automatic name again is no error.
    if (!wanted.automatic) result = Errno::kEINVAL;
  } else if (wanted.automatic) {
    result = bind_automatically(endpoint);
  } else if (wanted.abstract) {
    result = claim_abstract(endpoint, wanted.name);
  } else {
    result = bind_path(task, endpoint, wanted.name);
  }
  endpoint.binding.unlock();
  return result;
}

Result<> bind_automatically(UnixEndpoint& endpoint) {
  if (endpoint.name) return {};
  constexpr u32 kNames = 1 << 20;
  UnixNamespace& names = unix_namespace();
  for (u32 tried = 0; tried < kNames; ++tried) {
    TextBuilder name;
    name.hex(names.next_automatic++ % kNames, 5);
    if (claim_abstract(endpoint, name.take()).ok()) return {};
  }
  return Errno::kENOSPC;
}

void forget_name(UnixEndpoint& endpoint) {
  if (endpoint.bound_path) {
    endpoint.bound_path.inode().bound_socket = nullptr;
    endpoint.bound_path = {};
  } else if (endpoint.name && !endpoint.name->abstract().empty()) {
    auto& table = unix_namespace().abstract;
    auto found = table.find({endpoint.type(), endpoint.name->abstract().substr(1)});
    // Accepted sockets share their listener's name, but the entry is the listener's.
    if (found != table.end() && found->second == &endpoint) table.erase(found);
  }
}

}  // namespace lxss::net
