// System calls of tasks: creation, program execution, exit, waiting, ids and credentials.
#pragma once

#include "abi/linux/capability.h"
#include "abi/linux/futex.h"
#include "abi/linux/resource.h"
#include "abi/linux/sched.h"
#include "abi/linux/wait.h"
#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

// lifecycle.cc
Result<Pid> fork(UnlockedTask task);
Result<Pid> vfork(UnlockedTask task);
Result<Pid> clone(UnlockedTask task, u64 flags, u64 stack, UserAddr parent_tid, UserAddr child_tid,
                  u64 tls);
Result<Pid> clone3(UnlockedTask task, UserIn<abi::CloneArgs> arguments, usize size);
Result<> execve(UnlockedTask task, UserString path, UserAddr arguments, UserAddr environment);
Result<> execveat(UnlockedTask task, Fd directory, UserString path, UserAddr arguments,
                  UserAddr environment, abi::AtFlags flags);
Result<> exit(Task& task, i32 status);
Result<> exit_group(Task& task, i32 status);
Result<Pid> set_tid_address(Task& task, UserAddr address);
Result<> set_robust_list(Task& task, UserAddr head, usize size);
Result<> get_robust_list(Task& task, Pid pid, UserOut<u64> head, UserOut<u64> size);

// wait.cc
Result<Pid> wait4(Task& task, Pid pid, UserOut<i32> status, abi::WaitFlags options,
                  UserOut<abi::Rusage> usage);
Result<> waitid(Task& task, i32 id_type, Pid id, UserOut<abi::SigInfo> info, abi::WaitFlags options,
                UserOut<abi::Rusage> usage);

// groups.cc
Result<Pid> getpid(Task& task);
Result<Pid> gettid(Task& task);
Result<Pid> getppid(Task& task);
Result<Pid> getpgrp(Task& task);
Result<Pid> getpgid(Task& task, Pid pid);
Result<Pid> getsid(Task& task, Pid pid);
Result<> setpgid(Task& task, Pid pid, Pid group);
Result<Pid> setsid(Task& task);

// credentials.cc
Result<u32> getuid(Task& task);
Result<u32> geteuid(Task& task);
Result<u32> getgid(Task& task);
Result<u32> getegid(Task& task);
Result<> setuid(Task& task, u32 uid);
Result<> setgid(Task& task, u32 gid);
Result<> setreuid(Task& task, u32 real, u32 effective);
Result<> setregid(Task& task, u32 real, u32 effective);
Result<> setresuid(Task& task, u32 real, u32 effective, u32 saved);
Result<> setresgid(Task& task, u32 real, u32 effective, u32 saved);
Result<> getresuid(Task& task, UserOut<u32> real, UserOut<u32> effective, UserOut<u32> saved);
Result<> getresgid(Task& task, UserOut<u32> real, UserOut<u32> effective, UserOut<u32> saved);
Result<u32> setfsuid(Task& task, u32 uid);
Result<u32> setfsgid(Task& task, u32 gid);
Result<usize> getgroups(Task& task, i32 count, UserAddr list);
Result<> setgroups(Task& task, i32 count, UserAddr list);
Result<> capget(Task& task, UserInOut<abi::CapUserHeader> header, UserAddr data);
Result<> capset(Task& task, UserInOut<abi::CapUserHeader> header, UserAddr data);

// futex.cc
Result<u64> futex(UnlockedTask task, UserAddr word, i32 operation, u32 value, u64 timeout,
                  UserAddr word2, u32 value3);

}  // namespace lxss::sys
