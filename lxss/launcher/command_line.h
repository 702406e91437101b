// The launcher's command line, which is wsl.exe's.
#pragma once

#include <string>
#include <vector>

#include "lxss/common/protocol.h"

namespace lxss::launcher {

enum class Action {
  kLaunch,
  kList,
  kSetDefault,
  kTerminate,
  kShutdown,
  kInstall,
  kImport,
  kExport,
  kUnregister,
  kStatus,
  kVersion,
  kHelp,
};

struct CommandLine {
  Action action = Action::kLaunch;

  // kLaunch
  std::string distribution;
  std::string user;
  std::string directory;  ///< --cd
  common::ShellType shell = common::ShellType::kDefault;
  std::vector<std::string> command;
  std::string trace_file;  ///< "-" is standard error; empty: no trace

  // The others: the name they are about, and what more they take.
  std::string name;
  std::string source;    ///< kInstall: what to install, without --from-file
  std::string file;      ///< kInstall --from-file, kImport, kExport; "-" is a standard stream
  std::string location;  ///< kInstall, kImport
  std::string format;    ///< kExport
  bool no_launch = false;
  bool running_only = false;
  bool quiet = false;
  bool verbose = false;
  std::string help;  ///< kHelp: the text
};

/// Options come before the command; its own are left to it. Throws
/// common::Failure with a sentence about what is wrong.
CommandLine parse_command_line(std::vector<std::string> arguments);

}  // namespace lxss::launcher
