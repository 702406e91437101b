// System calls of the group "task".
#pragma once

#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

}  // namespace lxss::sys
