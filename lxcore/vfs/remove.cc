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
  if (victim.mount_count.load(std::memory_order_acquire) != 0) return Errno::kEBUSY;
  return {};
}

void tell_name_gone(Inode& inode) {
  if (!inode.watches) return;
  if (!inode.is_directory()) {
    KernelLock::HeldFor guard(inode.locking());
    auto attributes = inode.attributes();
    if (!attributes.ok() || attributes->links != 0 || !inode.watches) return;
  }
  KernelLock::Held held;
  if (inode.watches) static_cast<InodeWatches*>(inode.watches)->doomed = true;
}

namespace {

/// What was removed tells those who watch it, then those who watch its directory.
void tell_removed(Inode& parent, Inode& inode, RefPtr<Dentry> dentry, std::string_view name) {
  const auto kind = inode.is_directory() ? abi::InotifyFlags(kIN_ISDIR) : abi::InotifyFlags();
  if (!inode.is_directory()) notify_inode(inode, kIN_ATTRIB);
  tell_name_gone(inode);
  // Unless somebody uses the dentry, this was its end.
  dentry = nullptr;
  notify_inode(parent, kind | kIN_DELETE, 0, name);
}

}  // namespace

Result<> unlink(Task& task, Fd directory, std::string_view path) {
  PathWalker walker(task);
  TRY(walker.begin(directory, path));
  TRY(walker.walk_to_parent());
  if (walker.last().empty() || walker.last_is_dots()) return Errno::kEISDIR;
  const Path& parent = walker.path();
  SleepLock::Held entries;
  TRY(entries.lock_killable(task, parent.inode().entries_lock));
  RefPtr<Dentry> dentry = TRY(walker.look_up_last_locked());
  if (dentry->is_negative()) return Errno::kENOENT;
  RefPtr<Inode> inode(dentry->inode());
  if (walker.trailing_slash()) return inode->is_directory() ? Errno::kEISDIR : Errno::kENOTDIR;
  TRY(may_remove(task, parent, *dentry, false));
  KernelLock::HeldFor guard(inode->locking());
  TRY(parent.inode().unlink(dentry->name(), *inode));
  kernel().dentries.remove(*dentry);
  entries.unlock();
  tell_removed(parent.inode(), *inode, std::move(dentry), walker.last());
  return {};
}

Result<> remove_directory(Task& task, Fd directory, std::string_view path) {
  PathWalker walker(task);
  TRY(walker.begin(directory, path));
  TRY(walker.walk_to_parent());
  if (walker.last().empty()) return Errno::kEBUSY;
  if (walker.last() == ".") return Errno::kEINVAL;
  if (walker.last() == "..") return Errno::kENOTEMPTY;
  const Path& parent = walker.path();
  SleepLock::Held entries, victims_entries;
  TRY(entries.lock_killable(task, parent.inode().entries_lock));
  RefPtr<Dentry> dentry = TRY(walker.look_up_last_locked());
  if (dentry->is_negative()) return Errno::kENOENT;
  TRY(may_remove(task, parent, *dentry, true));
  RefPtr<Inode> inode(dentry->inode());
  // Nothing is made in it until it is marked as removed.
  TRY(victims_entries.lock_killable(task, inode->entries_lock));
  KernelLock::HeldFor guard(inode->locking());
  TRY(parent.inode().remove_directory(dentry->name(), *inode));
  kernel().dentries.remove(*dentry);
  victims_entries.unlock();
  entries.unlock();
  tell_removed(parent.inode(), *inode, std::move(dentry), walker.last());
  return {};
}

}  // namespace lxss::vfs
