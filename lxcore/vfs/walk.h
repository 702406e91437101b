// The path walk itself, for those parts of the VFS that need more than vfs::resolve().
#pragma once

#include "lxcore/vfs/vfs.h"

namespace lxss::vfs {

/// Walks a path component by component. On cached names it allocates nothing and counts no
/// references: under one hold of the kernel lock the cache keeps every dentry that it passes.
/// Before anything that may give up the lock it takes references to where it stands.
class PathWalker {
 public:
  explicit PathWalker(Task& task, abi::ResolveFlags restrictions = {})
      : task_(task), restrictions_(restrictions) {}
  PathWalker(const PathWalker&) = delete;
  PathWalker& operator=(const PathWalker&) = delete;

  /// Stands at the start of `path`, which must outlive the walker. ENOENT for "", EBADF, ENOTDIR.
  Result<> begin(Fd directory, std::string_view path);
  /// Walks to the end. A symbolic link there is followed if `follow` or before a slash.
  /// ENOTDIR if a slash follows what is not a directory.
  Result<> walk(bool follow);
  /// Walks up to the last component, which is left in last(); the walker then stands in its
  /// directory, which it has checked to be one that may be searched. last() is empty for "/".
  Result<> walk_to_parent();
  std::string_view last() const { return last_; }
  bool trailing_slash() const { return trailing_slash_; }
  bool last_is_dots() const { return last_ == "." || last_ == ".."; }
  /// The child named last(), perhaps negative.
  Result<RefPtr<Dentry>> look_up_last();
  /// After walk_to_parent(): goes to the child, and through what is mounted there.
  Result<> enter(Dentry& child);
  /// After walk_to_parent(): the last component is this symbolic link, whose target is walked
  /// next, by walk() or walk_to_parent(). True if it was a magic link: the walker then stands
  /// at its target.
  Result<bool> follow_last(Dentry& link);

  Path path() const { return {RefPtr<Mount>(mount_), RefPtr<Dentry>(dentry_)}; }
  Mount& mount() const { return *mount_; }
  Dentry& dentry() const { return *dentry_; }
  Inode& inode() const { return *dentry_->inode(); }

 private:
  bool restricted(abi::ResolveFlag flag) const { return restrictions_.has(flag); }
  const Path& root() const;
  void stand_at(const Path& path);
  void hold() { held_ = path(); }
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
  Mount* mount_ = nullptr;
  Dentry* dentry_ = nullptr;
  Path held_;
  Path scope_;  ///< RESOLVE_BENEATH, RESOLVE_IN_ROOT: where the walk began
  std::string_view rest_;
  std::string_view last_;
  bool trailing_slash_ = false;
  u32 links_ = 0;
  std::string text_;  ///< what rest_ points into once a link was followed
};

}  // namespace lxss::vfs
