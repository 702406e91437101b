#include "lxss/manager/kernel_process.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "lxcore/control/protocol.h"
#include "lxss/common/failure.h"
#include "lxss/common/paths.h"

namespace lxss::manager {
namespace {

static_assert(control::kControlFd == 3 && control::kRootFd == 4 && control::kLogFd == 5);

/// In the child: `sources` become 0, 1, 2, ...; everything else is closed.
[[noreturn]] void execute(const std::string& image, std::array<int, 6> sources) {
  ::setsid();
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  // Out of the way of the targets first.
  for (int& source : sources) source = ::fcntl(source, F_DUPFD, int(sources.size()));
  for (std::size_t target = 0; target < sources.size(); ++target) {
    ::dup2(sources[target], int(target));
  }
  ::close_range(unsigned(sources.size()), ~0u, 0);
  char name[] = "lxcore";
  char* arguments[] = {name, nullptr};
  char* environment[] = {nullptr};
  ::execve(image.c_str(), arguments, environment);
  const std::string sentence = fmt::format("Could not run '{}': {}.\n", image, strerror(errno));
  [[maybe_unused]] const ssize_t written = ::write(2, sentence.data(), sentence.size());
  ::_exit(127);
}

}  // namespace

std::string kernel_image() {
  const char* configured = std::getenv("LXSS_KERNEL");
  return configured != nullptr && *configured != '\0' ? configured
                                                      : common::executable_directory() + "/lxcore";
}

KernelProcess start_kernel(common::UniqueFd root, const common::UniqueFd& log) {
  const std::string image = kernel_image();
  if (::access(image.c_str(), X_OK) != 0) {
    throw common::Failure("The kernel image '{}' cannot be run: {}.", image, strerror(errno));
  }
  const common::UniqueFd null = common::open_file("/dev/null", O_RDWR);
  auto [ours, theirs] = common::PacketSocket::pair();
  const pid_t pid = ::fork();
  if (pid < 0) common::throw_errno("start an instance");
  if (pid == 0) {
    execute(image, {null.get(), log.get(), log.get(), theirs.fd(), root.get(), log.get()});
  }
  return {pid, std::move(ours)};
}

}  // namespace lxss::manager
