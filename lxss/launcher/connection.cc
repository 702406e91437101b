#include "lxss/launcher/connection.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lxss/common/failure.h"
#include "lxss/common/paths.h"

namespace lxss::launcher {
namespace {

using common::Failure;
using common::Message;
using common::PacketSocket;
using common::UniqueFd;

constexpr int kAttempts = 40;
constexpr useconds_t kPause_us = 50'000;

/// A connection, or nothing when no manager listens.
PacketSocket try_connect(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (!fd || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return {};
  }
  return PacketSocket(std::move(fd));
}

[[noreturn]] void execute_manager(const std::string& program, int output, int log) {
  ::setsid();
  if (::fork() != 0) ::_exit(0);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::close_range(3, ~0u, 0);
  ::execl(program.c_str(), "lxssd", nullptr);
  ::dprintf(STDOUT_FILENO, "The manager '%s' cannot be run: %s.", program.c_str(),
            ::strerror(errno));
  ::_exit(1);
}

/// Starts the manager as a daemon and waits until it listens or says why not.
void start_manager(const common::Paths& paths) {
  const std::string program = common::executable_directory() + "/lxssd";
  const UniqueFd log = common::open_file(paths.log(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) common::throw_errno("make a pipe");
  const UniqueFd answer(ends[0]);
  UniqueFd output(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) common::throw_errno("start the manager");
  if (child == 0) execute_manager(program, output.get(), log.get());
  output.reset();
  ::waitpid(child, nullptr, 0);
  const std::string text = common::read_all(answer.get(), 4096).value_or("");
  if (text == "ready") return;
  throw Failure("{}", text.empty() ? "The manager ended at once; see " + paths.log() + "." : text);
}

/// Progress is one changing line on a terminal, and nothing elsewhere.
void show_progress(const std::string& text) {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  if (!terminal) return;
  fmt::print(stderr, "\r\033[K{}", text);
  fflush(stderr);
}

void end_progress(bool shown) {
  if (shown && ::isatty(STDERR_FILENO) == 1) fmt::print(stderr, "\r\033[K");
}

}  // namespace

Connection Connection::open() {
  const common::Paths paths = common::Paths::from_environment();
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    PacketSocket socket = try_connect(paths.socket);
    if (socket) {
      // A manager that is just ending may hang up without a greeting.
      const std::optional<common::Packet> packet = socket.receive(true);
      const std::optional<Message> hello = packet ? common::decode(packet->bytes) : std::nullopt;
      if (hello && hello->value("version", "") == common::kVersion) {
        return Connection(std::move(socket));
      }
      if (hello)
        throw Failure("The running manager is of another version; end it: lxss --shutdown");
    } else {
      start_manager(paths);
    }
    if (attempt > 0) ::usleep(kPause_us);
  }
  throw Failure("The manager does not answer at '{}'.", paths.socket);
}

void Connection::send(const Message& message, std::span<const int> descriptors) {
  switch (common::send_message(socket_, message, descriptors)) {
    case PacketSocket::SendResult::kSent:
      return;
    case PacketSocket::SendResult::kTooLarge:
      throw Failure("The command and its environment are too long.");
    case PacketSocket::SendResult::kBroken:
      throw Failure("The manager has gone.");
  }
}

std::optional<Message> Connection::receive(bool wait) {
  while (true) {
    const std::optional<common::Packet> packet = socket_.receive(wait);
    if (packet) return common::decode(packet->bytes);
    if (socket_.closed()) throw Failure("The manager has gone.");
    if (!wait) return std::nullopt;
  }
}

Message Connection::call(const Message& request, std::span<const int> descriptors) {
  send(request, descriptors);
  bool shown = false;
  while (true) {
    const std::optional<Message> event = receive(true);
    const std::string kind = event ? event->value("event", "") : "";
    if (kind == "progress") {
      show_progress(event->value("text", ""));
      shown = true;
      continue;
    }
    end_progress(shown);
    if (kind == "done") return event->value("result", Message());
    throw Failure("{}", event ? event->value("message", "The manager sent something else.")
                              : "The manager sent something else.");
  }
}

}  // namespace lxss::launcher
