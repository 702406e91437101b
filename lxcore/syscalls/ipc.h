// System calls of the group "ipc": pipes, and System V shared memory, semaphores and messages.
#pragma once

#include "abi/linux/ipc.h"
#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

// pipe.cc
Result<> pipe(Task& task, UserOut<i32> ends);
Result<> pipe2(Task& task, UserOut<i32> ends, abi::OpenFlags flags);
Result<usize> splice(Task& task, Fd in, UserInOut<i64> in_offset, Fd out, UserInOut<i64> out_offset,
                     usize size, abi::SpliceFlags flags);
Result<usize> tee(Task& task, Fd in, Fd out, usize size, abi::SpliceFlags flags);
Result<usize> vmsplice(Task& task, Fd pipe, UserAddr vector, usize count, abi::SpliceFlags flags);

// shared_memory.cc
Result<i32> shmget(UnlockedTask task, i32 key, usize size, u32 flags);
Result<u64> shmat(UnlockedTask task, i32 id, UserAddr address, abi::ShmFlags flags);
Result<> shmdt(UnlockedTask task, UserAddr address);
Result<i32> shmctl(UnlockedTask task, i32 id, i32 command, UserAddr buffer);

// semaphores.cc
Result<i32> semget(UnlockedTask task, i32 key, i32 count, u32 flags);
Result<> semop(UnlockedTask task, i32 id, UserIn<abi::SemBuf> operations, usize count);
Result<> semtimedop(UnlockedTask task, i32 id, UserIn<abi::SemBuf> operations, usize count,
                    UserIn<abi::Timespec> timeout);
Result<i32> semctl(UnlockedTask task, i32 id, i32 index, i32 command, u64 argument);

// message_queues.cc
Result<i32> msgget(UnlockedTask task, i32 key, u32 flags);
Result<> msgsnd(UnlockedTask task, i32 id, UserAddr message, usize size, u32 flags);
Result<usize> msgrcv(UnlockedTask task, i32 id, UserAddr message, usize size, i64 type, u32 flags);
Result<i32> msgctl(UnlockedTask task, i32 id, i32 command, UserAddr buffer);

}  // namespace lxss::sys
