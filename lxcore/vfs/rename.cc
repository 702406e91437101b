// Renaming (man 2 rename).
#include "lxcore/kernel.h"
#include "lxcore/vfs/namespace.h"
#include "lxcore/vfs/notify.h"

namespace lxss::vfs {

namespace {

using abi::RenameFlag;

/// The entries of both directories of a rename: the upper one first, as everywhere.
class BothLocked {
 public:
  Result<> lock(Task& task, const Path& from, const Path& to) {
    if (from.dentry == to.dentry) return first_.lock_killable(task, from.inode().entries_lock);
    // Who lies below whom changes under this lock only.
    TRY(renames_.lock_killable(task, kernel().dentries.rename_lock));
    const bool from_first = is_below(*to.dentry, *from.dentry) ||
                            (!is_below(*from.dentry, *to.dentry) && &from.inode() < &to.inode());
    Inode& first = from_first ? from.inode() : to.inode();
    Inode& second = from_first ? to.inode() : from.inode();
    TRY(first_.lock_killable(task, first.entries_lock));
    if (&first == &second) return {};
    return second_.lock_killable(task, second.entries_lock);
  }
  /// A directory that the rename replaces: nothing is made in it meanwhile.
  Result<> lock_replaced(Task& task, Inode& inode) {
    return replaced_.lock_killable(task, inode.entries_lock);
  }
  void unlock() {
    replaced_.unlock();
    second_.unlock();
    first_.unlock();
    renames_.unlock();
  }

 private:
  SleepLock::Held renames_, first_, second_, replaced_;
};

/// Moving a directory elsewhere writes its "..".
Result<> may_move_directory(Task& task, const Dentry& moved, const Path& from, const Path& to) {
  if (!moved.inode()->is_directory() || from.dentry == to.dentry) return {};
  return check_access(*task.credentials, *moved.inode(), Access::kWrite);
}

/// A pair of events that belong together carries the same number.
u32 next_cookie() { return kernel().last_move_cookie.fetch_add(1) + 1; }

void tell_moved(Inode& from, std::string_view old_name, Inode& to, std::string_view new_name,
                Inode& moved) {
  const auto kind = moved.is_directory() ? abi::InotifyFlags(kIN_ISDIR) : abi::InotifyFlags();
  const u32 cookie = next_cookie();
  notify_inode(from, kind | kIN_MOVED_FROM, cookie, old_name);
  notify_inode(to, kind | kIN_MOVED_TO, cookie, new_name);
  notify_inode(moved, kind | kIN_MOVE_SELF);
}

}  // namespace

Result<> rename(Task& task, Fd old_directory, std::string_view old_path, Fd new_directory,
                std::string_view new_path, abi::RenameFlags flags) {
  if (!flags.within(RenameFlag::kRENAME_NOREPLACE | RenameFlag::kRENAME_EXCHANGE)) {
    return Errno::kEINVAL;  // RENAME_WHITEOUT: no file system here has whiteouts
  }
  const bool exchange = flags.has(RenameFlag::kRENAME_EXCHANGE);
  const bool no_replace = flags.has(RenameFlag::kRENAME_NOREPLACE);
  if (exchange && no_replace) return Errno::kEINVAL;

  PathWalker old_walker(task), new_walker(task);
  TRY(old_walker.begin(old_directory, old_path));
  TRY(old_walker.walk_to_parent());
  const Path from = old_walker.path();
  TRY(new_walker.begin(new_directory, new_path));
  TRY(new_walker.walk_to_parent());
  const Path to = new_walker.path();
  if (from.mount != to.mount) return Errno::kEXDEV;
  if (old_walker.last().empty() || old_walker.last_is_dots()) return Errno::kEBUSY;
  if (new_walker.last().empty() || new_walker.last_is_dots()) {
    return no_replace ? Errno::kEEXIST : Errno::kEBUSY;
  }
  if (from.mount->read_only()) return Errno::kEROFS;

  BothLocked locked;
  TRY(locked.lock(task, from, to));
  RefPtr<Dentry> source = TRY(old_walker.look_up_last_locked());
  if (source->is_negative()) return Errno::kENOENT;
  RefPtr<Dentry> target = TRY(new_walker.look_up_last_locked());
  if (no_replace && !target->is_negative()) return Errno::kEEXIST;
  if (exchange && target->is_negative()) return Errno::kENOENT;
  if (!source->inode()->is_directory() &&
      (old_walker.trailing_slash() || (!exchange && new_walker.trailing_slash()))) {
    return Errno::kENOTDIR;
  }
  if (exchange && !target->inode()->is_directory() && new_walker.trailing_slash()) {
    return Errno::kENOTDIR;
  }
  // A directory cannot go below itself, nor replace one that it lies in.
  if (is_below(*to.dentry, *source)) return Errno::kEINVAL;
  if (!target->is_negative() && is_below(*from.dentry, *target)) {
    return exchange ? Errno::kEINVAL : Errno::kENOTEMPTY;
  }

  RefPtr<Inode> moved(source->inode()), replaced(target->inode());
  if (moved == replaced) return {};
  TRY(may_remove(task, from, *source, moved->is_directory()));
  if (target->is_negative()) {
    TRY(may_create(task, to));
  } else {
    TRY(may_remove(task, to, *target, exchange ? replaced->is_directory() : moved->is_directory()));
  }
  TRY(may_move_directory(task, *source, from, to));
  if (exchange) TRY(may_move_directory(task, *target, to, from));

  if (replaced && !exchange && replaced->is_directory()) {
    TRY(locked.lock_replaced(task, *replaced));
  }
  const std::string_view old_name = old_walker.last(), new_name = new_walker.last();
  KernelLock::HeldFor guard(moved->locking());
  TRY(from.inode().rename(old_name, *moved, to.inode(), new_name, replaced.get(), flags));
  DentryCache& cache = kernel().dentries;
  if (exchange) {
    cache.exchange(*source, *target);
  } else {
    cache.move(*source, *to.dentry, new_name);
  }
  locked.unlock();
  tell_moved(from.inode(), old_name, to.inode(), new_name, *moved);
  if (exchange) {
    tell_moved(to.inode(), new_name, from.inode(), old_name, *replaced);
  } else if (replaced) {
    notify_inode(*replaced, replaced->is_directory() ? kIN_ATTRIB | kIN_ISDIR : kIN_ATTRIB);
    tell_name_gone(*replaced);
  }
  return {};
}

}  // namespace lxss::vfs
