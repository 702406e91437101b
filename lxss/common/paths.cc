#include "lxss/common/paths.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>

#include "lxss/common/failure.h"
#include "lxss/common/files.h"

namespace lxss::common {
namespace {

/// The variable's value when it is an absolute path, as the XDG specification asks.
std::string absolute_from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && value[0] == '/' ? value : "";
}

std::string user_home() {
  if (std::string home = absolute_from_environment("HOME"); !home.empty()) return home;
  const passwd* entry = ::getpwuid(::getuid());
  if (entry == nullptr) throw Failure("HOME is not set and the user has no home directory.");
  return entry->pw_dir;
}

bool is_private_directory(const std::string& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == ::geteuid() && (status.st_mode & 077) == 0;
}

bool fits_socket_address(const std::string& path) {
  return path.size() < sizeof(sockaddr_un{}.sun_path);
}

/// FNV-1a: tells apart the homes that share one short socket directory.
std::uint64_t hash_of(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char byte : text) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

/// In $XDG_RUNTIME_DIR, else in the home, else (both too long) below /tmp.
std::string socket_path(const std::string& home) {
  const std::string name = fmt::format("lxss-{:016x}.socket", hash_of(home));
  if (const std::string runtime = absolute_from_environment("XDG_RUNTIME_DIR");
      !runtime.empty() && is_private_directory(runtime) &&
      fits_socket_address(runtime + '/' + name)) {
    return runtime + '/' + name;
  }
  if (const std::string path = home + "/lxssd.socket";
      fits_socket_address(path) && is_private_directory(home)) {
    return path;
  }
  const std::string directory = fmt::format("/tmp/lxss-{}", ::geteuid());
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    throw_errno(fmt::format("create '{}'", directory));
  }
  if (!is_private_directory(directory)) {
    throw Failure("'{}' belongs to someone else or is open to others; remove it.", directory);
  }
  return directory + '/' + name;
}

}  // namespace

Paths Paths::from_environment() {
  Paths paths;
  paths.home = absolute_from_environment("LXSS_HOME");
  if (paths.home.empty()) {
    const std::string data = absolute_from_environment("XDG_DATA_HOME");
    paths.home = (data.empty() ? user_home() + "/.local/share" : data) + "/lxss";
  }
  const std::string cache = absolute_from_environment("XDG_CACHE_HOME");
  paths.cache = (cache.empty() ? user_home() + "/.cache" : cache) + "/lxss";
  make_directories(paths.home);
  paths.home = std::filesystem::canonical(paths.home);
  paths.socket = socket_path(paths.home);
  return paths;
}

std::string executable_directory() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

}  // namespace lxss::common
