#include "lxss/common/wslenv.h"

#include "lxss/common/text.h"

namespace lxss::common {

std::vector<SharedVariable> parse_wslenv(std::string_view text) {
  std::vector<SharedVariable> variables;
  for (const std::string& piece : split(text, ':')) {
    const std::size_t slash = piece.find('/');
    const std::string flags = slash == std::string::npos ? "" : piece.substr(slash + 1);
    if (slash == 0 || piece.empty() || flags.find_first_not_of("pluw") != std::string::npos) {
      continue;
    }
    auto has = [&](char flag) { return flags.find(flag) != std::string::npos; };
    variables.push_back({.name = piece.substr(0, slash),
                         .is_path = has('p'),
                         .is_list = has('l'),
                         .to_linux = !has('w') || has('u')});
  }
  return variables;
}

}  // namespace lxss::common
