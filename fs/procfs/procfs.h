// /proc: what the kernel knows, as files (man 5 proc).
#pragma once

#include "lxcore/vfs/file.h"

namespace lxss::procfs {

/// A file system of type "proc". May be mounted several times; all show the same instance.
RefPtr<FileSystem> make();
}  // namespace lxss::procfs
