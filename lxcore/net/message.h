// Messages that sockets send and receive, and their ancillary data (man 3 cmsg).
#pragma once

#include <optional>
#include <vector>

#include "lxcore/mm/user_memory.h"
#include "lxcore/net/address.h"
#include "lxcore/vfs/file.h"

namespace lxss {
class Task;
}

namespace lxss::net {

struct OutgoingMessage {
  IoBuffer& data;
  abi::MsgFlags flags{};
  const Address* to = nullptr;           ///< null: to whom the socket is connected
  std::span<const std::byte> control{};  ///< abi::CmsgHdr records
};

/// Ancillary data on its way to a guest that gave `room` bytes for it. What does not fit is cut
/// off, and truncated() says so.
class ReceivedControl {
 public:
  explicit ReceivedControl(usize room = 0) : room_(room) {}

  void add(i32 level, i32 type, std::span<const std::byte> data);
  template <typename T>
  void add_value(i32 level, i32 type, const T& value) {
    add(level, type, std::as_bytes(std::span(&value, 1)));
  }
  /// Records that are formatted already and fit.
  void add_records(std::span<const std::byte> records);
  /// Files to be installed as descriptors: the last record.
  void add_files(std::vector<RefPtr<File>> files) { files_ = std::move(files); }

  /// Installs the files, as many as there is room for, and copies all to the guest. The number
  /// of bytes used there. EFAULT.
  Result<usize> deliver(Task& task, UserAddr at, bool close_on_exec);
  bool truncated() const { return truncated_; }
  usize room() const { return room_; }

 private:
  usize room_;
  std::vector<std::byte> records_;
  std::vector<RefPtr<File>> files_;
  bool truncated_ = false;
};

struct IncomingMessage {
  IoBuffer& data;
  abi::MsgFlags flags{};
  bool data_only = false;  ///< nobody asks for the other results
  // Results.
  Address from{};
  ReceivedControl control{};
  abi::MsgFlags result{};  ///< MSG_TRUNC, MSG_EOR, ...
};

/// What a sender on this machine may attach to a message: SCM_RIGHTS and SCM_CREDENTIALS.
struct SentControl {
  std::vector<RefPtr<File>> files;
  std::optional<abi::Ucred> credentials;  ///< checked: the sender may claim them
};
/// EINVAL for malformed or unknown records, EBADF, EPERM, ESRCH (man 7 unix).
Result<SentControl> parse_control(Task& task, std::span<const std::byte> control,
                                  bool may_send_files);
/// What a message says of its sender if it claims nothing else.
abi::Ucred sender_credentials(const Task& task);

}  // namespace lxss::net
