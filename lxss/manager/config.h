// $LXSS_HOME/config.ini.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lxss::manager {

/// A host directory shown in every instance as /mnt/<letter>.
struct Drive {
  char letter;
  std::string directory;  ///< absolute
};

struct Config {
  /// How long an instance lives after its last client; nothing: for ever.
  /// [general] instanceIdleTimeout, milliseconds, negative for ever.
  std::optional<std::chrono::milliseconds> idle_timeout = std::chrono::seconds(15);
  /// [drives] c = /some/dir, or c = none.
  std::vector<Drive> drives = {{'c', "/"}};
  /// Whether programs' system calls are rewritten to direct calls (pico/README.md).
  /// [general] rewriteSystemCalls.
  bool rewrite_calls = true;
  std::vector<std::string> errors;  ///< what was not understood; the rest is used

  static Config parse(std::string_view text);
};

/// `host_path` as the guest sees it through the drives: the longest exposed
/// directory that holds it. Nothing when no drive does, or when a component is
/// no legal name on a drive.
std::optional<std::string> to_guest_path(const std::vector<Drive>& drives,
                                         std::string_view host_path);

}  // namespace lxss::manager
