// System calls of the group "ipc".
#pragma once

#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

}  // namespace lxss::sys
