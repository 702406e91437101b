// The first process of an instance: reaps, runs timers, feeds consoles, answers the manager.
#pragma once

#include "lxcore/task/process.h"

namespace lxss::monitor {

/// Serves until the manager ends the instance. On the monitor's own thread.
[[noreturn]] void run(host::UniqueFd death_events);

}  // namespace lxss::monitor
