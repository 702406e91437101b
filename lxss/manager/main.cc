// lxssd: the manager's process. The launcher starts it and reads from its
// standard output "ready" or the sentence that says why not.
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lxss/common/failure.h"
#include "lxss/common/paths.h"
#include "lxss/manager/event_loop.h"
#include "lxss/manager/server.h"

namespace lxss::manager {
namespace {

using common::UniqueFd;

constexpr int kBacklog = 64;

/// One manager per home; nothing when another holds the lock.
UniqueFd lock_home(const common::Paths& paths) {
  UniqueFd lock = common::open_file(paths.lock(), O_RDWR | O_CREAT, 0600);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return {};
  return lock;
}

UniqueFd listen_at(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ::unlink(path.c_str());  // Of a manager that crashed; the lock says that none lives.
  ::umask(077);
  if (!fd || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    common::throw_errno(fmt::format("listen at '{}'", path));
  }
  return fd;
}

void say(std::string_view text) {
  [[maybe_unused]] const ssize_t ignored = ::write(STDOUT_FILENO, text.data(), text.size());
  const UniqueFd null = common::open_file("/dev/null", O_RDWR);
  ::dup2(null.get(), STDOUT_FILENO);
}

int run() {
  ::setlocale(LC_CTYPE, "C.UTF-8");  // Names in archives are UTF-8 or plain bytes.
  ::signal(SIGPIPE, SIG_IGN);
  const common::Paths paths = common::Paths::from_environment();
  const UniqueFd lock = lock_home(paths);
  if (!lock) {
    say("ready");
    return 0;
  }
  std::unique_ptr<Server> server;
  EventLoop loop([&] { server->shutdown([&] { loop.stop(); }); });
  server = std::make_unique<Server>(loop, paths, listen_at(paths.socket));
  if (::chdir("/") != 0) common::throw_errno("enter '/'");
  say("ready");
  loop.run();
  ::unlink(paths.socket.c_str());
  server.reset();
  return 0;
}

}  // namespace
}  // namespace lxss::manager

int main() {
  try {
    return lxss::manager::run();
  } catch (const std::exception& error) {
    lxss::manager::say(error.what());
    return 1;
  }
}
