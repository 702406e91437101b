// System calls of the group "event": files that report what happens elsewhere.
#pragma once

#include "abi/linux/eventfd.h"
#include "abi/linux/inotify.h"
#include "abi/linux/sched.h"
#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

Result<Fd> eventfd(UnlockedTask task, u32 count);
Result<Fd> eventfd2(UnlockedTask task, u32 count, abi::EfdFlags flags);

Result<Fd> signalfd(UnlockedTask task, Fd fd, UserIn<abi::SigSet> mask, usize mask_size);
Result<Fd> signalfd4(UnlockedTask task, Fd fd, UserIn<abi::SigSet> mask, usize mask_size,
                     abi::SfdFlags flags);

Result<Fd> timerfd_create(UnlockedTask task, i32 clock, abi::TfdCreateFlags flags);
Result<> timerfd_settime(UnlockedTask task, Fd fd, abi::TfdFlags flags,
                         UserIn<abi::Itimerspec> value, UserOut<abi::Itimerspec> old_value);
Result<> timerfd_gettime(UnlockedTask task, Fd fd, UserOut<abi::Itimerspec> out);

Result<Fd> inotify_init(UnlockedTask task);
Result<Fd> inotify_init1(UnlockedTask task, abi::InotifyInitFlags flags);
Result<i32> inotify_add_watch(Task& task, Fd fd, UserString path, u32 mask);
Result<> inotify_rm_watch(UnlockedTask task, Fd fd, i32 watch);

Result<Fd> pidfd_open(Task& task, Pid pid, abi::PidfdFlags flags);
Result<> pidfd_send_signal(Task& task, Fd pidfd, i32 signal, UserIn<abi::SigInfo> info, u32 flags);
Result<Fd> pidfd_getfd(Task& task, Fd pidfd, Fd target, u32 flags);

}  // namespace lxss::sys
