// System calls of the group "socket".
#pragma once

#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

}  // namespace lxss::sys
