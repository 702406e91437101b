// What /proc shows of processes and threads is cached by name; who ends them takes the names away.
// Defined in fs/procfs.
#pragma once

#include "base/types.h"

namespace lxss {
class Process;
}

namespace lxss::procfs {

/// A process was reaped, a thread is gone: takes their names, which would keep them in memory,
/// out of the cache.
void forget_process(const Process& process);
void forget_thread(const Process& process, Pid tid);

}  // namespace lxss::procfs
