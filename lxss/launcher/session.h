// Runs one command in a distribution as if it were a local one.
#pragma once

#include "lxss/launcher/command_line.h"

namespace lxss::launcher {

/// Hands over the standard streams, forwards signals and window sizes, and
/// returns the exit code. When a signal killed the guest's program this process
/// kills itself with it and does not return. The terminal is as before on every
/// way out. Throws Failure.
int run_session(const CommandLine& command);

}  // namespace lxss::launcher
