#include "lxcore/vfs/mount.h"

#include <vector>

#include "lxcore/kernel.h"

namespace lxss {

Mount::Mount(RefPtr<FileSystem> filesystem, RefPtr<Dentry> root, std::string source,
             abi::MountFlags mount_flags)
    : flags(mount_flags),
      filesystem_(std::move(filesystem)),
      root_(std::move(root)),
      id_(kernel().next_mount_id++),
      source_(std::move(source)) {}

Mount::~Mount() { kernel().dentries.prune(*root_); }

namespace vfs {

namespace {

/// Puts a mount into the tree, which holds a reference to it.
void attach(Mount& mount, const Path& at) {
  mount.mountpoint = at;
  if (at) at.dentry->mount_count += 1;
  mount.ref();
  kernel().mounts.push_back(mount);
}

void detach_from_tree(Mount& mount) {
  Path at = std::move(mount.mountpoint);
  mount.mountpoint = {};
  if (at) at.dentry->mount_count -= 1;
  mount.unlink();
  mount.unref();
}

bool has_children(const Mount& mount) {
  for (Mount& other : kernel().mounts) {
    if (other.mountpoint && other.mountpoint.mount == &mount) return true;
  }
  return false;
}

/// True if `inner` is `outer` or mounted somewhere below it.
bool is_within(const Mount* inner, const Mount& outer) {
  for (; inner; inner = inner->mountpoint.mount.get()) {
    if (inner == &outer) return true;
  }
  return false;
}

/// A directory goes on a directory, anything else on anything else.
Result<> check_mountpoint(const Inode& root, const Path& at) {
  if (at.dentry->unlinked()) return Errno::kENOENT;
  if (root.is_directory() != at.inode().is_directory()) return Errno::kENOTDIR;
  return {};
}

}  // namespace

Mount* mount_at(const Mount& parent, const Dentry& dentry) {
  for (Mount& mount : kernel().mounts) {
    if (mount.mountpoint.dentry == &dentry && mount.mountpoint.mount == &parent) return &mount;
  }
  return nullptr;
}

Result<RefPtr<Mount>> mount(RefPtr<FileSystem> filesystem, const Path& at, std::string source,
                            abi::MountFlags flags) {
  RefPtr<Inode> inode = TRY(filesystem->root());
  if (at) TRY(check_mountpoint(*inode, at));
  auto root = make_ref<Dentry>(nullptr, "/", std::move(inode));
  auto mount = make_ref<Mount>(std::move(filesystem), std::move(root), std::move(source), flags);
  attach(*mount, at);
  if (!at) kernel().root = {mount, RefPtr<Dentry>(mount->root())};
  return mount;
}

Result<RefPtr<Mount>> bind(const Path& from, const Path& at, abi::MountFlags flags) {
  TRY(check_mountpoint(from.inode(), at));
  auto mount = make_ref<Mount>(RefPtr<FileSystem>(from.mount->filesystem()), from.dentry,
                               from.mount->source(), flags);
  attach(*mount, at);
  return mount;
}

Result<> move_mount(Mount& mount, const Path& to) {
  if (!mount.mountpoint) return Errno::kEINVAL;
  TRY(check_mountpoint(*mount.root().inode(), to));
  if (is_within(to.mount.get(), mount)) return Errno::kELOOP;
  RefPtr<Mount> kept(mount);
  detach_from_tree(mount);
  attach(mount, to);
  return {};
}

Result<> unmount(Mount& mount, bool detach) {
  if (!mount.mountpoint) return Errno::kEINVAL;  // the root of the tree, or detached already
  RefPtr<Mount> kept(mount);
  if (!detach) {
    kernel().dentries.prune(mount.root());
    // Expected are the tree's reference, the caller's and this one.
    if (has_children(mount) || mount.reference_count() > 3) return Errno::kEBUSY;
  }
  // What is mounted below goes with it.
  std::vector<RefPtr<Mount>> leaving;
  for (Mount& other : kernel().mounts) {
    if (is_within(&other, mount)) leaving.push_back(other);
  }
  for (const RefPtr<Mount>& each : leaving) detach_from_tree(*each);
  return {};
}

List<Mount>& mounts() { return kernel().mounts; }

}  // namespace vfs
}  // namespace lxss
