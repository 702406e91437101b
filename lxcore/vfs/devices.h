// Device drivers: who opens a character device of a given number.
#pragma once

#include "lxcore/vfs/file.h"

namespace lxss::devices {

using Open = Result<RefPtr<File>> (*)(Task& task, u32 minor, abi::OpenFlags flags);

struct Driver {
  u32 major;
  u32 first_minor, last_minor;
  const char* name;  ///< as in /proc/devices
  Open open;
};

/// fs/devfs/memory_devices.cc: null, zero, full, random, urandom, kmsg (major 1).
extern const Driver kMemoryDevices;
/// tty/tty_devices.cc: tty, console, ptmx (5), virtual consoles (4), pseudo-terminals (136..).
extern const Driver kTtyDevices[4];

}  // namespace lxss::devices
