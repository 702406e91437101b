#include "lxss/launcher/actions.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <filesystem>

#include "lxcore/control/protocol.h"
#include "lxss/common/failure.h"
#include "lxss/launcher/connection.h"
#include "lxss/launcher/session.h"

namespace lxss::launcher {
namespace {

using common::Message;
using common::UniqueFd;

Message call(const Message& request, std::span<const int> descriptors = {}) {
  return Connection::open().call(request, descriptors);
}

int list(const CommandLine& command) {
  const Message rows = call({{"op", "list"}});
  if (rows.empty() && !command.quiet) {
    fmt::print("No distribution is installed; `lxss --install` installs Debian.\n");
  }
  if (command.verbose && !rows.empty()) fmt::print("  {:<24}{:<16}VERSION\n", "NAME", "STATE");
  for (const Message& row : rows) {
    const std::string name = row.value("name", "");
    const std::string state = row.value("state", "");
    const bool is_default = row.value("default", false);
    if (command.running_only && state != "Running") continue;
    if (command.quiet) {
      fmt::print("{}\n", name);
    } else if (command.verbose) {
      fmt::print("{} {:<24}{:<16}1\n", is_default ? '*' : ' ', name, state);
    } else {
      fmt::print("{}{}\n", name, is_default ? " (Default)" : "");
    }
  }
  return 0;
}

std::string confinement_text(std::uint32_t bits) {
  std::string text;
  for (const auto& [bit, name] : {std::pair{control::kSeccomp, "system calls (seccomp)"},
                                  {control::kLandlockFiles, "files (Landlock)"},
                                  {control::kLandlockScope, "processes (Landlock)"}}) {
    if ((bits & bit) != 0) text += (text.empty() ? "" : ", ") + std::string(name);
  }
  return text.empty() ? "nothing" : text;
}

int status() {
  const Message state = call({{"op", "status"}});
  const std::string chosen = state.value("default", "");
  fmt::print("Default distribution: {}\n", chosen.empty() ? "none" : chosen);
  fmt::print("Kernel image: {}\n", state.value("kernel", ""));
  fmt::print("Kept in: {}\n", state.value("home", ""));
  for (const Message& drive : state.at("drives")) {
    fmt::print("Drive {}: {}\n", drive.value("letter", ""), drive.value("directory", ""));
  }
  for (const Message& instance : state.at("instances")) {
    fmt::print("Running: {}, confined: {}\n", instance.value("name", ""),
               confinement_text(instance.value("confinement", 0u)));
  }
  for (const Message& error : state.at("config_errors")) {
    fmt::print("config.ini: {}\n", error.get<std::string>());
  }
  return 0;
}

UniqueFd open_archive(const std::string& file) {
  return file == "-" ? UniqueFd(::dup(STDIN_FILENO)) : common::open_file(file, O_RDONLY);
}

std::string absolute(const std::string& path) {
  return path.empty() ? "" : std::filesystem::absolute(path).lexically_normal().string();
}

void install(const CommandLine& command) {
  const bool from_file = !command.file.empty();
  const Message request = {{"op", "install"},
                           {"source", from_file ? "archive" : command.source},
                           {"name", command.name},
                           {"directory", absolute(command.location)}};
  if (!from_file) {
    call(request);
  } else {
    const UniqueFd archive = open_archive(command.file);
    const int descriptors[] = {archive.get()};
    call(request, descriptors);
  }
  fmt::print("'{}' is installed.\n", command.name);
}

/// The file appears under its name only when it is whole.
void export_distribution(const CommandLine& command) {
  const Message request = {{"op", "export"}, {"name", command.name}, {"format", command.format}};
  if (command.file == "-") {
    const int descriptors[] = {STDOUT_FILENO};
    call(request, descriptors);
    return;
  }
  const std::string partial = command.file + ".partial";
  const UniqueFd file = common::open_file(partial, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  try {
    const int descriptors[] = {file.get()};
    call(request, descriptors);
    if (::rename(partial.c_str(), command.file.c_str()) != 0) {
      common::throw_errno(fmt::format("create '{}'", command.file));
    }
  } catch (...) {
    ::unlink(partial.c_str());
    throw;
  }
}

}  // namespace

int perform(const CommandLine& command) {
  switch (command.action) {
    case Action::kList:
      return list(command);
    case Action::kStatus:
      return status();
    case Action::kSetDefault:
      call({{"op", "set-default"}, {"name", command.name}});
      return 0;
    case Action::kTerminate:
      call({{"op", "terminate"}, {"name", command.name}});
      return 0;
    case Action::kShutdown:
      call({{"op", "shutdown"}});
      return 0;
    case Action::kUnregister:
      call({{"op", "unregister"}, {"name", command.name}});
      return 0;
    case Action::kImport:
      install(command);
      return 0;
    case Action::kExport:
      export_distribution(command);
      return 0;
    case Action::kInstall: {
      install(command);
      if (command.no_launch) return 0;
      CommandLine shell;
      shell.distribution = command.name;
      return run_session(shell);
    }
    case Action::kVersion:
      fmt::print("lxss {}\n", common::kVersion);
      return 0;
    case Action::kHelp:
      fmt::print("{}", command.help);
      return 0;
    case Action::kLaunch:
      break;
  }
  return run_session(command);
}

}  // namespace lxss::launcher
