// Socket addresses and sockets as system calls name them.
#pragma once

#include "lxcore/net/socket.h"
#include "lxcore/task/process.h"
#include "lxcore/vfs/fd_table.h"

namespace lxss::net {

/// A socket for the length of a call, kept alive as its file is.
class SocketRef {
 public:
  explicit SocketRef(FileRef file) : file_(std::move(file)), socket_(file_->as_socket()) {}
  Socket* operator->() const { return socket_; }
  Socket& operator*() const { return *socket_; }

 private:
  FileRef file_;
  Socket* socket_;
};

/// A descriptor's socket. EBADF, ENOTSOCK.
Result<SocketRef> socket_of(const Task& task, Fd fd);
/// EINVAL if `size` is negative or too large, EFAULT.
Result<Address> address_in(UserAddr from, i32 size);
/// As accept, getsockname, recvfrom report one: cut to the room given by `size`, which then
/// says how large it is in full. EINVAL, EFAULT.
Result<> address_out(const Address& address, UserAddr to, UserInOut<i32> size);

}  // namespace lxss::net
