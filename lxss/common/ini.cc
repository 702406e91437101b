#include "lxss/common/ini.h"

#include "lxss/common/failure.h"
#include "lxss/common/text.h"

namespace lxss::common {
namespace {

std::string unquoted(std::string_view value) {
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
      value.front() == value.back()) {
    value = value.substr(1, value.size() - 2);
  }
  return std::string(value);
}

}  // namespace

Ini Ini::parse(std::string_view text) {
  Ini ini;
  std::string section;
  int number = 0;
  for (const std::string& raw : split(text, '\n')) {
    ++number;
    const std::string_view line = trim(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[' && line.back() == ']') {
      section = lower(trim(line.substr(1, line.size() - 2)));
      continue;
    }
    const std::size_t equals = line.find('=');
    const std::string key = lower(trim(line.substr(0, equals)));
    if (equals == std::string_view::npos || key.empty() || section.empty()) {
      ini.errors_.push_back(fmt::format("Line {} is not understood: {}", number, line));
      continue;
    }
    ini.sections_[section][key] = unquoted(trim(line.substr(equals + 1)));
  }
  return ini;
}

std::optional<std::string> Ini::get(std::string_view section, std::string_view key) const {
  const auto found = sections_.find(lower(section));
  if (found == sections_.end()) return std::nullopt;
  const auto entry = found->second.find(lower(key));
  if (entry == found->second.end()) return std::nullopt;
  return entry->second;
}

bool Ini::get_bool(std::string_view section, std::string_view key, bool fallback) const {
  const std::string value = lower(get(section, key).value_or(""));
  if (value == "true" || value == "yes" || value == "on" || value == "1") return true;
  if (value == "false" || value == "no" || value == "off" || value == "0") return false;
  return fallback;
}

std::map<std::string, std::string> Ini::section(std::string_view name) const {
  const auto found = sections_.find(lower(name));
  return found == sections_.end() ? std::map<std::string, std::string>{} : found->second;
}

}  // namespace lxss::common
