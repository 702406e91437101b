#include "lxss/manager/launch_plan.h"

#include <algorithm>
#include <cstring>

#include "lxcore/control/protocol.h"
#include "lxss/common/failure.h"
#include "lxss/common/text.h"
#include "lxss/common/wslenv.h"

namespace lxss::manager {
namespace {

using common::LaunchRequest;
using common::ShellType;

constexpr char kPath[] =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games:/usr/local/games";

bool is_shell_text(const std::string& word) {
  return word.find_first_of(" \t\n|&;<>()$`\\\"'*?[#~=!{}") != std::string::npos;
}

std::string shell_text(const std::vector<std::string>& words) {
  if (words.size() == 1) return words.front();
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += ' ';
    text += common::shell_quote(word);
  }
  return text;
}

void plan_command(const LaunchRequest& request, const distro::Account& account, LaunchPlan& plan) {
  const std::vector<std::string>& words = request.words;
  const std::string shell_name = account.shell.substr(account.shell.rfind('/') + 1);
  if (words.empty()) {
    const bool login = request.shell == ShellType::kDefault || request.shell == ShellType::kLogin;
    plan.program = account.shell;
    plan.arguments = {(login ? "-" : "") + shell_name};
    return;
  }
  const bool by_shell =
      request.shell == ShellType::kStandard || request.shell == ShellType::kLogin ||
      (request.shell == ShellType::kDefault && words.size() == 1 && is_shell_text(words.front()));
  if (!by_shell) {
    plan.program = words.front();
    plan.arguments = words;
    return;
  }
  plan.program = account.shell;
  plan.arguments = {(request.shell == ShellType::kLogin ? "-" : "") + shell_name, "-c",
                    shell_text(words)};
}

std::string translated(const std::vector<Drive>& drives, const std::string& path) {
  return to_guest_path(drives, path).value_or(path);
}

std::string shared_value(const common::SharedVariable& variable, const std::string& value,
                         const std::vector<Drive>& drives) {
  if (variable.is_path) return translated(drives, value);
  if (!variable.is_list) return value;
  std::string list;
  for (const std::string& path : common::split(value, ':')) {
    if (!list.empty()) list += ':';
    list += translated(drives, path);
  }
  return list;
}

void plan_environment(const LaunchRequest& request, const std::string& distribution,
                      const distro::Account& account, const std::vector<Drive>& drives,
                      LaunchPlan& plan) {
  auto given = [&](const std::string& name, const std::string& fallback) {
    const auto found = request.environment.find(name);
    return found == request.environment.end() ? fallback : found->second;
  };
  std::map<std::string, std::string> variables = {
      {"HOSTTYPE", "x86_64"},
      {"LANG", given("LANG", "C.UTF-8")},
      {"PATH", kPath},
      {"TERM", given("TERM", "dumb")},
      {"HOME", account.home},
      {"USER", account.name},
      {"LOGNAME", account.name},
      {"SHELL", account.shell},
      {"WSL_DISTRO_NAME", distribution},
  };
  if (const std::string wslenv = given("WSLENV", ""); !wslenv.empty()) {
    variables["WSLENV"] = wslenv;
    for (const common::SharedVariable& variable : common::parse_wslenv(wslenv)) {
      const auto found = request.environment.find(variable.name);
      if (variable.to_linux && found != request.environment.end()) {
        variables[variable.name] = shared_value(variable, found->second, drives);
      }
    }
  }
  for (const auto& [name, value] : variables) plan.environment.push_back(name + '=' + value);
}

void plan_directory(const LaunchRequest& request, const distro::Account& account,
                    const std::vector<Drive>& drives, LaunchPlan& plan) {
  const std::string& named = request.directory;
  if (named == "~") {
    plan.directories = {account.home};
  } else if (named.starts_with("~/")) {
    plan.directories = {account.home + named.substr(1)};
  } else if (!named.empty()) {
    plan.directories = {named};
  } else {
    if (const auto here = to_guest_path(drives, request.host_directory);
        here && !request.host_directory.empty()) {
      plan.directories.push_back(*here);
    }
    plan.directories.push_back(account.home);
    plan.directories.push_back("/");
  }
}

void append_string(std::string& packet, const std::string& text) {
  if (text.find('\0') != std::string::npos) {
    throw common::Failure("The command or its environment holds a NUL byte.");
  }
  packet.append(text.c_str(), text.size() + 1);
}

}  // namespace

LaunchPlan plan_launch(const LaunchRequest& request, const std::string& distribution,
                       const distro::Account& account, const std::vector<Drive>& drives) {
  LaunchPlan plan;
  plan.uid = account.uid;
  plan.gid = account.gid;
  plan.groups = account.groups;
  if (plan.groups.size() > control::kMaxGroups) plan.groups.resize(control::kMaxGroups);
  plan_command(request, account, plan);
  plan_environment(request, distribution, account, drives, plan);
  plan_directory(request, account, drives, plan);
  return plan;
}

std::string encode_launch(const LaunchPlan& plan, const LaunchRequest& request,
                          std::uint64_t session, const std::string& directory) {
  control::Launch launch;
  launch.session = session;
  launch.flags =
      (request.terminals & (control::kTerminal0 | control::kTerminal1 | control::kTerminal2)) |
      (request.trace ? control::kTrace : 0u);
  launch.uid = plan.uid;
  launch.gid = plan.gid;
  launch.group_count = std::uint32_t(plan.groups.size());
  std::copy(plan.groups.begin(), plan.groups.end(), launch.groups);
  launch.rows = request.size.rows;
  launch.columns = request.size.columns;
  launch.x_pixels = request.size.x_pixels;
  launch.y_pixels = request.size.y_pixels;
  launch.argc = std::uint32_t(plan.arguments.size());
  launch.envc = std::uint32_t(plan.environment.size());

  std::string packet(sizeof launch, '\0');
  append_string(packet, directory);
  append_string(packet, plan.program);
  for (const std::string& argument : plan.arguments) append_string(packet, argument);
  for (const std::string& variable : plan.environment) append_string(packet, variable);
  if (packet.size() > control::kMaxMessage) {
    throw common::Failure("The command and its environment are too long ({} bytes; {} fit).",
                          packet.size(), control::kMaxMessage);
  }
  launch.header.size = std::uint32_t(packet.size());
  std::memcpy(packet.data(), &launch, sizeof launch);
  return packet;
}

}  // namespace lxss::manager
