// Removing directory entries.
#include "lxcore/kernel.h"
#include "lxcore/vfs/namespace.h"
#include "lxcore/vfs/notify.h"

namespace lxss::vfs {

Result<> may_remove(Task& task, const Path& directory, const Dentry& victim,
                    bool directory_wanted) {
  const Inode& parent = directory.inode();
  const Inode& inode = *victim.inode();
  const Credentials& who = *task.credentials;
  if (directory.mount->read_only()) return Errno::kEROFS;
  TRY(check_access(who, parent, Access::kWrite | Access::kExecute));
  if ((parent.mode() & abi::kS_ISVTX) && who.fsuid != inode.uid() && who.fsuid != parent.uid() &&
      !who.has_capability(abi::kCAP_FOWNER)) {
    return Errno::kEPERM;
  }
  if (directory_wanted && !inode.is_directory()) return Errno::kENOTDIR;
  if (!directory_wanted && inode.is_directory()) return Errno::kEISDIR;
  if (victim.mount_count != 0) return Errno::kEBUSY;
  return {};
}

void tell_name_gone(Inode& inode, const Dentry& name) {
  if (!inode.watches) return;
  if (!inode.is_directory()) {
    auto attributes = inode.attributes();
    if (!attributes.ok() || attributes->links != 0 || !inode.watches) return;
  }
  if (name.is_negative()) {
    notify_inode(inode, kIN_DELETE_SELF);
  } else {
    static_cast<InodeWatches*>(inode.watches)->doomed = true;
  }
}

namespace {

/// What was removed tells those who watch it, then those who watch its directory.
void tell_removed(Inode& parent, Inode& inode, const Dentry& dentry, std::string_view name) {
  const auto kind = inode.is_directory() ? abi::InotifyFlags(kIN_ISDIR) : abi::InotifyFlags();
  if (!inode.is_directory()) notify_inode(inode, kIN_ATTRIB);
  tell_name_gone(inode, dentry);
  notify_inode(parent, kind | kIN_DELETE, 0, name);
}

}  // namespace

Result<> unlink(Task& task, Fd directory, std::string_view path) {
  PathWalker walker(task);
  TRY(walker.begin(directory, path));
  TRY(walker.walk_to_parent());
  if (walker.last().empty() || walker.last_is_dots()) return Errno::kEISDIR;
  RefPtr<Dentry> dentry = TRY(walker.look_up_last());
  if (dentry->is_negative()) return Errno::kENOENT;
  const Path parent = walker.path();
  if (walker.trailing_slash()) {
    return dentry->inode()->is_directory() ? Errno::kEISDIR : Errno::kENOTDIR;
  }
  TRY(may_remove(task, parent, *dentry, false));
  RefPtr<Inode> inode(dentry->inode());
  const std::string name = inode->watches || parent.inode().watches ? dentry->name() : "";
  TRY(parent.inode().unlink(dentry->name(), *inode));
  if (!dentry->is_negative()) kernel().dentries.remove(*dentry);
  tell_removed(parent.inode(), *inode, *dentry, name);
  return {};
}

Result<> remove_directory(Task& task, Fd directory, std::string_view path) {
  PathWalker walker(task);
  TRY(walker.begin(directory, path));
  TRY(walker.walk_to_parent());
  if (walker.last().empty()) return Errno::kEBUSY;
  if (walker.last() == ".") return Errno::kEINVAL;
  if (walker.last() == "..") return Errno::kENOTEMPTY;
  RefPtr<Dentry> dentry = TRY(walker.look_up_last());
  if (dentry->is_negative()) return Errno::kENOENT;
  const Path parent = walker.path();
  TRY(may_remove(task, parent, *dentry, true));
  RefPtr<Inode> inode(dentry->inode());
  const std::string name = inode->watches || parent.inode().watches ? dentry->name() : "";
  TRY(parent.inode().remove_directory(dentry->name(), *inode));
  if (!dentry->is_negative()) kernel().dentries.remove(*dentry);
  tell_removed(parent.inode(), *inode, *dentry, name);
  return {};
}

}  // namespace lxss::vfs
