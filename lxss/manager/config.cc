#include "lxss/manager/config.h"

#include <charconv>
#include <map>

#include "lxss/common/failure.h"
#include "lxss/common/ini.h"
#include "lxss/common/text.h"

namespace lxss::manager {
namespace {

std::optional<long> integer(std::string_view text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The rules of DriveFs that a path from the host can break.
bool is_drive_name(std::string_view name) {
  return name.find_first_of("<>:\"\\|?*") == std::string_view::npos && name.back() != '.' &&
         name.back() != ' ';
}

}  // namespace

Config Config::parse(std::string_view text) {
  const common::Ini ini = common::Ini::parse(text);
  Config config;
  config.errors = ini.errors();
  if (const auto value = ini.get("general", "instanceIdleTimeout")) {
    if (const std::optional<long> timeout = integer(*value); !timeout) {
      config.errors.push_back(fmt::format("instanceIdleTimeout is no number: {}", *value));
    } else if (*timeout < 0) {
      config.idle_timeout.reset();
    } else {
      config.idle_timeout = std::chrono::milliseconds(*timeout);
    }
  }
  config.rewrite_calls = ini.get_bool("general", "rewriteSystemCalls", true);
  const auto rewrite_calls = ini.get("general", "rewriteSystemCalls");
  if (rewrite_calls &&
      ini.get_bool("general", "rewriteSystemCalls", false) != config.rewrite_calls) {
    config.errors.push_back(
        fmt::format("rewriteSystemCalls is neither true nor false: {}", *rewrite_calls));
  }
  std::map<char, std::string> drives = {{'c', "/"}};
  for (const auto& [letter, directory] : ini.section("drives")) {
    if (letter.size() != 1 || letter[0] < 'c' || letter[0] > 'z') {
      config.errors.push_back(fmt::format("'{}' is no drive; there are c to z.", letter));
    } else if (directory == "none") {
      drives.erase(letter[0]);
    } else if (directory.starts_with('/')) {
      drives[letter[0]] = directory;
    } else {
      config.errors.push_back(fmt::format("The drive {} needs an absolute path.", letter));
    }
  }
  config.drives.clear();
  for (const auto& [letter, directory] : drives) config.drives.push_back({letter, directory});
  return config;
}

std::optional<std::string> to_guest_path(const std::vector<Drive>& drives,
                                         std::string_view host_path) {
  const Drive* best = nullptr;
  std::string_view best_base;
  for (const Drive& drive : drives) {
    std::string_view base = drive.directory;
    while (base.ends_with('/')) base.remove_suffix(1);
    const bool holds = host_path.starts_with(base) &&
                       (host_path.size() == base.size() || host_path[base.size()] == '/');
    if (holds && (best == nullptr || base.size() > best_base.size())) {
      best = &drive;
      best_base = base;
    }
  }
  if (best == nullptr) return std::nullopt;
  std::string path = std::string("/mnt/") + best->letter;
  for (const std::string& name : common::split(host_path.substr(best_base.size()), '/')) {
    if (name.empty()) continue;
    if (!is_drive_name(name)) return std::nullopt;
    path += '/' + name;
  }
  return path;
}

}  // namespace lxss::manager
