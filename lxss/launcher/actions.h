// What the launcher can do.
#pragma once

#include "lxss/launcher/command_line.h"

namespace lxss::launcher {

/// Performs the action; returns the exit code. Throws Failure.
int perform(const CommandLine& command);

}  // namespace lxss::launcher
