// Watching files for changes (man 7 inotify).
//
// An Inotify owns its watches. Those of one inode are together in an object that the inode owns
// (vfs/notify.h), through which the VFS reports; a watch keeps its inode alive.
//
// Locks: `adding_` of an Inotify, across adding and removing by its user; that of an inode's
// watches, under which an event goes to all of them; that of an Inotify's queue and table, which
// is the last. A watch that is in its inode's list has a living Inotify: who ends takes its watches
// off the lists first.
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
  void queue_locked(Event event) LXSS_REQUIRES(lock_);
  /// Takes the watch away, which has left its inode's list, and says so. Null if someone was
  /// faster. The last that an Inotify hears of it.
  RefPtr<Watch> drop(i32 number);
  /// Of a watch that is in the table: off its inode's list. False if an event has done it.
  bool take_off(Watch& watch);

  SleepLock adding_;
  i32 last_watch_ LXSS_GUARDED_BY(adding_) = 0;
  Lock lock_{LockRank::kWaking};
  std::map<i32, RefPtr<Watch>> watches_ LXSS_GUARDED_BY(lock_);
  std::list<Event> events_ LXSS_GUARDED_BY(lock_);
  usize bytes_ LXSS_GUARDED_BY(lock_) = 0;  ///< that reading all events takes
  std::atomic<bool> any_event_{false};      ///< changed under lock_; poll reads it without
  WaitQueue readable_;
};

}  // namespace lxss
