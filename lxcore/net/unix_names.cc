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

/// With the endpoint's `setup` held, as in all that names it.
Result<> claim_abstract(UnixEndpoint& endpoint, const std::string& name) {
  UnixNamespace& names = unix_namespace();
  auto claimed = make_ref<UnixName>(make_address('\0' + name), '@' + name);
  UnixNamespace::AbstractKey key{endpoint.type(), name};
  Lock::Held held(names.lock);
  if (!names.abstract.try_emplace(std::move(key), &endpoint).second) return Errno::kEADDRINUSE;
  endpoint.name.set(std::move(claimed));
  return {};
}

Result<> claim_automatic(UnixEndpoint& endpoint) {
  constexpr u32 kNames = 1 << 20;
  UnixNamespace& names = unix_namespace();
  for (u32 tried = 0; tried < kNames; ++tried) {
    u32 number;
    {
      Lock::Held held(names.lock);
      number = names.next_automatic++ % kNames;
    }
    TextBuilder name;
    name.hex(number, 5);
    if (claim_abstract(endpoint, name.take()).ok()) return {};
    if (signals::killed(Task::current())) return Errno::kEINTR;
  }
  return Errno::kENOSPC;
}

Result<> bind_path(Task& task, UnixEndpoint& endpoint, const std::string& path) {
  auto node = vfs::make_node(task, Fd{abi::kAT_FDCWD}, path, abi::kS_IFSOCK | abi::kS_IRWXUGO, 0);
  if (node.is(Errno::kEEXIST)) return Errno::kEADDRINUSE;
  if (!node.ok()) return node.error();
  // Linux: the name reported has its NUL.
  auto name = make_ref<UnixName>(make_address({path.c_str(), path.size() + 1}), "");
  UnixNamespace& names = unix_namespace();
  Lock::Held held(names.lock);
  node->inode().bound_socket = &endpoint;
  endpoint.bound_path = std::move(*node);
  endpoint.name.set(std::move(name));
  return {};
}

Result<RefPtr<UnixEndpoint>> find_by_path(Task& task, const std::string& path) {
  const Path found =
      TRY(vfs::resolve(task, Fd{abi::kAT_FDCWD}, path, vfs::WalkFlags(vfs::Walk::kFollow)));
  TRY(vfs::check_access(*task.credentials, found.inode(), vfs::Access::kWrite));
  if (found.inode().type() != abi::kS_IFSOCK) return Errno::kECONNREFUSED;
  Lock::Held held(unix_namespace().lock);
  auto* endpoint = static_cast<UnixEndpoint*>(found.inode().bound_socket);
  if (!endpoint) return Errno::kECONNREFUSED;
  return RefPtr<UnixEndpoint>(endpoint);
}

}  // namespace

UnixNamespace& unix_namespace() {
  auto& root = kernel().unix_namespace;
  if (!root) [[unlikely]]
    root.set(make_ref<UnixNamespace>());
  return static_cast<UnixNamespace&>(*root.get());
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
    UnixNamespace& names = unix_namespace();
    const UnixNamespace::AbstractKey key{type, wanted.name};
    Lock::Held held(names.lock);
    auto found = names.abstract.find(key);
    if (found == names.abstract.end()) return Errno::kECONNREFUSED;
    return RefPtr<UnixEndpoint>(found->second);
  }
  auto endpoint = TRY(find_by_path(task, wanted.name));
  if (endpoint->type() != type) return Errno::kEPROTOTYPE;
  return endpoint;
}

Result<> bind_endpoint(Task& task, UnixEndpoint& endpoint, const Address& address) {
  const ParsedUnixAddress wanted = TRY(parse_unix_address(address));
  SleepLock::Held setup;
  TRY(setup.lock(task, endpoint.setup));
  if (endpoint.name) {
    // Linux: asking for an automatic name again is no error.
    return wanted.automatic ? Result<>() : Errno::kEINVAL;
  }
  if (wanted.automatic) return claim_automatic(endpoint);
  if (wanted.abstract) return claim_abstract(endpoint, wanted.name);
  return bind_path(task, endpoint, wanted.name);
}

Result<> bind_automatically(Task& task, UnixEndpoint& endpoint) {
  SleepLock::Held setup;
  TRY(setup.lock(task, endpoint.setup));
  if (endpoint.name) return {};
  return claim_automatic(endpoint);
}

void forget_name(UnixEndpoint& endpoint) {
  UnixNamespace& names = unix_namespace();
  const UnixName* name = endpoint.name.get();
  if (!name) return;
  if (name->abstract().empty()) {
    Path path;  // let go of without the lock
    Lock::Held held(names.lock);
    if (!endpoint.bound_path) return;
    endpoint.bound_path.inode().bound_socket = nullptr;
    path = std::exchange(endpoint.bound_path, {});
    return;
  }
  const UnixNamespace::AbstractKey key{endpoint.type(), name->abstract().substr(1)};
  Lock::Held held(names.lock);
  auto found = names.abstract.find(key);
  // Accepted sockets share their listener's name, but the entry is the listener's.
  if (found != names.abstract.end() && found->second == &endpoint) names.abstract.erase(found);
}

}  // namespace lxss::net
