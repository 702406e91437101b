#include "lxcore/vfs/walk.h"

#include "lxcore/kernel.h"
#include "lxcore/vfs/mount.h"

namespace lxss::vfs {

using abi::ResolveFlag;

const Path& PathWalker::root() const {
  return restricted(ResolveFlag::kRESOLVE_IN_ROOT) ? scope_ : task_.fs->root;
}

void PathWalker::stand_at(const Path& path) {
  mount_ = path.mount.get();
  dentry_ = path.dentry.get();
}

Result<> PathWalker::begin(Fd directory, std::string_view path) {
  if (path.empty()) return Errno::kENOENT;
  rest_ = path;
  const bool scoped =
      restrictions_.any(ResolveFlag::kRESOLVE_IN_ROOT | ResolveFlag::kRESOLVE_BENEATH);
  if (path.front() == '/' && !scoped) {
    stand_at(task_.fs->root);
    return {};
  }
  if (directory.value == abi::kAT_FDCWD) {
    stand_at(task_.fs->working_directory);
  } else {
    RefPtr<File> file = TRY(task_.files->get(directory));
    if (!file->has_inode() || !file->inode().is_directory()) return Errno::kENOTDIR;
    held_ = file->path();
    stand_at(held_);
  }
  if (scoped) scope_ = this->path();
  if (path.front() == '/' && restricted(ResolveFlag::kRESOLVE_BENEATH)) return Errno::kEXDEV;
  return {};
}

Result<> PathWalker::check_search() const {
  if (!inode().is_directory()) return Errno::kENOTDIR;
  return check_access(*task_.credentials, inode(), Access::kExecute);
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
    if (Dentry* found = cache.find(*dentry_, name)) return found;
  }
  hold();
  RefPtr<Dentry> found = TRY(cache.lookup(*dentry_, name));
  // The mount is held with it; its parent keeps the directory.
  held_.dentry = std::move(found);
  return held_.dentry.get();
}

Result<RefPtr<Dentry>> PathWalker::look_up_last() {
  Dentry* found = TRY(child(last_));
  return RefPtr<Dentry>(found);
}

Result<> PathWalker::descend(Dentry& child) {
  dentry_ = &child;
  while (dentry_->mount_count != 0) {
    Mount* covering = mount_at(*mount_, *dentry_);
    if (!covering) break;
    if (restricted(ResolveFlag::kRESOLVE_NO_XDEV)) return Errno::kEXDEV;
    mount_ = covering;
    dentry_ = &covering->root();
  }
  return {};
}

Result<> PathWalker::enter(Dentry& child) { return descend(child); }

Result<> PathWalker::up() {
  for (;;) {
    if (scope_ && mount_ == scope_.mount.get() && dentry_ == scope_.dentry.get()) {
      return restricted(ResolveFlag::kRESOLVE_BENEATH) ? Result<>(Errno::kEXDEV) : Result<>();
    }
    const Path& barrier = root();
    if (mount_ == barrier.mount.get() && dentry_ == barrier.dentry.get()) return {};
    if (dentry_ != &mount_->root()) break;
    if (!mount_->mountpoint) return {};
    if (restricted(ResolveFlag::kRESOLVE_NO_XDEV)) return Errno::kEXDEV;
    const Path& mountpoint = mount_->mountpoint;
    mount_ = mountpoint.mount.get();
    dentry_ = mountpoint.dentry.get();
  }
  if (Dentry* parent = dentry_->parent()) return descend(*parent);
  return {};
}

Result<bool> PathWalker::follow(Dentry& link, std::string_view tail) {
  if (++links_ > kMaxSymlinks || restricted(ResolveFlag::kRESOLVE_NO_SYMLINKS) ||
      mount_->flags.has(abi::MountFlag::kMS_NOSYMFOLLOW)) {
    return Errno::kELOOP;
  }
  hold();
  RefPtr<Dentry> kept(link);
  RefPtr<Inode> inode(link.inode());
  Path target;
  if (TRY(inode->follow(task_, target))) {
    if (restricted(ResolveFlag::kRESOLVE_NO_MAGICLINKS)) return Errno::kELOOP;
    if (scope_) return Errno::kEXDEV;
    if (restricted(ResolveFlag::kRESOLVE_NO_XDEV) && target.mount != mount_) return Errno::kEXDEV;
    held_ = std::move(target);
    stand_at(held_);
    rest_ = tail;
    return true;
  }
  std::string text = TRY(inode->read_link());
  if (text.empty()) return Errno::kENOENT;
  text.append(tail);
  text_ = std::move(text);
  rest_ = text_;
  if (text_.front() == '/') {
    if (restricted(ResolveFlag::kRESOLVE_BENEATH)) return Errno::kEXDEV;
    if (restricted(ResolveFlag::kRESOLVE_NO_XDEV) && root().mount != mount_) return Errno::kEXDEV;
    stand_at(root());
  }
  return false;
}

Result<bool> PathWalker::follow_last(Dentry& link) { return follow(link, rest_); }

Result<> PathWalker::walk(bool follow_at_end) {
  std::string_view name;
  bool is_last = false;
  while (next_component(name, is_last)) {
    TRY(check_search());
    if (name[0] == '.' && (name.size() == 1 || name == "..")) {
      if (name.size() == 2) TRY(up());
    } else {
      Dentry* found = TRY(child(name));
      if (found->is_negative()) return Errno::kENOENT;
      if (found->inode()->is_symlink() && (!is_last || follow_at_end || !rest_.empty())) {
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

Result<> PathWalker::walk_to_parent() {
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
    if (found->is_negative()) return Errno::kENOENT;
    if (found->inode()->is_symlink()) {
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
    if (directory.value == abi::kAT_FDCWD) return task.fs->working_directory;
    RefPtr<File> file = TRY(task.files->get(directory));
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
