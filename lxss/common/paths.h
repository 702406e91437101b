// Where one user's Lxss keeps its things.
#pragma once

#include <string>

namespace lxss::common {

struct Paths {
  std::string home;    ///< $LXSS_HOME, else $XDG_DATA_HOME/lxss, else ~/.local/share/lxss
  std::string cache;   ///< $XDG_CACHE_HOME/lxss, else ~/.cache/lxss
  std::string socket;  ///< the manager's socket; fits into a sockaddr_un

  std::string lock() const { return home + "/lxssd.lock"; }
  std::string log() const { return home + "/lxssd.log"; }
  std::string registry() const { return home + "/registry.sqlite"; }
  std::string config() const { return home + "/config.ini"; }
  std::string distributions() const { return home + "/distributions"; }

  /// Reads the environment and creates what is missing. The socket's directory
  /// is checked to be this user's own (mode 0700). Throws Failure.
  static Paths from_environment();
};

/// The directory of the running executable: the manager and the kernel image
/// lie beside the launcher.
std::string executable_directory();

}  // namespace lxss::common
