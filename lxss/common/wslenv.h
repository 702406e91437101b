// WSLENV: which variables of the host's environment go to Linux, and how.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lxss::common {

struct SharedVariable {
  std::string name;
  bool is_path = false;  ///< /p: the value is a path, translated
  bool is_list = false;  ///< /l: the value is a list of paths, each translated
  bool to_linux = true;  ///< false with /w: only from Linux to the host
};

/// "NAME/flags:NAME/flags:..."; malformed pieces are left out.
std::vector<SharedVariable> parse_wslenv(std::string_view text);

}  // namespace lxss::common
