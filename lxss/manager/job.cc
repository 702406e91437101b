#include "lxss/manager/job.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "lxss/common/failure.h"

namespace lxss::manager {
namespace {

// The first byte of a packet from the child; the rest is the text.
constexpr char kProgress = 'p';
constexpr char kDone = 'd';
constexpr char kFailed = 'f';

void close_all_but(std::vector<int> kept) {
  kept.insert(kept.end(), {0, 1, 2});
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  unsigned first = 0;
  for (int fd : kept) {
    if (unsigned(fd) > first) ::close_range(first, unsigned(fd) - 1, 0);
    first = unsigned(fd) + 1;
  }
  ::close_range(first, ~0u, 0);
}

/// Waits until the manager has room, unlike PacketSocket::send.
void tell(int socket, char kind, const std::string& text) {
  const std::string packet = kind + text;
  [[maybe_unused]] const ssize_t sent = ::send(socket, packet.data(), packet.size(), MSG_NOSIGNAL);
}

[[noreturn]] void run_child(int socket, pid_t manager, std::vector<int> kept,
                            const Job::Work& work) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != manager) ::_exit(1);
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  kept.push_back(socket);
  close_all_but(std::move(kept));
  try {
    work([&](const std::string& line) { tell(socket, kProgress, line); });
    tell(socket, kDone, "");
  } catch (const std::exception& error) {
    tell(socket, kFailed, error.what());
  }
  ::_exit(0);
}

}  // namespace

Job::Job(EventLoop& loop, std::vector<int> kept, const Work& work, OnProgress on_progress,
         OnEnd on_end)
    : loop_(loop), on_progress_(std::move(on_progress)), on_end_(std::move(on_end)) {
  auto [ours, theirs] = common::PacketSocket::pair();
  const pid_t manager = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) common::throw_errno("start a job");
  if (pid_ == 0) run_child(theirs.fd(), manager, std::move(kept), work);
  ::setpgid(pid_, pid_);
  socket_ = std::move(ours);
  loop_.watch(socket_.fd(), [this] { read_messages(); });
  loop_.watch_child(pid_, [this](int) { process_ended(); });
}

Job::~Job() {
  if (socket_) loop_.unwatch(socket_.fd());
  cancel();
}

void Job::cancel() {
  if (pid_ > 0) ::kill(-pid_, SIGKILL);
}

void Job::read_messages() {
  while (socket_) {
    const std::optional<common::Packet> packet = socket_.receive(false);
    if (!packet) {
      if (socket_.closed()) {
        loop_.unwatch(socket_.fd());
        socket_.close();
      }
      return;
    }
    const std::string text = packet->bytes.substr(1);
    switch (packet->bytes.front()) {
      case kProgress:
        on_progress_(text);
        break;
      case kDone:
        failure_.reset();
        break;
      case kFailed:
        failure_ = text;
        break;
    }
  }
}

void Job::process_ended() {
  read_messages();
  pid_ = -1;
  const OnEnd on_end = std::move(on_end_);  // It may destroy this job.
  const std::optional<std::string> failure = std::move(failure_);
  on_end(failure);
}

}  // namespace lxss::manager
