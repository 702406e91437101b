// /sys: the little of it that programs look for and that is true here (man 5 sysfs).
#pragma once

#include "lxcore/vfs/file.h"

namespace lxss::sysfs {

/// A file system of type "sysfs": CPUs, their topology, one memory node, and the directories that
/// other file systems are mounted on. There are no devices and no network interfaces in it.
RefPtr<FileSystem> make();

}  // namespace lxss::sysfs
