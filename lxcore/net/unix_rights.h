// Files in flight: SCM_RIGHTS in messages that were sent and not yet received.
//
// They are counted per user and bounded. A socket that can be reached only through messages in
// flight, itself's included, is garbage: its messages are found and dropped.
//
// All that is in flight is guarded by UnixNamespace::lock: files get there and land under it, so
// that the collector, which holds it, sees a graph at rest.
#pragma once

#include <memory>
#include <vector>

#include "lxcore/net/unix_names.h"
#include "lxcore/vfs/file.h"

namespace lxss::net {

/// Files on their way from one owner to another.
struct FileBatch {
  std::vector<RefPtr<File>> files;
  FileBatch* next = nullptr;  ///< of those to be dropped
};

class UnixSocket;
struct EmbryoTag;

/// The files of one message. Made and destroyed without short locks.
class Rights : public ListNode<Rights> {
 public:
  /// ETOOMANYREFS beyond the sender's RLIMIT_NOFILE (man 7 unix) or the instance's limit.
  static Result<std::unique_ptr<Rights>> create(Task& task, std::vector<RefPtr<File>> files);
  /// Drops the files that did not land.
  ~Rights();
  Rights(const Rights&) = delete;
  Rights& operator=(const Rights&) = delete;

  /// The message enters and leaves the queue of `endpoint`, under whose lock this is.
  void enter(UnixEndpoint& endpoint);
  void leave();

  /// The files land: they are the receiver's now.
  std::vector<RefPtr<File>> take();
  /// MSG_PEEK: they land and stay.
  std::vector<RefPtr<File>> copy() const;
  usize count() const;

 private:
  friend class Collector;
  Rights(std::unique_ptr<FileBatch> batch, u32 user) : batch_(std::move(batch)), user_(user) {}
  /// They are in flight no more: what is to be done with them.
  std::unique_ptr<FileBatch> land(UnixNamespace& names) LXSS_REQUIRES(names.lock);

  /// Null once they have landed; UnixNamespace::lock.
  std::unique_ptr<FileBatch> batch_;
  const u32 user_;
};

/// What the collector knows of an endpoint; guarded by UnixNamespace::lock.
struct Reachability {
  UnixSocket* socket = nullptr;           ///< its file: null before accept and after the end
  usize in_flight = 0;                    ///< how often messages carry that file
  List<Rights> queued;                    ///< of the messages in its queue
  List<UnixEndpoint, EmbryoTag> embryos;  ///< that wait in its backlog
  // During a collection.
  bool candidate = false;  ///< only messages in flight refer to its file
  usize external = 0;      ///< of these, the ones that are not queued at candidates
  UnixEndpoint* next_pending = nullptr;
};

/// Drops what only messages in flight keep alive; takes time as there are sockets in flight.
void collect_garbage();
/// The same while there are few of them; else only when they have doubled. Called when one is
/// sent and when one is closed, without short locks.
void collect_garbage_if_due();

}  // namespace lxss::net
