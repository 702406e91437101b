// System calls of the group "memory".
#pragma once

#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

}  // namespace lxss::sys
