// System calls of the group "socket".
#pragma once

#include "abi/linux/socket.h"
#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

// socket.cc
Result<Fd> socket(UnlockedTask task, i32 domain, i32 type, i32 protocol);
Result<> socketpair(UnlockedTask task, i32 domain, i32 type, i32 protocol, UserOut<i32> fds);
Result<> bind(UnlockedTask task, Fd fd, UserAddr address, i32 size);
Result<> connect(UnlockedTask task, Fd fd, UserAddr address, i32 size);
Result<> listen(UnlockedTask task, Fd fd, i32 backlog);
Result<Fd> accept(UnlockedTask task, Fd fd, UserAddr address, UserInOut<i32> size);
Result<Fd> accept4(UnlockedTask task, Fd fd, UserAddr address, UserInOut<i32> size,
                   abi::SockFlags flags);
Result<> getsockname(UnlockedTask task, Fd fd, UserAddr address, UserInOut<i32> size);
Result<> getpeername(UnlockedTask task, Fd fd, UserAddr address, UserInOut<i32> size);
Result<> shutdown(UnlockedTask task, Fd fd, i32 how);
Result<> setsockopt(UnlockedTask task, Fd fd, i32 level, i32 option, UserAddr value, i32 size);
Result<> getsockopt(UnlockedTask task, Fd fd, i32 level, i32 option, UserAddr value,
                    UserInOut<i32> size);

// socket_messages.cc
Result<usize> sendto(UnlockedTask task, Fd fd, UserAddr data, usize size, abi::MsgFlags flags,
                     UserAddr address, i32 address_size);
Result<usize> recvfrom(UnlockedTask task, Fd fd, UserAddr data, usize size, abi::MsgFlags flags,
                       UserAddr address, UserInOut<i32> address_size);
Result<usize> sendmsg(UnlockedTask task, Fd fd, UserIn<abi::MsgHdr> message, abi::MsgFlags flags);
Result<usize> recvmsg(UnlockedTask task, Fd fd, UserInOut<abi::MsgHdr> message,
                      abi::MsgFlags flags);
Result<u32> sendmmsg(UnlockedTask task, Fd fd, UserAddr messages, u32 count, abi::MsgFlags flags);
Result<u32> recvmmsg(UnlockedTask task, Fd fd, UserAddr messages, u32 count, abi::MsgFlags flags,
                     UserInOut<abi::Timespec> timeout);

}  // namespace lxss::sys
