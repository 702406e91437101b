// System calls of signals.
#pragma once

#include "abi/linux/signal.h"
#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

Result<> rt_sigaction(Task& task, i32 signal, UserIn<abi::SigAction> action,
                      UserOut<abi::SigAction> old, usize size);
Result<> rt_sigprocmask(Task& task, i32 how, UserIn<abi::SigSet> set, UserOut<abi::SigSet> old,
                        usize size);
Result<> rt_sigpending(Task& task, UserOut<abi::SigSet> set, usize size);
Result<> rt_sigsuspend(Task& task, UserIn<abi::SigSet> mask, usize size);
Result<i32> rt_sigtimedwait(Task& task, UserIn<abi::SigSet> set, UserOut<abi::SigInfo> info,
                            UserIn<abi::Timespec> timeout, usize size);
Result<i64> rt_sigreturn(UnlockedTask task);
Result<> rt_sigqueueinfo(Task& task, Pid pid, i32 signal, UserIn<abi::SigInfo> info);
Result<> rt_tgsigqueueinfo(Task& task, Pid pid, Pid tid, i32 signal, UserIn<abi::SigInfo> info);
Result<> sigaltstack(Task& task, UserIn<abi::StackT> stack, UserOut<abi::StackT> old);
Result<> kill(Task& task, Pid pid, i32 signal);
Result<> tkill(Task& task, Pid tid, i32 signal);
Result<> tgkill(Task& task, Pid pid, Pid tid, i32 signal);
Result<> pause(Task& task);

}  // namespace lxss::sys
