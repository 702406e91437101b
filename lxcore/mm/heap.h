// The kernel's allocator: all mutable kernel state lives in the arena.
// operator new and delete are its interface; it has its own lock.
#pragma once

#include "base/types.h"

namespace lxss::heap {

/// Largest single allocation, in bytes.
inline constexpr usize kMaxAllocation = usize{64} << 20;

/// Takes [begin, begin + size) of zeroed shared memory. Once, by the first process.
void initialise(u64 begin, u64 size);

struct Statistics {
  u64 pages_in_use = 0;
  u64 pages_limit = 0;
};
Statistics statistics();

/// False when less than the reserve is left: calls that create objects for the guest then
/// fail with ENOMEM, so that calls which release them always can allocate.
bool has_room();

}  // namespace lxss::heap
