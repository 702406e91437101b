// System calls of the group "poll": waiting for several descriptors.
#pragma once

#include "abi/linux/epoll.h"
#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

// poll.cc
Result<usize> poll(UnlockedTask task, UserAddr fds, u32 count, i32 timeout_ms);
Result<usize> ppoll(UnlockedTask task, UserAddr fds, u32 count, UserInOut<abi::Timespec> timeout,
                    UserIn<abi::SigSet> mask, usize mask_size);
/// restart_syscall of a poll() that a stop interrupted.
Result<usize> restart_poll(Task& task, const Task::Restart& restart);

// select.cc
Result<usize> select(UnlockedTask task, i32 count, UserAddr in, UserAddr out, UserAddr exceptional,
                     UserInOut<abi::Timeval> timeout);
Result<usize> pselect6(UnlockedTask task, i32 count, UserAddr in, UserAddr out,
                       UserAddr exceptional, UserInOut<abi::Timespec> timeout,
                       UserIn<abi::SelectSigmask> mask);

// epoll.cc
Result<Fd> epoll_create(UnlockedTask task, i32 size);
Result<Fd> epoll_create1(UnlockedTask task, abi::EpollCreateFlags flags);
Result<> epoll_ctl(UnlockedTask task, Fd epoll, i32 operation, Fd fd,
                   UserIn<abi::EpollEvent> event);
Result<usize> epoll_wait(UnlockedTask task, Fd epoll, UserOut<abi::EpollEvent> events,
                         i32 max_events, i32 timeout_ms);
Result<usize> epoll_pwait(UnlockedTask task, Fd epoll, UserOut<abi::EpollEvent> events,
                          i32 max_events, i32 timeout_ms, UserIn<abi::SigSet> mask,
                          usize mask_size);
Result<usize> epoll_pwait2(UnlockedTask task, Fd epoll, UserOut<abi::EpollEvent> events,
                           i32 max_events, UserIn<abi::Timespec> timeout, UserIn<abi::SigSet> mask,
                           usize mask_size);

}  // namespace lxss::sys
