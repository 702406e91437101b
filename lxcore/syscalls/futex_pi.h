// Priority-inheriting futexes (man 2 futex, "Priority-inheritance futexes").
#pragma once

#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

/// FUTEX_LOCK_PI, LOCK_PI2, TRYLOCK_PI and UNLOCK_PI; `deadline` is the address of the caller's
/// timespec or 0. Who waits longest does not get the lock first, and nobody inherits a priority.
Result<u64> futex_pi(UnlockedTask task, UserAddr word, i32 operation, u64 deadline);

}  // namespace lxss::sys
