// What the VFS tells about changes to those who watch (man 7 inotify).
#pragma once

#include "abi/linux/inotify.h"
#include "lxcore/kernel.h"
#include "lxcore/vfs/dentry.h"

namespace lxss {

/// The watches of one inode: what Inode::watches points to. Derived by ipc/inotify.cc. The inode
/// has the reference to it.
class InodeWatches : public RefCounted {
 public:
  /// `event` is one kIN_* event, with kIN_ISDIR where it applies; `name` that of a directory's
  /// entry, else empty. Under any lock of a rank below kWatches; the caller has the inode.
  virtual void event(abi::InotifyFlags event, u32 cookie, std::string_view name) = 0;
  /// The last name is gone but in use: kIN_DELETE_SELF comes with the end of its dentry.
  std::atomic<bool> doomed = false;
};

namespace vfs {

using enum abi::InotifyFlag;

inline void notify_inode(Inode& inode, abi::InotifyFlags event, u32 cookie = 0,
                         std::string_view name = {}) {
  if (InodeWatches* watches = inode.watches.load(std::memory_order_acquire)) [[unlikely]] {
    watches->event(event, cookie, name);
  }
}

/// The same for the directory that a dentry is in, if it is watched (notify.cc).
void notify_directory(const Dentry& dentry, abi::InotifyFlags event);

/// Something happened to a file: its own watches and its directory's hear of it. Costs next to
/// nothing while nobody watches anything.
inline void notify(const Dentry& dentry, abi::InotifyFlags event) {
  if (kernel().inotify_watches.load(std::memory_order_relaxed) == 0) [[likely]]
    return;
  Inode* inode = dentry.inode();
  if (!inode) return;
  if (inode->is_directory()) event |= kIN_ISDIR;
  notify_directory(dentry, event);
  notify_inode(*inode, event);
}

}  // namespace vfs
}  // namespace lxss
