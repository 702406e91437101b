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
Result<> exit(UnlockedTask task, i32 status);
Result<> exit_group(UnlockedTask task, i32 status);
Result<Pid> set_tid_address(UnlockedTask task, UserAddr address);
Result<> set_robust_list(UnlockedTask task, UserAddr head, usize size);
Result<> get_robust_list(UnlockedTask task, Pid pid, UserOut<u64> head, UserOut<u64> size);

// wait.cc
Result<Pid> wait4(UnlockedTask task, Pid pid, UserOut<i32> status, abi::WaitFlags options,
                  UserOut<abi::Rusage> usage);
Result<> waitid(UnlockedTask task, i32 id_type, Pid id, UserOut<abi::SigInfo> info,
                abi::WaitFlags options, UserOut<abi::Rusage> usage);

// groups.cc
Result<Pid> getpid(UnlockedTask task);
Result<Pid> gettid(UnlockedTask task);
Result<Pid> getppid(UnlockedTask task);
Result<Pid> getpgrp(UnlockedTask task);
Result<Pid> getpgid(UnlockedTask task, Pid pid);
Result<Pid> getsid(UnlockedTask task, Pid pid);
Result<> setpgid(UnlockedTask task, Pid pid, Pid group);
Result<Pid> setsid(UnlockedTask task);

// credentials.cc
Result<u32> getuid(UnlockedTask task);
Result<u32> geteuid(UnlockedTask task);
Result<u32> getgid(UnlockedTask task);
Result<u32> getegid(UnlockedTask task);
Result<> setuid(UnlockedTask task, u32 uid);
Result<> setgid(UnlockedTask task, u32 gid);
Result<> setreuid(UnlockedTask task, u32 real, u32 effective);
Result<> setregid(UnlockedTask task, u32 real, u32 effective);
Result<> setresuid(UnlockedTask task, u32 real, u32 effective, u32 saved);
Result<> setresgid(UnlockedTask task, u32 real, u32 effective, u32 saved);
Result<> getresuid(UnlockedTask task, UserOut<u32> real, UserOut<u32> effective,
                   UserOut<u32> saved);
Result<> getresgid(UnlockedTask task, UserOut<u32> real, UserOut<u32> effective,
                   UserOut<u32> saved);
Result<u32> setfsuid(UnlockedTask task, u32 uid);
Result<u32> setfsgid(UnlockedTask task, u32 gid);
Result<usize> getgroups(UnlockedTask task, i32 count, UserAddr list);
Result<> setgroups(UnlockedTask task, i32 count, UserAddr list);
Result<> capget(UnlockedTask task, UserInOut<abi::CapUserHeader> header, UserAddr data);
Result<> capset(UnlockedTask task, UserInOut<abi::CapUserHeader> header, UserAddr data);

// futex.cc
Result<u64> futex(UnlockedTask task, UserAddr word, i32 operation, u32 value, u64 timeout,
                  UserAddr word2, u32 value3);

}  // namespace lxss::sys
