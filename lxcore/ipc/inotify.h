// Watching files for changes (man 7 inotify).
//
// An Inotify owns its watches. Those of one inode are together in an object that the inode
// points to (vfs/notify.h), through which the VFS reports; a watch keeps its inode alive.
#pragma once

#include <list>
#include <map>
#include <memory>

#include "abi/linux/inotify.h"
#include "lxcore/vfs/file.h"
#include "lxcore/vfs/notify.h"

namespace lxss {

class Inotify final : public File {
 public:
  static constexpr char kKind = 0;
  static constexpr usize kMaxQueued = 16384;    ///< fs.inotify.max_queued_events
  static constexpr usize kMaxWatches = 524288;  ///< fs.inotify.max_user_watches

  Inotify();
  ~Inotify() override;
  const void* kind() const override { return &kKind; }

  /// Adds a watch or changes the one there is: its number. EEXIST, ENOSPC.
  Result<i32> watch(Inode& inode, abi::InotifyFlags mask);
  /// EINVAL if there is no such watch.
  Result<> unwatch(i32 number);

  Result<usize> read(Task& task, IoBuffer& buffer, u64* offset) override;
  PollEvents poll(PollRegistration* registration) override;
  Result<u64> ioctl(Task& task, u32 request, u64 argument) override;
  std::string fdinfo() override;

 private:
  class Watch;
  class WatchedInode;
  struct WatchTag;
  struct Event {
    i32 watch;
    u32 mask;
    u32 cookie;
    std::string name;
    usize size() const;
    bool operator==(const Event&) const = default;
  };

  void queue(Event event);
  /// Takes the watch away and says so.
  void drop(i32 number);

  std::map<i32, std::unique_ptr<Watch>> watches_;
  i32 last_watch_ = 0;
  std::list<Event> events_;
  usize bytes_ = 0;  ///< that reading all events takes
  WaitQueue readable_;
};

}  // namespace lxss
