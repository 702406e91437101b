#include "lxss/launcher/session.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "lxss/common/failure.h"
#include "lxss/common/wslenv.h"
#include "lxss/launcher/connection.h"
#include "lxss/launcher/terminal.h"

namespace lxss::launcher {
namespace {

using common::Failure;
using common::Message;
using common::UniqueFd;

constexpr int kForwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

/// What the guest may see of the environment: TERM, LANG, WSLENV and what it names.
std::map<std::string, std::string> shared_environment() {
  std::map<std::string, std::string> shared;
  auto add = [&](const std::string& name) {
    if (const char* value = std::getenv(name.c_str())) shared[name] = value;
  };
  for (const char* name : {"TERM", "LANG", "WSLENV"}) add(name);
  if (const char* wslenv = std::getenv("WSLENV")) {
    for (const common::SharedVariable& variable : common::parse_wslenv(wslenv)) add(variable.name);
  }
  return shared;
}

/// An absolute --cd and one with ~ are Linux's; a relative one is the host's.
void set_directory(const std::string& named, common::LaunchRequest& request) {
  std::error_code error;
  if (named.empty()) {
    request.host_directory = std::filesystem::current_path(error);
  } else if (named.front() == '/' || named == "~" || named.starts_with("~/")) {
    request.directory = named;
  } else {
    request.host_directory = std::filesystem::canonical(named, error);
    if (error) throw Failure("cannot enter '{}': {}", named, error.message());
  }
}

/// Signals to forward, read as a file. Those that are ignored stay so.
UniqueFd open_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (int signal : kForwarded) ::sigaddset(&set, signal);
  ::sigaddset(&set, SIGWINCH);
  ::sigaddset(&set, SIGTSTP);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) common::throw_errno("wait for signals");
  return fd;
}

/// Linux's wait status as this process's own end.
int leave_as(int wait_status) {
  if (!WIFSIGNALED(wait_status)) return WEXITSTATUS(wait_status);
  const int signal = WTERMSIG(wait_status);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::signal(signal, SIG_DFL);
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, signal);
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
  ::raise(signal);
  return 128 + signal;
}

/// What the manager said last about the session.
struct Outcome {
  int wait_status = 0;
  std::string message{};  ///< not empty: it failed
  int exit_code = 0;
};

class Session {
 public:
  Session(Connection& connection, const Terminals& terminals)
      : connection_(connection), terminals_(terminals), signals_(open_signals()) {
    if (terminals_.raw) raw_.emplace(STDIN_FILENO);
  }

  Outcome wait() {
    while (true) {
      pollfd polled[] = {{connection_.fd(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
      if (::poll(polled, 2, -1) < 0 && errno != EINTR) common::throw_errno("wait");
      forward_signals();
      while (const std::optional<Message> event = connection_.receive(false)) {
        const std::string kind = event->value("event", "");
        if (kind == "started" && raw_) raw_->take_signal_keys();
        if (kind == "exited") return {.wait_status = event->value("status", 0)};
        if (kind == "failed") {
          return {.message = event->value("message", ""), .exit_code = event->value("code", 1)};
        }
      }
    }
  }

 private:
  void forward_signals() {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
      if (info.ssi_signo == SIGWINCH) {
        send_size();
      } else if (info.ssi_signo == SIGTSTP) {
        stop();
      } else {
        connection_.send({{"op", "signal"}, {"number", info.ssi_signo}});
      }
    }
  }

  void send_size() {
    if (terminals_.fd < 0) return;
    connection_.send({{"op", "resize"}, {"size", terminal_size(terminals_.fd)}});
  }

  /// Stops, the program too, and leaves the terminal to the shell, until that continues it in the
  /// foreground: in the background, taking the terminal again stops it again.
  void stop() {
    const bool was_raw = raw_.has_value();
    connection_.send({{"op", "signal"}, {"number", SIGTSTP}});
    raw_.reset();
    ::raise(SIGSTOP);
    if (was_raw) raw_.emplace(STDIN_FILENO).take_signal_keys();
    send_size();
    connection_.send({{"op", "signal"}, {"number", SIGCONT}});
  }

  Connection& connection_;
  const Terminals& terminals_;
  UniqueFd signals_;
  std::optional<RawMode> raw_;  ///< Ctrl-C is the launcher's until the program runs
};

}  // namespace

int run_session(const CommandLine& command) {
  const Terminals terminals = inspect_terminals();
  const bool traced = !command.trace_file.empty();
  common::LaunchRequest request{.distribution = command.distribution,
                                .user = command.user,
                                .shell = command.shell,
                                .words = command.command,
                                .environment = shared_environment(),
                                .terminals = terminals.flags,
                                .size = terminal_size(terminals.fd),
                                .trace = traced};
  set_directory(command.directory, request);

  std::vector<int> streams = {0, 1, 2};
  UniqueFd null;
  if (terminals.detach_input) {
    null = common::open_file("/dev/null", O_RDONLY);
    streams[0] = null.get();
  }
  UniqueFd trace;
  if (traced && command.trace_file != "-") {
    trace = common::open_file(command.trace_file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0666);
  }
  if (traced) streams.push_back(trace ? trace.get() : 2);

  Connection connection = Connection::open();
  Outcome outcome;
  {  // The session's end gives the terminal back.
    Session session(connection, terminals);
    Message message = request;
    message["op"] = "launch";
    connection.send(message, streams);
    outcome = session.wait();
  }
  if (outcome.message.empty()) return leave_as(outcome.wait_status);
  fmt::print(stderr, "lxss: {}\n", outcome.message);
  return outcome.exit_code;
}

}  // namespace lxss::launcher
