// System calls of memory.
#pragma once

#include "abi/linux/mman.h"
#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

Result<u64> mmap(UnlockedTask task, u64 hint, u64 length, abi::ProtFlags protection,
                 abi::MapFlags flags, Fd fd, u64 offset);
Result<> munmap(UnlockedTask task, u64 begin, u64 length);
Result<> mprotect(UnlockedTask task, u64 begin, u64 length, abi::ProtFlags protection);
Result<u64> mremap(UnlockedTask task, u64 begin, u64 old_length, u64 new_length,
                   abi::MremapFlags flags, u64 new_begin);
Result<u64> brk(UnlockedTask task, u64 end);
Result<> madvise(UnlockedTask task, u64 begin, u64 length, i32 advice);
Result<> msync(UnlockedTask task, u64 begin, u64 length, abi::MsyncFlags flags);
Result<> mincore(UnlockedTask task, u64 begin, u64 length, UserAddr pages);
Result<> mlock(UnlockedTask task, u64 begin, u64 length);
Result<> mlock2(UnlockedTask task, u64 begin, u64 length, abi::Mlock2Flags flags);
Result<> munlock(UnlockedTask task, u64 begin, u64 length);
Result<> mlockall(UnlockedTask task, abi::MlockallFlags flags);
Result<> munlockall(UnlockedTask task);
Result<u64> membarrier(UnlockedTask task, i32 command, u32 flags, i32 cpu);
Result<usize> process_vm_readv(UnlockedTask task, Pid pid, UserAddr local, usize local_count,
                               UserAddr remote, usize remote_count, u64 flags);
Result<usize> process_vm_writev(UnlockedTask task, Pid pid, UserAddr local, usize local_count,
                                UserAddr remote, usize remote_count, u64 flags);

}  // namespace lxss::sys
