// Turns what a person typed into what the instance is told to run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lxss/common/protocol.h"
#include "lxss/distro/accounts.h"
#include "lxss/manager/config.h"

namespace lxss::manager {

struct LaunchPlan {
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> groups;
  /// Tried in order; more than one only when the person named none.
  std::vector<std::string> directories;
  std::string program;  ///< searched in PATH when without '/'
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  ///< NAME=value
};

/// The command:
///   no words          the user's shell, as a login shell unless the type says otherwise
///   shell none        the words as they are
///   shell standard,   the words, each quoted, by the user's shell (-c), for login
///   or login          as a login shell; a single word is taken as shell text
///   otherwise         one word with characters that mean something to a shell is
///                     shell text; anything else runs as it is, so that
///                     `lxss bash -lc 'a; b'` means what it says
LaunchPlan plan_launch(const common::LaunchRequest& request, const std::string& distribution,
                       const distro::Account& account, const std::vector<Drive>& drives);

/// The control::Launch packet; nothing is left out: throws Failure when the
/// command or its environment is too large for one packet.
std::string encode_launch(const LaunchPlan& plan, const common::LaunchRequest& request,
                          std::uint64_t session, const std::string& directory);

}  // namespace lxss::manager
