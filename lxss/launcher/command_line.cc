#include "lxss/launcher/command_line.h"

#include <CLI/CLI.hpp>

#include "lxss/common/failure.h"

namespace lxss::launcher {
namespace {

using common::Failure;
using common::ShellType;

constexpr char kFooter[] =
    "\nWithout a command the user's login shell is started. A command is run as it stands; a\n"
    "single word with characters that mean something to a shell is run by the user's shell.";

const std::map<std::string, ShellType> kShellTypes = {
    {"standard", ShellType::kStandard}, {"login", ShellType::kLogin}, {"none", ShellType::kNone}};

std::string format_of(const std::string& file) {
  for (const auto& [ending, format] : {std::pair{".tar.gz", "tar.gz"},
                                       {".tgz", "tar.gz"},
                                       {".tar.xz", "tar.xz"},
                                       {".tar.zst", "tar.zst"}}) {
    if (file.ends_with(ending)) return format;
  }
  return "tar";
}

/// The name a distribution gets from the archive's file name.
std::string name_of(const std::string& file) {
  const std::string base = file.substr(file.rfind('/') + 1);
  return base.substr(0, base.find('.'));
}

/// A flag that is only asked whether it was given.
CLI::Option* add_switch(CLI::App& group, const std::string& name, const std::string& description) {
  return group.add_flag(name, description);
}

class Parser {
 public:
  Parser() : app_("Runs Linux programs: lxss [options] [command...]", "lxss") {
    app_.footer(kFooter);
    app_.set_help_flag();
    app_.prefix_command();
    add_launch_options();
    add_management_options();
  }

  CommandLine parse(std::vector<std::string> arguments) {
    const std::vector<std::string> given = arguments;
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back.
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::ParseError& error) {
      throw Failure("{}; `lxss --help` lists the options.", error.what());
    }
    read_command(given);
    read_action();
    return std::move(result_);
  }

 private:
  void add_launch_options() {
    CLI::App& group = *app_.add_option_group("Running");
    group.add_option("-d,--distribution", result_.distribution, "The distribution to use");
    group.add_option("-u,--user", result_.user, "The user to run as");
    group.add_option("--cd", result_.directory,
                     "Start in this directory: a Linux path, ~, or a relative host path");
    group.add_option("--shell-type", shell_type_, "standard, login or none")
        ->check(CLI::IsMember({"standard", "login", "none"}));
    exec_ = add_switch(group, "-e,--exec", "Run the command without a shell");
    group.add_flag("--trace{-}", result_.trace_file,
                   "Trace system calls to standard error or, with =FILE, to a file");
  }

  void add_management_options() {
    CLI::App& group = *app_.add_option_group("Managing");
    action(add_switch(group, "-l,--list", "List distributions"), Action::kList);
    add_switch(group, "--all", "With --list: those being installed or removed, too");
    group.add_flag("--running", result_.running_only, "With --list: only those that run");
    group.add_flag("-q,--quiet", result_.quiet, "With --list: only names");
    group.add_flag("-v,--verbose", result_.verbose, "With --list: states as well");
    action(group.add_option("-s,--set-default", result_.name, "Make a distribution the default"),
           Action::kSetDefault);
    action(group.add_option("-t,--terminate", result_.name, "End a distribution's instance"),
           Action::kTerminate);
    action(add_switch(group, "--shutdown", "End all instances and the manager"), Action::kShutdown);
    action(group.add_option("--install", source_, "Install debian (the default) or minimal")
               ->expected(0, 1),
           Action::kInstall);
    group.add_option("--from-file", result_.file, "With --install: a root file system as tar");
    group.add_option("--location", result_.location, "With --install: the directory to keep it in");
    group.add_option("--name", name_, "With --install: the name it gets");
    group.add_flag("--no-launch", result_.no_launch, "With --install: do not start it");
    action(
        group.add_option("--import", words_, "NAME DIRECTORY FILE: install from a tar file or -")
            ->expected(3),
        Action::kImport);
    action(
        group.add_option("--export", words_, "NAME FILE: pack into a tar file or -")->expected(2),
        Action::kExport);
    group.add_option("--format", result_.format, "With --export: tar, tar.gz, tar.xz or tar.zst");
    action(group.add_option("--unregister", result_.name, "Remove a distribution and its files"),
           Action::kUnregister);
    action(add_switch(group, "--status", "Say what runs and how it is confined"), Action::kStatus);
    action(add_switch(group, "--version", "Say the version"), Action::kVersion);
    action(add_switch(group, "-h,--help", "Say this"), Action::kHelp);
  }

  CLI::Option* action(CLI::Option* option, Action value) {
    actions_.emplace_back(option, value);
    return option;
  }

  void read_command(const std::vector<std::string>& given) {
    result_.command = app_.remaining();
    std::vector<std::string>& command = result_.command;
    const std::size_t first = given.size() - command.size();
    const bool after_dashes = first > 0 && given[first - 1] == "--";
    if (!command.empty() && !after_dashes) {
      if (command.front() == "--") {
        command.erase(command.begin());
      } else if (command.front().starts_with('-')) {
        throw Failure("There is no option '{}'; `lxss --help` lists them.", command.front());
      }
    }
    if (!shell_type_.empty()) result_.shell = kShellTypes.at(shell_type_);
    if (*exec_) {
      if (command.empty()) throw Failure("--exec needs a command.");
      result_.shell = ShellType::kNone;
    }
  }

  void read_action() {
    for (const auto& [option, value] : actions_) {
      if (!*option) continue;
      if (result_.action != Action::kLaunch) {
        throw Failure("{} cannot be combined with another action.", option->get_name());
      }
      result_.action = value;
    }
    if (result_.action != Action::kLaunch && !result_.command.empty()) {
      throw Failure("'{}' is one word too many.", result_.command.front());
    }
    switch (result_.action) {
      case Action::kInstall:
        result_.source = source_.empty() ? "debian" : source_;
        if (!name_.empty()) {
          result_.name = name_;
        } else {
          result_.name =
              !source_.empty() || result_.file.empty() ? result_.source : name_of(result_.file);
        }
        break;
      case Action::kImport:
        result_.name = words_[0];
        result_.location = words_[1];
        result_.file = words_[2];
        break;
      case Action::kExport:
        result_.name = words_[0];
        result_.file = words_[1];
        if (result_.format.empty()) result_.format = format_of(result_.file);
        break;
      case Action::kHelp:
        result_.help = app_.help();
        break;
      default:
        break;
    }
  }

  CLI::App app_;
  CommandLine result_;
  std::string shell_type_;
  std::string source_;
  std::string name_;
  std::vector<std::string> words_;
  CLI::Option* exec_ = nullptr;
  std::vector<std::pair<CLI::Option*, Action>> actions_;
};

}  // namespace

CommandLine parse_command_line(std::vector<std::string> arguments) {
  return Parser().parse(std::move(arguments));
}

}  // namespace lxss::launcher
