// What a person is told when a program could not be started.
#pragma once

#include <string>
#include <string_view>

#include "lxcore/control/protocol.h"
#include "lxss/manager/launch_plan.h"

namespace lxss::manager {

struct LaunchError {
  std::string sentence;
  int exit_code;  ///< 127 not found, 126 cannot be executed, 1 otherwise, as a shell's
};

LaunchError describe(const control::LaunchFailed& failed, const LaunchPlan& plan);

/// "exit code 3" or "signal 9".
std::string describe_wait_status(int wait_status);

/// `text` with control characters, which an instance may send, replaced.
std::string printable(std::string_view text);

}  // namespace lxss::manager
