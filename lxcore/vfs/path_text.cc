// The path of a file as text (getcwd, /proc/PID/fd, /proc/PID/maps).
#include <algorithm>
#include <vector>

#include "lxcore/kernel.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::vfs {

std::string path_text(Task& task, const Path& path) {
  const Path& root = task.fs->root;
  const Mount* mount = path.mount.get();
  const Dentry* dentry = path.dentry.get();
  std::vector<const std::string*> names;
  usize size = 0;
  bool reachable = true;
  while (mount != root.mount.get() || dentry != root.dentry.get()) {
    if (mount && dentry == &mount->root()) {
      if (!mount->mountpoint) {
        // The root of the whole tree seen from a chroot, or of a detached mount.
        reachable = false;
        break;
      }
      dentry = mount->mountpoint.dentry.get();
      mount = mount->mountpoint.mount.get();
      continue;
    }
    if (!dentry->parent()) return dentry->name();  // anonymous
    names.push_back(&dentry->name());
    size += dentry->name().size() + 1;
    dentry = dentry->parent();
  }

  std::string text;
  text.reserve(size + 24);
  if (!reachable) text = "(unreachable)";
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    text += '/';
    text += **name;
  }
  if (names.empty()) text += '/';
  if (path.dentry->unlinked()) text += " (deleted)";
  return text;
}

}  // namespace lxss::vfs
