// Starts an instance's kernel image with exactly the descriptors it expects.
#pragma once

#include <sys/types.h>

#include <string>

#include "lxss/common/files.h"
#include "lxss/common/packet_socket.h"

namespace lxss::manager {

struct KernelProcess {
  pid_t pid;  ///< also its process group and session
  common::PacketSocket control;
};

/// $LXSS_KERNEL, else `lxcore` beside the manager.
std::string kernel_image();

/// `root` becomes descriptor 4 and is closed here: its lock then lives exactly as
/// long as the instance. `log` becomes 5, 1 and 2. The environment is empty.
/// Throws Failure.
KernelProcess start_kernel(common::UniqueFd root, const common::UniqueFd& log);

}  // namespace lxss::manager
