// Host files by every way a path can take, and the UNIX sockets of the host.
#include <dirent.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#include "attack.h"

using namespace attack;

namespace {

/// Every call that takes a path; true if one of them finds the file.
bool finds(int directory, const char* path) {
  struct stat status;
  char buffer[kPage];
  if (openat(directory, path, O_RDONLY) >= 0) return true;
  if (openat(directory, path, O_WRONLY | O_APPEND) >= 0) return true;
  if (openat(directory, path, O_PATH) >= 0) return true;
  if (fstatat(directory, path, &status, 0) == 0) return true;
  if (faccessat(directory, path, F_OK, 0) == 0) return true;
  if (readlinkat(directory, path, buffer, sizeof buffer) >= 0) return true;
  if (fchmodat(directory, path, 0777, 0) == 0) return true;
  if (utimensat(directory, path, nullptr, 0) == 0) return true;
  if (linkat(directory, path, AT_FDCWD, "stolen", 0) == 0) return true;
  if (renameat(directory, path, AT_FDCWD, "stolen") == 0) return true;
  return unlinkat(directory, path, 0) == 0;
}

bool finds_at_cwd(const char* path) {
  struct statfs file_system;
  char buffer[kPage];
  return finds(AT_FDCWD, path) || truncate(path, 0) == 0 || statfs(path, &file_system) == 0 ||
         getxattr(path, "user.x", buffer, sizeof buffer) >= 0 || chdir(path) == 0 ||
         acct(path) == 0 || syscall(SYS_execve, path, nullptr, nullptr) == 0;
}

void attack_prefixes() {
  const std::string climb = "/../../../../../../../../../../../../../../../..";
  const std::vector<std::string> prefixes = {
      "",
      climb,
      "/proc/self/root",
      "/proc/1/root",
      "/proc/self/root" + climb,
      "/proc/self/cwd" + climb,
      "/proc/thread-self/root" + climb,
      "/proc/1/cwd" + climb,
      "/dev/fd/.." + climb,
      "/tmp" + climb,
      "/proc/self/task/../root" + climb,
      "/proc/" + std::to_string(canaries.pid) + "/root",
      "/proc/" + std::to_string(canaries.pid) + "/cwd" + climb};
  for (const std::string& prefix : prefixes) {
    const std::string path = prefix + canaries.secret;
    attempt("path " + path, [&] { return finds_at_cwd(path.c_str()); });
  }
}

void attack_descriptors() {
  const std::string relative = canaries.secret.substr(1);
  std::string climb;
  for (int i = 0; i < 64; ++i) climb += "../";
  for (int fd = 0; fd < 64; ++fd) {
    const std::string link = "/proc/self/fd/" + std::to_string(fd) + "/" + climb + relative;
    attempt("descriptor " + std::to_string(fd), [&] {
      return finds(fd, (climb + relative).c_str()) || finds(fd, relative.c_str()) ||
             finds(AT_FDCWD, link.c_str());
    });
  }
  for (int fd = 3; fd < 4096; ++fd) {
    if (fcntl(fd, F_GETFD) == -1) continue;
    std::printf("FAIL descriptor %d was inherited\n", fd);
    std::exit(1);
  }
}

void attack_links() {
  attempt("symbolic link", [] {
    unlink("link");
    return symlink(canaries.secret.c_str(), "link") == 0 && finds(AT_FDCWD, "link") &&
           open("link", O_RDONLY) >= 0;
  });
  attempt("hard link through a symbolic link", [] {
    unlink("link");
    if (symlink(canaries.secret.c_str(), "link") == -1) return false;
    return linkat(AT_FDCWD, "link", AT_FDCWD, "hard", AT_SYMLINK_FOLLOW) == 0;
  });
  attempt("symbolic link that climbs", [] {
    std::string climb;
    for (int i = 0; i < 64; ++i) climb += "../";
    unlink("link");
    return symlink((climb + canaries.secret).c_str(), "link") == 0 && open("link", O_RDONLY) >= 0;
  });
  attempt("link to a directory of the host", [] {
    unlink("link");
    const std::string parent = canaries.secret.substr(0, canaries.secret.rfind('/'));
    const std::string file = "link/" + canaries.secret.substr(parent.size() + 1);
    return symlink(parent.c_str(), "link") == 0 && finds(AT_FDCWD, file.c_str());
  });
}

void attack_chroot() {
  attempt("leaving a chroot", [] {
    mkdir("jail", 0755);
    const int outside = open("/", O_RDONLY | O_DIRECTORY);
    if (chroot("jail") == -1 || fchdir(outside) == -1) return false;
    for (int i = 0; i < 64; ++i) {
      if (chdir("..") == -1) return false;
    }
    if (chroot(".") == -1) return false;
    return finds_at_cwd(canaries.secret.c_str());
  });
  attempt("renaming the directory one stands in", [] {
    mkdir("outer", 0755);
    mkdir("outer/inner", 0755);
    if (chdir("outer/inner") == -1 || rename("../../outer/inner", "../../inner") == -1)
      return false;
    std::string climb;
    for (int i = 0; i < 64; ++i) climb += "../";
    return finds(AT_FDCWD, (climb + canaries.secret).c_str());
  });
}

void attack_sockets() {
  for (int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    for (bool is_abstract : {true, false}) {
      const Address address =
          address_of(is_abstract ? canaries.abstract : canaries.socket, is_abstract);
      attempt("connect", [=] {
        const int fd = socket(AF_UNIX, type, 0);
        const auto* name = reinterpret_cast<const sockaddr*>(&address.value);
        return connect(fd, name, address.size) == 0 ||
               sendto(fd, "x", 1, 0, name, address.size) == 1;
      });
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  parse(argc, argv);
  char directory[] = "/tmp/host_paths.XXXXXX";
  if (mkdtemp(directory) == nullptr || chdir(directory) == -1) return 2;
  attack_prefixes();
  attack_descriptors();
  attack_links();
  attack_chroot();
  attack_sockets();
  return report();
}
