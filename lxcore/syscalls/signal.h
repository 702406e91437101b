// System calls of signals.
#pragma once

#include "abi/linux/signal.h"
#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

Result<> rt_sigaction(UnlockedTask task, i32 signal, UserIn<abi::SigAction> action,
                      UserOut<abi::SigAction> old, usize size);
Result<> rt_sigprocmask(UnlockedTask task, i32 how, UserIn<abi::SigSet> set,
                        UserOut<abi::SigSet> old, usize size);
Result<> rt_sigpending(UnlockedTask task, UserOut<abi::SigSet> set, usize size);
Result<> rt_sigsuspend(UnlockedTask task, UserIn<abi::SigSet> mask, usize size);
Result<i32> rt_sigtimedwait(UnlockedTask task, UserIn<abi::SigSet> set, UserOut<abi::SigInfo> info,
                            UserIn<abi::Timespec> timeout, usize size);
Result<i64> rt_sigreturn(UnlockedTask task);
Result<> rt_sigqueueinfo(UnlockedTask task, Pid pid, i32 signal, UserIn<abi::SigInfo> info);
Result<> rt_tgsigqueueinfo(UnlockedTask task, Pid pid, Pid tid, i32 signal,
                           UserIn<abi::SigInfo> info);
Result<> sigaltstack(UnlockedTask task, UserIn<abi::StackT> stack, UserOut<abi::StackT> old);
Result<> kill(UnlockedTask task, Pid pid, i32 signal);
Result<> tkill(UnlockedTask task, Pid tid, i32 signal);
Result<> tgkill(UnlockedTask task, Pid pid, Pid tid, i32 signal);
Result<> pause(UnlockedTask task);

}  // namespace lxss::sys
