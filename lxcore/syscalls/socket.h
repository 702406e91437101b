// System calls of the group "socket".
#pragma once

#include "abi/linux/socket.h"
#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

// socket.cc
Result<Fd> socket(Task& task, i32 domain, i32 type, i32 protocol);
Result<> socketpair(Task& task, i32 domain, i32 type, i32 protocol, UserOut<i32> fds);
Result<> bind(Task& task, Fd fd, UserAddr address, i32 size);
Result<> connect(Task& task, Fd fd, UserAddr address, i32 size);
Result<> listen(Task& task, Fd fd, i32 backlog);
Result<Fd> accept(Task& task, Fd fd, UserAddr address, UserInOut<i32> size);
Result<Fd> accept4(Task& task, Fd fd, UserAddr address, UserInOut<i32> size, abi::SockFlags flags);
Result<> getsockname(Task& task, Fd fd, UserAddr address, UserInOut<i32> size);
Result<> getpeername(Task& task, Fd fd, UserAddr address, UserInOut<i32> size);
Result<> shutdown(Task& task, Fd fd, i32 how);
Result<> setsockopt(Task& task, Fd fd, i32 level, i32 option, UserAddr value, i32 size);
Result<> getsockopt(Task& task, Fd fd, i32 level, i32 option, UserAddr value, UserInOut<i32> size);

// socket_messages.cc
Result<usize> sendto(Task& task, Fd fd, UserAddr data, usize size, abi::MsgFlags flags,
                     UserAddr address, i32 address_size);
Result<usize> recvfrom(Task& task, Fd fd, UserAddr data, usize size, abi::MsgFlags flags,
                       UserAddr address, UserInOut<i32> address_size);
Result<usize> sendmsg(Task& task, Fd fd, UserIn<abi::MsgHdr> message, abi::MsgFlags flags);
Result<usize> recvmsg(Task& task, Fd fd, UserInOut<abi::MsgHdr> message, abi::MsgFlags flags);
Result<u32> sendmmsg(Task& task, Fd fd, UserAddr messages, u32 count, abi::MsgFlags flags);
Result<u32> recvmmsg(Task& task, Fd fd, UserAddr messages, u32 count, abi::MsgFlags flags,
                     UserInOut<abi::Timespec> timeout);

}  // namespace lxss::sys
