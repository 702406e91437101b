// System identification.
// Man pages: uname(2), sethostname(2).
#pragma once

#include "base/types.h"

namespace lxss::abi {

inline constexpr usize kNEW_UTS_LEN = 64;

struct NewUtsname {
  char sysname[kNEW_UTS_LEN + 1];
  char nodename[kNEW_UTS_LEN + 1];
  char release[kNEW_UTS_LEN + 1];
  char version[kNEW_UTS_LEN + 1];
  char machine[kNEW_UTS_LEN + 1];
  char domainname[kNEW_UTS_LEN + 1];
};
static_assert(sizeof(NewUtsname) == 390);

}  // namespace lxss::abi
