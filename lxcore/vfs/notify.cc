#include "lxcore/vfs/notify.h"

#include <cstring>

namespace lxss::vfs {

void notify_directory(const Dentry& dentry, abi::InotifyFlags event) {
  // A rename may take directory and name away: inside the reading they stay, and so does the
  // inode's reference to its watches.
  RefPtr<InodeWatches> watches;
  char name[abi::kNAME_MAX];
  usize size = 0;
  {
    Epoch::Reading reading;
    const Dentry* directory = dentry.parent();
    const Inode* inode = directory ? directory->inode() : nullptr;
    if (!inode) return;
    watches = inode->watches.load(std::memory_order_acquire);
    if (!watches) return;
    const std::string_view text = dentry.name();
    size = std::min(text.size(), sizeof name);
    std::memcpy(name, text.data(), size);
  }
  watches->event(event, 0, std::string_view(name, size));
}

}  // namespace lxss::vfs
