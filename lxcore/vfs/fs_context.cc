// Root, working directory and umask of a task.
#include "lxcore/vfs/file.h"

namespace lxss {

RefPtr<FsContext> FsContext::duplicate() const {
  auto copy = make_ref<FsContext>();
  copy->root = root;
  copy->working_directory = working_directory;
  copy->umask = umask;
  return copy;
}

}  // namespace lxss
