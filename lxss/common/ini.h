// The "[section] key = value" files: wsl.conf of a distribution and our config.ini.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lxss::common {

class Ini {
 public:
  /// Never fails: lines that are no section, assignment or comment ('#', ';')
  /// are listed in errors() and the rest is used. Sections and keys are
  /// case-insensitive; the last assignment of a key counts; quotes around a
  /// whole value are removed.
  static Ini parse(std::string_view text);

  std::optional<std::string> get(std::string_view section, std::string_view key) const;
  /// True/false/yes/no/1/0/on/off in any case; anything else is `fallback`.
  bool get_bool(std::string_view section, std::string_view key, bool fallback) const;
  /// The assignments of one section by key in lower case.
  std::map<std::string, std::string> section(std::string_view name) const;

  /// One sentence for each line that was not understood.
  const std::vector<std::string>& errors() const { return errors_; }

 private:
  std::map<std::string, std::map<std::string, std::string>> sections_;
  std::vector<std::string> errors_;
};

}  // namespace lxss::common
