// System calls of the group "poll".
#pragma once

#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

}  // namespace lxss::sys
