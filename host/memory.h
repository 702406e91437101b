// The memory of the calling pico process, and memory objects.
#pragma once

#include <span>

#include "base/result.h"
#include "host/fd.h"
#include "host/file.h"

namespace lxss::host {

/// Protection and flags are Linux's (abi/linux/mman.h).
Result<u64> map(u64 address, u64 length, u32 protection, u32 flags, Fd fd, u64 offset);
Result<> unmap(u64 address, u64 length);
Result<> protect(u64 address, u64 length, u32 protection);
Result<u64> remap(u64 old_address, u64 old_length, u64 new_length, u32 flags, u64 new_address);
Result<> advise_memory(u64 address, u64 length, i32 advice);
Result<> sync_memory(u64 address, u64 length, i32 flags);
Result<> lock_memory(u64 address, u64 length, u32 flags);
Result<> unlock_memory(u64 address, u64 length);
/// Residency of pages, one byte each, as mincore.
Result<> residency(u64 address, u64 length, u8* pages);

/// man 2 membarrier, for the calling process.
Result<u64> memory_barrier(i32 command, u32 flags, i32 cpu);

/// Memory without a name that can be mapped shared and read and written like a file.
Result<UniqueFd> create_memory_object(const char* debug_name);

/// Copies between this process and another pico process (by its host id).
Result<usize> read_process_memory(i32 host_process, Buffer local, Buffer remote);
Result<usize> write_process_memory(i32 host_process, Buffer local, Buffer remote);

}  // namespace lxss::host
