#include "lxss/manager/tree_lock.h"

#include <fcntl.h>
#include <sys/file.h>

namespace lxss::manager {

common::UniqueFd try_lock_tree(const std::string& rootfs) {
  common::UniqueFd root = common::open_file(rootfs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (::flock(root.get(), LOCK_EX | LOCK_NB) != 0) return {};
  return root;
}

}  // namespace lxss::manager
