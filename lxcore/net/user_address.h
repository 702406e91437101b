// Socket addresses and sockets as system calls name them.
#pragma once

#include "lxcore/net/socket.h"
#include "lxcore/task/process.h"

namespace lxss::net {

/// A descriptor's socket, kept alive. EBADF, ENOTSOCK.
Result<RefPtr<Socket>> socket_of(const Task& task, Fd fd);
/// EINVAL if `size` is negative or too large, EFAULT.
Result<Address> address_in(UserAddr from, i32 size);
/// As accept, getsockname, recvfrom report one: cut to the room given by `size`, which then
/// says how large it is in full. EINVAL, EFAULT.
Result<> address_out(const Address& address, UserAddr to, UserInOut<i32> size);

}  // namespace lxss::net
