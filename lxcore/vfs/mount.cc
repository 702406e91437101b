#include "lxcore/vfs/mount.h"

#include "lxcore/kernel.h"

namespace lxss {

Place PublishedPath::place() const {
  Place place;
  if (place_.read(place)) return place;
  Lock::Held held(lock_);
  return place_.get();
}

Path PublishedPath::get() const {
  Lock::Held held(lock_);
  return held_;
}

void PublishedPath::set(Path path) {
  Lock::Held held(lock_);
  std::swap(held_, path);
  place_.write({held_.mount.get(), held_.dentry.get()});
  // `path`, now the old one, goes after the lock: it was made before.
}

SpreadCount::Counters& SpreadCount::mine() {
  return counters_[static_cast<u32>(Task::current().tid.value) % kPlaces];
}

u64 SpreadCount::sum() const {
  u64 downs = 0, ups = 0;
  for (const Counters& each : counters_) downs += each.downs.load(std::memory_order_seq_cst);
  for (const Counters& each : counters_) ups += each.ups.load(std::memory_order_seq_cst);
  return ups - downs;
}

Mount::Mount(RefPtr<FileSystem> filesystem, RefPtr<Dentry> root, std::string source,
             abi::MountFlags flags)
    : filesystem_(std::move(filesystem)),
      root_(root.leak()),
      id_(kernel().next_mount_id.fetch_add(1, std::memory_order_relaxed)),
      source_(std::move(source)),
      flags_(flags) {
  count_.up();
}

bool Mount::try_ref() const {
  count_.up();
  if (!ended_.load(std::memory_order_seq_cst)) [[likely]]
    return true;
  count_.down();
  return false;
}

void Mount::end_if_unused() const {
  {
    Lock::Held held(kernel().mounts.lock_);
    if (ended_.load(std::memory_order_relaxed) || count_.sum() != 0) return;
    ended_.store(true, std::memory_order_seq_cst);
    // Who found it in the tree before may have come in between.
    if (count_.sum() != 0) {
      ended_.store(false, std::memory_order_seq_cst);
      return;
    }
  }
  Mount& self = const_cast<Mount&>(*this);
  kernel().dentries.prune(*root_);
  // Walks that stand here go on to look at its root, which epochs keep like the mount itself.
  root_->unref();
  retire(self);
}

u32 MountTree::hash(const Mount& parent, const Dentry& dentry) {
  constexpr u64 kMultiplier = 0x9e37'79b9'7f4a'7c15;
  const u64 mixed = (reinterpret_cast<u64>(&parent) >> 6 ^ reinterpret_cast<u64>(&dentry) >> 4);
  return static_cast<u32>(mixed * kMultiplier >> 32);
}

Mount* MountTree::at(const Mount& parent, const Dentry& dentry) const {
  for (Mount* mount = table_.first(hash(parent, dentry)); mount; mount = table_.next(*mount)) {
    const Place place = mount->mountpoint_place();
    if (place.mount == &parent && place.dentry == &dentry) return mount;
  }
  return nullptr;
}

std::vector<RefPtr<Mount>> MountTree::all() {
  std::vector<RefPtr<Mount>> result;
  Lock::Held held(lock_);
  for (Mount& mount : mounts_) result.emplace_back(mount);
  return result;
}

void MountTree::attach(Mount& mount, const Path& path) {
  mount.ref();
  mount.mountpoint_.set(path);
  if (path) path.dentry->mount_count.fetch_add(1);
  Lock::Held held(lock_);
  mount.attached_.store(true, std::memory_order_seq_cst);
  mounts_.push_back(mount);
  if (path) table_.insert(hash(*path.mount, *path.dentry), mount);
}

void MountTree::detach(Mount& mount) {
  RefPtr<Mount> kept(mount);
  const Path path = mount.mountpoint();
  {
    Lock::Held held(lock_);
    if (!mount.linked()) return;
    mount.unlink();
    if (path) table_.remove(hash(*path.mount, *path.dentry), mount);
  }
  if (path) path.dentry->mount_count.fetch_sub(1);
  mount.mountpoint_.set({});
  mount.attached_.store(false, std::memory_order_seq_cst);
  mount.unref();
}

bool MountTree::has_children(const Mount& mount) {
  Lock::Held held(lock_);
  for (Mount& other : mounts_) {
    if (other.mountpoint_place().mount == &mount) return true;
  }
  return false;
}

namespace vfs {

namespace {

/// True if `inner` is `outer` or mounted somewhere below it.
bool is_within(const Mount* inner, const Mount& outer) {
  Epoch::Reading reading;
  for (; inner; inner = inner->mountpoint_place().mount) {
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

Result<RefPtr<Mount>> mount(RefPtr<FileSystem> filesystem, const Path& at, std::string source,
                            abi::MountFlags flags) {
  RefPtr<Inode> inode = TRY(filesystem->root());
  if (at) TRY(check_mountpoint(*inode, at));
  auto root = make_ref<Dentry>(nullptr, "/", std::move(inode));
  auto mount = make_ref<Mount>(std::move(filesystem), std::move(root), std::move(source), flags);
  kernel().mounts.attach(*mount, at);
  if (!at) kernel().root = {mount, RefPtr<Dentry>(mount->root())};
  return mount;
}

Result<RefPtr<Mount>> bind(const Path& from, const Path& at, abi::MountFlags flags) {
  TRY(check_mountpoint(from.inode(), at));
  auto mount = make_ref<Mount>(RefPtr<FileSystem>(from.mount->filesystem()), from.dentry,
                               from.mount->source(), flags);
  kernel().mounts.attach(*mount, at);
  return mount;
}

Result<> move_mount(Mount& mount, const Path& to) {
  if (!mount.mountpoint()) return Errno::kEINVAL;
  TRY(check_mountpoint(*mount.root().inode(), to));
  if (is_within(to.mount.get(), mount)) return Errno::kELOOP;
  RefPtr<Mount> kept(mount);
  kernel().mounts.detach(mount);
  kernel().mounts.attach(mount, to);
  return {};
}

Result<> unmount(Mount& mount, bool detach) {
  if (!mount.mountpoint()) return Errno::kEINVAL;  // the root of the tree, or detached already
  MountTree& tree = kernel().mounts;
  if (!detach) {
    kernel().dentries.prune(mount.root());
    // Expected are the tree's reference and the caller's.
    if (tree.has_children(mount) || mount.reference_count() > 2) return Errno::kEBUSY;
  }
  // What is mounted below goes with it.
  for (const RefPtr<Mount>& each : tree.all()) {
    if (each.get() != &mount && is_within(each.get(), mount)) tree.detach(*each);
  }
  tree.detach(mount);
  return {};
}

}  // namespace vfs
}  // namespace lxss
