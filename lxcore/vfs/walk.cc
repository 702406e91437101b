#include "lxcore/vfs/walk.h"

#include "lxcore/kernel.h"

namespace lxss::vfs {

using abi::ResolveFlag;

namespace {

/// Of the walk itself: what it stood on has gone. Never leaves this file.
constexpr Errno kLostFooting = Errno::kESTALE;

}  // namespace

Place PathWalker::root() const {
  if (restricted(ResolveFlag::kRESOLVE_IN_ROOT)) return {scope_.mount.get(), scope_.dentry.get()};
  return task_.fs->root.place();
}

bool PathWalker::try_hold() {
  if (held_.mount.get() == mount_ && held_.dentry.get() == dentry_) return true;
  RefPtr<Mount> mount = RefPtr<Mount>::try_take(mount_);
  RefPtr<Dentry> dentry = RefPtr<Dentry>::try_take(dentry_);
  if (!mount || !dentry) {
    // What was taken goes outside, as do the old references below.
    reading_.end();
    return false;
  }
  std::swap(held_.mount, mount);
  std::swap(held_.dentry, dentry);
  if (mount || dentry) {
    // Letting go of the last reference may take longer than a Reading should.
    reading_.end();
    mount = nullptr;
    dentry = nullptr;
    reading_.again();
  }
  return true;
}

Result<> PathWalker::hold() {
  const bool holds = try_hold();
  reading_.end();
  return holds ? Result<>() : Result<>(kLostFooting);
}

Result<> PathWalker::begin(Fd directory, std::string_view path) {
  if (path.empty()) return Errno::kENOENT;
  directory_ = directory;
  whole_ = path;
  return start();
}

Result<> PathWalker::start() {
  reading_.again();
  rest_ = whole_;
  links_ = 0;
  const bool scoped =
      restrictions_.any(ResolveFlag::kRESOLVE_IN_ROOT | ResolveFlag::kRESOLVE_BENEATH);
  if (whole_.front() == '/' && !scoped) {
    stand_at(task_.fs->root.place());
    return {};
  }
  if (directory_.value == abi::kAT_FDCWD) {
    stand_at(task_.fs->working_directory.place());
  } else {
    reading_.end();
    RefPtr<File> file = TRY(task_.files->borrow(directory_));
    if (!file->has_inode() || !file->inode().is_directory()) return Errno::kENOTDIR;
    held_ = file->path();
    stand_at({held_.mount.get(), held_.dentry.get()});
    file = nullptr;
    reading_.again();
  }
  if (scoped) {
    renames_ = kernel().dentries.renames();
    // The working directory, or an open one: it is held.
    if (!try_hold()) return kLostFooting;
    scope_ = held_;
  }
  if (whole_.front() == '/' && restricted(ResolveFlag::kRESOLVE_BENEATH)) return Errno::kEXDEV;
  return {};
}

template <typename Walk>
Result<> PathWalker::steadily(Walk walk) {
  reading_.again();
  Result<> result = walk();
  constexpr int kTries = 8;
  for (int i = 0; result.is(kLostFooting) && i < kTries; ++i) {
    counts_ = true;
    result = start();
    if (result.ok()) result = walk();
  }
  if (!result.ok()) reading_.end();
  return result;
}

Result<> PathWalker::walk(bool follow) {
  return steadily([&]() -> Result<> {
    TRY(walk_components(follow));
    return hold();
  });
}

Result<> PathWalker::walk_unheld(bool follow) {
  return steadily([&] { return walk_components(follow); });
}

Result<> PathWalker::walk_to_parent() {
  return steadily([&]() -> Result<> {
    TRY(walk_parents());
    return hold();
  });
}

Result<> PathWalker::check_search() const {
  if (!inode().is_directory()) return Errno::kENOTDIR;
  return check_access(who_, inode(), Access::kExecute);
}

bool PathWalker::next_component(std::string_view& name, bool& is_last) {
  usize begin = 0;
  while (begin < rest_.size() && rest_[begin] == '/') ++begin;
  usize end = begin;
  while (end < rest_.size() && rest_[end] != '/') ++end;
  name = rest_.substr(begin, end - begin);
  rest_.remove_prefix(end);
  usize after = 0;
  while (after < rest_.size() && rest_[after] == '/') ++after;
  is_last = after == rest_.size();
  return !name.empty();
}

Result<Dentry*> PathWalker::child(std::string_view name) {
  if (name.size() > abi::kNAME_MAX) return Errno::kENAMETOOLONG;
  DentryCache& cache = kernel().dentries;
  if (inode().filesystem().dentries_are_stable()) {
    if (Dentry* found = cache.find(*dentry_, name)) {
      if (!counts_) return found;
      if (RefPtr<Dentry> held = RefPtr<Dentry>::try_take(found)) {
        reading_.end();
        child_ = std::move(held);
        reading_.again();
        return found;
      }
    }
  }
  if (!try_hold()) return kLostFooting;
  reading_.end();
  auto found = cache.lookup_unlocked(task_, *dentry_, name);
  if (found.ok()) child_ = std::move(*found);
  reading_.again();
  if (!found.ok()) return found.error();
  return child_.get();
}

Result<RefPtr<Dentry>> PathWalker::look_up_last() {
  {
    Epoch::Reading reading;
    if (inode().filesystem().dentries_are_stable()) {
      if (auto found = RefPtr<Dentry>::try_take(kernel().dentries.find(*dentry_, last_)))
        return found;
    }
  }
  if (last_.size() > abi::kNAME_MAX) return Errno::kENAMETOOLONG;
  return kernel().dentries.lookup_unlocked(task_, *dentry_, last_);
}

Result<RefPtr<Dentry>> PathWalker::look_up_last_locked() {
  if (last_.size() > abi::kNAME_MAX) return Errno::kENAMETOOLONG;
  return kernel().dentries.lookup(*dentry_, last_);
}

Result<> PathWalker::descend(Dentry& child) {
  dentry_ = &child;
  while (dentry_->mount_count.load(std::memory_order_acquire) != 0) {
    Mount* covering = kernel().mounts.at(*mount_, *dentry_);
    if (!covering) break;
    if (restricted(ResolveFlag::kRESOLVE_NO_XDEV)) return Errno::kEXDEV;
    mount_ = covering;
    dentry_ = &covering->root();
  }
  if (counts_ && !try_hold()) return kLostFooting;
  return {};
}

Result<> PathWalker::enter(Dentry& child) {
  reading_.again();
  TRY(descend(child));
  return hold();
}

Result<> PathWalker::up() {
  for (;;) {
    if (scope_) {
      if (mount_ == scope_.mount.get() && dentry_ == scope_.dentry.get()) {
        return restricted(ResolveFlag::kRESOLVE_BENEATH) ? Result<>(Errno::kEXDEV) : Result<>();
      }
      // Linux: what was moved meanwhile may lead out.
      if (kernel().dentries.renames() != renames_) return Errno::kEAGAIN;
    }
    if (here() == root()) return {};
    if (dentry_ != &mount_->root()) break;
    const Place mountpoint = mount_->mountpoint_place();
    if (!mountpoint) return {};
    if (restricted(ResolveFlag::kRESOLVE_NO_XDEV)) return Errno::kEXDEV;
    stand_at(mountpoint);
  }
  if (Dentry* parent = dentry_->parent()) return descend(*parent);
  return {};
}

Result<bool> PathWalker::follow(Dentry& link, std::string_view tail) {
  if (++links_ > kMaxSymlinks || restricted(ResolveFlag::kRESOLVE_NO_SYMLINKS) ||
      mount_->flags().has(abi::MountFlag::kMS_NOSYMFOLLOW)) {
    return Errno::kELOOP;
  }
  RefPtr<Inode> inode = RefPtr<Inode>::try_take(link.inode());
  const bool holds = inode && try_hold();
  reading_.end();
  if (!holds) return kLostFooting;
  KernelLock::HeldFor guard(inode->locking());
  Path target;
  if (TRY(inode->follow(task_, target))) {
    if (restricted(ResolveFlag::kRESOLVE_NO_MAGICLINKS)) return Errno::kELOOP;
    if (scope_) return Errno::kEXDEV;
    if (restricted(ResolveFlag::kRESOLVE_NO_XDEV) && target.mount != mount_) return Errno::kEXDEV;
    held_ = std::move(target);
    stand_at({held_.mount.get(), held_.dentry.get()});
    rest_ = tail;
    reading_.again();
    return true;
  }
  std::string text = TRY(inode->read_link());
  if (text.empty()) return Errno::kENOENT;
  text.append(tail);
  text_ = std::move(text);
  rest_ = text_;
  reading_.again();
  if (text_.front() == '/') {
    if (restricted(ResolveFlag::kRESOLVE_BENEATH)) return Errno::kEXDEV;
    if (restricted(ResolveFlag::kRESOLVE_NO_XDEV) && root().mount != mount_) return Errno::kEXDEV;
    stand_at(root());
  }
  return false;
}

Result<bool> PathWalker::follow_last(Dentry& link) {
  reading_.again();
  auto followed = follow(link, rest_);
  if (followed.is(kLostFooting)) {
    // It holds its directory: only the link has gone.
    return Errno::kENOENT;
  }
  return followed;
}

Result<> PathWalker::walk_components(bool follow_at_end) {
  std::string_view name;
  bool is_last = false;
  while (next_component(name, is_last)) {
    TRY(check_search());
    if (name[0] == '.' && (name.size() == 1 || name == "..")) {
      if (name.size() == 2) TRY(up());
    } else {
      Dentry* found = TRY(child(name));
      Inode* inode = found->inode();
      if (!inode) return Errno::kENOENT;
      if (inode->is_symlink() && (!is_last || follow_at_end || !rest_.empty())) {
        TRY(follow(*found, rest_));
        continue;
      }
      TRY(descend(*found));
    }
    // A slash behind the last name asks for a directory.
    if (is_last && !rest_.empty() && !inode().is_directory()) return Errno::kENOTDIR;
  }
  return {};
}

Result<> PathWalker::walk_parents() {
  std::string_view name;
  bool is_last = false;
  while (next_component(name, is_last)) {
    TRY(check_search());
    if (is_last) {
      last_ = name;
      trailing_slash_ = !rest_.empty();
      return {};
    }
    if (name == ".") continue;
    if (name == "..") {
      TRY(up());
      continue;
    }
    Dentry* found = TRY(child(name));
    Inode* inode = found->inode();
    if (!inode) return Errno::kENOENT;
    if (inode->is_symlink()) {
      TRY(follow(*found, rest_));
    } else {
      TRY(descend(*found));
    }
  }
  last_ = {};
  trailing_slash_ = false;
  return {};
}

Result<Path> resolve(Task& task, Fd directory, std::string_view path, WalkFlags flags,
                     abi::ResolveFlags restrictions) {
  if (path.empty()) {
    if (!flags.has(Walk::kEmptyPath)) return Errno::kENOENT;
    if (directory.value == abi::kAT_FDCWD) return task.fs->working_directory.get();
    FileRef file = TRY(task.files->borrow(directory));
    if (!file->has_inode()) return Errno::kENOENT;
    if (flags.has(Walk::kDirectory) && !file->inode().is_directory()) return Errno::kENOTDIR;
    return file->path();
  }
  PathWalker walker(task, restrictions);
  TRY(walker.begin(directory, path));
  TRY(walker.walk(flags.has(Walk::kFollow)));
  if (flags.has(Walk::kDirectory) && !walker.inode().is_directory()) return Errno::kENOTDIR;
  return walker.path();
}

Result<Parent> resolve_parent(Task& task, Fd directory, std::string_view path) {
  PathWalker walker(task);
  TRY(walker.begin(directory, path));
  TRY(walker.walk_to_parent());
  return Parent{walker.path(), std::string(walker.last()), walker.trailing_slash()};
}

}  // namespace lxss::vfs
