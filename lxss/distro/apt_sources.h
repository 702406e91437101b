// The Debian mirrors that the host's apt is set up with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lxss::distro {

/// One archive, component main.
struct AptSource {
  std::string uri;
  std::string suite;

  /// As a line of sources.list.
  std::string line() const { return "deb " + uri + " " + suite + " main"; }
};

/// man 5 sources.list, the "deb ..." lines. Only http and https, only `main`.
std::vector<AptSource> parse_one_line_sources(std::string_view text);
/// man 5 sources.list, the deb822 paragraphs.
std::vector<AptSource> parse_deb822_sources(std::string_view text);

/// The value of a key in os-release(5), "" when absent.
std::string os_release_value(std::string_view text, std::string_view key);

/// What a new Debian is installed from.
struct DebianMirrors {
  std::string codename;
  std::vector<AptSource> sources;
};

/// The release to install, the host's own if it is Debian, and the mirrors that its apt is set
/// up with. Failure when apt has none.
DebianMirrors debian_mirrors();

}  // namespace lxss::distro
