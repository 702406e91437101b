// Files in flight: SCM_RIGHTS in messages that were sent and not yet received.
//
// They are counted per user and bounded. A socket that can be reached only through messages in
// flight, itself's included, is garbage: its messages are found and dropped.
#pragma once

#include <memory>
#include <vector>

#include "lxcore/vfs/file.h"

namespace lxss::net {

class Rights {
 public:
  /// ETOOMANYREFS beyond the sender's RLIMIT_NOFILE (man 7 unix) or the instance's limit.
  static Result<std::unique_ptr<Rights>> create(Task& task, std::vector<RefPtr<File>> files);
  ~Rights();
  Rights(const Rights&) = delete;
  Rights& operator=(const Rights&) = delete;

  /// The files land: they are the receiver's now.
  std::vector<RefPtr<File>> take();
  /// MSG_PEEK: they land and stay.
  const std::vector<RefPtr<File>>& files() const { return files_; }

 private:
  Rights(std::vector<RefPtr<File>> files, u32 user);
  void land();

  std::vector<RefPtr<File>> files_;
  u32 user_;
};

/// Drops what only messages in flight keep alive; takes time as there are sockets.
void collect_garbage();
/// The same while there are few sockets; else only when the sockets in flight have doubled.
/// Called when one is sent and when one is closed.
void collect_garbage_if_due();

}  // namespace lxss::net
