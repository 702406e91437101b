// A stand-in for the kernel image: it speaks the control protocol and runs a few
// built-in commands natively, which is enough to test the manager and the
// launcher. Commands: echo WORDS, cat, exit N, kill N, pwd, env, wait (until a
// signal comes, which it prints), crash (the instance dies), garbage (it breaks
// the protocol). Anything else does not exist; directories that are not "/" or
// "/root" do not exist either.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lxcore/control/protocol.h"
#include "lxss/common/packet_socket.h"

namespace {

using lxss::common::Packet;
using lxss::common::PacketSocket;
using lxss::common::UniqueFd;
namespace control = lxss::control;

PacketSocket manager;
std::map<std::uint64_t, pid_t> sessions;

template <typename T>
void send(const T& message) {
  manager.send({reinterpret_cast<const char*>(&message), sizeof message});
}

void run(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
         const std::string& directory) {
  const std::string& command = arguments[0];
  if (command == "echo") {
    for (std::size_t i = 1; i < arguments.size(); ++i) {
      dprintf(1, "%s%s", i > 1 ? " " : "", arguments[i].c_str());
    }
    dprintf(1, "\n");
  } else if (command == "cat") {
    char buffer[4096];
    for (ssize_t n; (n = read(0, buffer, sizeof buffer)) > 0;) {
      if (write(1, buffer, std::size_t(n)) != n) _exit(1);
    }
  } else if (command == "exit") {
    _exit(std::stoi(arguments[1]));
  } else if (command == "kill") {
    raise(std::stoi(arguments[1]));
  } else if (command == "pwd") {
    dprintf(1, "%s\n", directory.c_str());
  } else if (command == "env") {
    for (const std::string& variable : environment) dprintf(1, "%s\n", variable.c_str());
  } else if (command == "wait") {
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    dprintf(1, "waiting\n");
    int signal = 0;
    sigwait(&set, &signal);
    dprintf(1, "signal %d\n", signal);
  } else {  // The user's shell: says how it was called.
    for (const std::string& argument : arguments) dprintf(1, "[%s]", argument.c_str());
    dprintf(1, "\n");
  }
  _exit(0);
}

bool exists(const std::string& program) {
  for (const char* known : {"echo", "cat", "exit", "kill", "pwd", "env", "wait", "/bin/sh"}) {
    if (program == known) return true;
  }
  return false;
}

void launch(const Packet& packet) {
  control::Launch request;
  std::memcpy(&request, packet.bytes.data(), sizeof request);
  std::vector<std::string> strings;
  for (std::size_t at = sizeof request; at < packet.bytes.size();) {
    strings.emplace_back(packet.bytes.c_str() + at);
    at += strings.back().size() + 1;
  }
  const std::string directory = strings[0];
  const std::string program = strings[1];
  control::LaunchFailed failed;
  failed.session = request.session;
  failed.error = ENOENT;
  if (directory != "/" && directory != "/root") {
    failed.step = control::LaunchStep::kWorkingDirectory;
    return send(failed);
  }
  if (program == "crash") abort();
  if (program == "garbage") return void(manager.send("garbage"));
  if (!exists(program)) {
    failed.step = control::LaunchStep::kProgram;
    return send(failed);
  }
  const auto arguments = strings.begin() + 2;
  const auto environment = arguments + request.argc;
  const pid_t pid = fork();
  if (pid == 0) {
    for (int fd = 0; fd < 3; ++fd) dup2(packet.descriptors[std::size_t(fd)].get(), fd);
    run({arguments, environment}, {environment, strings.end()}, directory);
  }
  sessions[request.session] = pid;
  control::Started started;
  started.session = request.session;
  started.pid = pid;
  send(started);
}

/// False when the instance is to end.
bool handle(const Packet& packet) {
  control::Header header;
  std::memcpy(&header, packet.bytes.data(), sizeof header);
  switch (header.type) {
    case control::Type::kBoot:
      send(control::Ready{});
      return true;
    case control::Type::kLaunch:
      launch(packet);
      return true;
    case control::Type::kSignal: {
      control::Signal signal;
      std::memcpy(&signal, packet.bytes.data(), sizeof signal);
      kill(sessions[signal.session], int(signal.number));
      return true;
    }
    case control::Type::kHangUp: {
      control::HangUp hang_up;
      std::memcpy(&hang_up, packet.bytes.data(), sizeof hang_up);
      kill(sessions[hang_up.session], SIGHUP);
      return true;
    }
    case control::Type::kShutdown:
      return false;
    default:
      return true;
  }
}

void reap() {
  int status = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    for (auto session = sessions.begin(); session != sessions.end(); ++session) {
      if (session->second != pid) continue;
      control::Exited exited;
      exited.session = session->first;
      exited.wait_status = status;
      send(exited);
      sessions.erase(session);
      break;
    }
  }
}

}  // namespace

int main() {
  manager = PacketSocket(UniqueFd(control::kControlFd));
  while (true) {
    pollfd polled{control::kControlFd, POLLIN, 0};
    poll(&polled, 1, 5);
    reap();
    while (const std::optional<Packet> packet = manager.receive(false)) {
      if (!handle(*packet)) return 0;
    }
    if (manager.closed()) return 0;
  }
}
