// The path walk itself, for those parts of the VFS that need more than vfs::resolve().
#pragma once

#include "lxcore/task/process.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::vfs {

/// Walks a path component by component. On cached names it takes no lock, counts no references and
/// allocates nothing: it is inside an Epoch::Reading while it goes. Before anything that may wait
/// it takes references to where it stands and leaves the Reading. Where that comes too late - what
/// it stands on has just gone - it begins again, counting at each step.
class PathWalker {
 public:
  /// `as`, who must outlive the walker, is who asks; null: the task.
  explicit PathWalker(Task& task, abi::ResolveFlags restrictions = {},
                      const Credentials* as = nullptr)
      : task_(task), restrictions_(restrictions), who_(as ? *as : *task.credentials) {}
  PathWalker(const PathWalker&) = delete;
  PathWalker& operator=(const PathWalker&) = delete;

  /// Stands at the start of `path`, which must outlive the walker. ENOENT for "", EBADF, ENOTDIR.
  Result<> begin(Fd directory, std::string_view path);
  /// Walks to the end, where the walker holds references. A symbolic link there is followed if
  /// `follow` or before a slash. ENOTDIR if a slash follows what is not a directory.
  Result<> walk(bool follow);
  /// The same without references: the walker stays inside the Reading, in which the caller may look
  /// at mount(), dentry() and inode() without a lock; hold() takes the references.
  Result<> walk_unheld(bool follow);
  Result<> hold();
  void leave() { reading_.end(); }
  /// Walks up to the last component, which is left in last(); the walker then holds its directory,
  /// which it has checked to be one that may be searched. last() is empty for "/".
  Result<> walk_to_parent();
  std::string_view last() const { return last_; }
  bool trailing_slash() const { return trailing_slash_; }
  bool last_is_dots() const { return last_ == "." || last_ == ".."; }
  /// The child named last(), perhaps negative; it may change at once.
  Result<RefPtr<Dentry>> look_up_last();
  /// The same for who holds the directory's entries_lock.
  Result<RefPtr<Dentry>> look_up_last_locked();
  /// After walk_to_parent(): goes to the child, and through what is mounted there.
  Result<> enter(Dentry& child);
  /// After walk_to_parent(): the last component is this symbolic link, whose target is walked
  /// next, by walk() or walk_to_parent(). True if it was a magic link: the walker then stands
  /// at its target.
  Result<bool> follow_last(Dentry& link);

  /// Where it stands, which it holds.
  const Path& path() const {
    LXSS_ASSERT(held_.dentry.get() == dentry_ && held_.mount.get() == mount_);
    return held_;
  }
  Mount& mount() const { return *mount_; }
  Dentry& dentry() const { return *dentry_; }
  Inode& inode() const { return *dentry_->inode(); }

 private:
  bool restricted(abi::ResolveFlag flag) const { return restrictions_.has(flag); }
  Place root() const;
  Place here() const { return {mount_, dentry_}; }
  void stand_at(Place place) {
    mount_ = place.mount;
    dentry_ = place.dentry;
  }
  Result<> start();
  /// References to where it stands; false if it has gone.
  bool try_hold();
  /// Runs `walk`; if it lost its footing, again from the start, counting at each step.
  template <typename Walk>
  Result<> steadily(Walk walk);
  Result<> walk_components(bool follow_at_end);
  Result<> walk_parents();
  Result<> check_search() const;
  Result<Dentry*> child(std::string_view name);
  Result<> up();
  Result<> descend(Dentry& child);
  /// Puts the target of `link` before what is left to walk; true for a magic link.
  Result<bool> follow(Dentry& link, std::string_view tail);
  /// Takes the next component off rest_; false if there is none.
  bool next_component(std::string_view& name, bool& is_last);

  Task& task_;
  abi::ResolveFlags restrictions_;
  const Credentials& who_;
  Fd directory_{};
  std::string_view whole_;  ///< the path that begin() was given
  bool counts_ = false;     ///< takes references at each step
  Epoch::Reading reading_{false};
  Mount* mount_ = nullptr;
  Dentry* dentry_ = nullptr;
  Path held_;             ///< where it stands, or stood when it last held
  RefPtr<Dentry> child_;  ///< what child() found, where it is not only read
  Path scope_;            ///< RESOLVE_BENEATH, RESOLVE_IN_ROOT: where the walk began
  std::string_view rest_;
  std::string_view last_;
  bool trailing_slash_ = false;
  u32 links_ = 0;
  u32 renames_ = 0;   ///< of the cache, when a scoped walk began
  std::string text_;  ///< what rest_ points into once a link was followed
};

}  // namespace lxss::vfs
