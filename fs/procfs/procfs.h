// /proc: what the kernel knows, as files (man 5 proc).
#pragma once

#include "lxcore/vfs/file.h"

namespace lxss {
class Process;
}

namespace lxss::procfs {

/// A file system of type "proc". May be mounted several times; all show the same instance.
RefPtr<FileSystem> make();

/// A process was reaped, a thread is gone: takes their names, which would keep them in memory,
/// out of the cache.
void forget_process(const Process& process);
void forget_thread(const Process& process, Pid tid);

}  // namespace lxss::procfs
