// Root, working directory and umask of a task.
#include "lxcore/vfs/file.h"

namespace lxss {

RefPtr<FsContext> FsContext::duplicate() const {
  auto copy = make_ref<FsContext>();
  copy->root.set(root.get());
  copy->working_directory.set(working_directory.get());
  copy->umask.store(umask.load(std::memory_order_relaxed), std::memory_order_relaxed);
  return copy;
}

}  // namespace lxss
