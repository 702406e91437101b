// Opening files (man 2 open).
#include "abi/linux/magic.h"
#include "base/scope.h"
#include "base/text.h"
#include "lxcore/kernel.h"
#include "lxcore/vfs/devices.h"
#include "lxcore/vfs/namespace.h"
#include "lxcore/vfs/notify.h"

namespace lxss::vfs {

namespace {

using abi::OpenFlag;
using abi::OpenFlags;

constexpr OpenFlags kPathFlags =
    OpenFlag::kO_PATH | OpenFlag::kO_DIRECTORY | OpenFlag::kO_NOFOLLOW | OpenFlag::kO_CLOEXEC;

/// What O_PATH opens: a place, nothing to be read.
class PathFile final : public File {};

bool is_temporary(OpenFlags flags) { return flags.has(OpenFlag::k__O_TMPFILE); }

bool wants_write(OpenFlags flags) {
  return (flags.raw() & abi::kO_ACCMODE) != 0 || flags.has(OpenFlag::kO_TRUNC);
}

AccessMask wanted_access(OpenFlags flags) {
  const u32 mode = flags.raw() & abi::kO_ACCMODE;
  AccessMask mask;
  if (mode != static_cast<u32>(OpenFlag::kO_WRONLY)) mask |= Access::kRead;
  if (wants_write(flags)) mask |= Access::kWrite;
  return mask;
}

/// Makes sense of flags that depend on one another, or EINVAL.
Result<OpenFlags> normalise(OpenFlags flags) {
  if (flags.has(OpenFlag::kO_PATH)) return flags & kPathFlags;
  if (is_temporary(flags)) {
    if (!flags.has(OpenFlag::kO_TMPFILE) || !(flags.raw() & abi::kO_ACCMODE) ||
        flags.has(OpenFlag::kO_CREAT)) {
      return Errno::kEINVAL;
    }
  } else if (flags.has(OpenFlag::kO_CREAT) && flags.has(OpenFlag::kO_DIRECTORY)) {
    return Errno::kEINVAL;
  }
  return flags | OpenFlag::kO_LARGEFILE;
}

/// What a path leads to may be opened by this task in this way.
Result<> may_open(Task& task, const Path& path, OpenFlags flags) {
  Inode& inode = path.inode();
  const bool write = wants_write(flags);
  switch (inode.type()) {
    case abi::kS_IFLNK:
      return Errno::kELOOP;
    case abi::kS_IFDIR:
      if (write) return Errno::kEISDIR;
      break;
    case abi::kS_IFCHR:
    case abi::kS_IFBLK:
      if (path.mount->flags().has(abi::MountFlag::kMS_NODEV) ||
          !inode.filesystem().honours_devices()) {
        return Errno::kEACCES;
      }
      break;
    case abi::kS_IFIFO:
      // Its other end would be a program of the host.
      if (!inode.filesystem().honours_devices()) return Errno::kENXIO;
      break;
    case abi::kS_IFREG:
      if (write && path.mount->read_only()) return Errno::kEROFS;
      break;
    default:
      break;
  }
  TRY(check_access(*task.credentials, inode, wanted_access(flags)));
  if (flags.has(OpenFlag::kO_NOATIME)) TRY(check_owner(*task.credentials, inode));
  return {};
}

Result<RefPtr<File>> finish(Task& task, const Path& path, OpenFlags flags, bool created) {
  if (flags.has(OpenFlag::kO_DIRECTORY) && !path.inode().is_directory()) return Errno::kENOTDIR;
  if (!created) TRY(may_open(task, path, flags));
  RefPtr<File> file = TRY(open_path(task, path, flags));
  Inode& inode = path.inode();
  if (flags.has(OpenFlag::kO_TRUNC) && !created && inode.is_regular()) {
    AttributeChange change;
    change.size = 0;
    change.permissions = permissions_after_write(task, inode);
    KernelLock::HeldFor guard(inode.locking());
    TRY(inode.set_attributes(change));
    notify(*path.dentry, kIN_MODIFY);
  }
  notify(*path.dentry, kIN_OPEN);
  return file;
}

Result<RefPtr<File>> open_existing(Task& task, Fd directory, std::string_view path, OpenFlags flags,
                                   abi::ResolveFlags restrictions) {
  PathWalker walker(task, restrictions);
  TRY(walker.begin(directory, path));
  TRY(walker.walk(!flags.has(OpenFlag::kO_NOFOLLOW)));
  const Path& found = walker.path();
  if (!flags.has(OpenFlag::kO_PATH)) return finish(task, found, flags, false);
  if (flags.has(OpenFlag::kO_DIRECTORY) && !found.inode().is_directory()) return Errno::kENOTDIR;
  RefPtr<File> file = make_ref<PathFile>();
  file->initialise(found, flags);
  return file;
}

Result<RefPtr<File>> open_or_create(Task& task, Fd directory, std::string_view path,
                                    OpenFlags flags, u32 mode, abi::ResolveFlags restrictions) {
  PathWalker walker(task, restrictions);
  TRY(walker.begin(directory, path));
  const bool exclusive = flags.has(OpenFlag::kO_EXCL);
  for (bool looked_again = false;;) {
    TRY(walker.walk_to_parent());
    if (walker.last().empty() || walker.last_is_dots()) {
      return exclusive ? Errno::kEEXIST : Errno::kEISDIR;
    }
    if (walker.trailing_slash()) return Errno::kEISDIR;
    RefPtr<Dentry> dentry = TRY(walker.look_up_last());
    if (dentry->is_negative()) {
      const Path& parent = walker.path();
      SleepLock::Held entries;
      TRY(entries.lock_killable(task, parent.inode().entries_lock));
      dentry = TRY(kernel().dentries.lookup(*parent.dentry, walker.last()));
      if (dentry->is_negative()) {
        TRY(may_create(task, parent));
        const u32 kind = abi::kS_IFREG | (mode & abi::kS_IALLUGO);
        auto made = create(task, parent, *dentry, new_inode(task, parent.inode(), kind));
        entries.unlock();
        if (made.is(Errno::kEEXIST) && !exclusive && !looked_again) {
          // A host program made it on a drive, or there is a name that differs only in case.
          looked_again = true;
          kernel().dentries.forget(*dentry);
          TRY(walker.begin(directory, path));
          continue;
        }
        TRY(std::move(made));
        return finish(task, Path{parent.mount, std::move(dentry)}, flags, true);
      }
    }
    if (exclusive) return Errno::kEEXIST;
    if (dentry->inode()->is_symlink()) {
      if (flags.has(OpenFlag::kO_NOFOLLOW)) return Errno::kELOOP;
      if (TRY(walker.follow_last(*dentry))) break;
      continue;
    }
    TRY(walker.enter(*dentry));
    break;
  }
  if (walker.inode().is_directory()) return Errno::kEISDIR;
  return finish(task, walker.path(), flags, false);
}

Result<RefPtr<File>> open_temporary(Task& task, Fd directory, std::string_view path,
                                    OpenFlags flags, u32 mode, abi::ResolveFlags restrictions) {
  const Path parent =
      TRY(resolve(task, directory, path, Walk::kFollow | Walk::kDirectory, restrictions));
  TRY(may_create(task, parent));
  KernelLock::HeldFor guard(parent.inode().locking());
  const u32 kind = abi::kS_IFREG | (mode & abi::kS_IALLUGO);
  RefPtr<Inode> inode = TRY(parent.inode().create_unnamed(new_inode(task, parent.inode(), kind)));
  TextBuilder name;
  name << '#' << inode->number();
  const Path unnamed{parent.mount, DentryCache::unnamed(*parent.dentry, name.view(), inode)};
  return finish(task, unnamed, flags.without(OpenFlag::kO_TMPFILE), true);
}

}  // namespace

Result<RefPtr<File>> open(Task& task, Fd directory, std::string_view path, OpenFlags flags,
                          u32 mode, abi::ResolveFlags restrictions) {
  flags = TRY(normalise(flags));
  if (is_temporary(flags)) {
    return open_temporary(task, directory, path, flags, mode, restrictions);
  }
  if (flags.has(OpenFlag::kO_CREAT)) {
    return open_or_create(task, directory, path, flags, mode, restrictions);
  }
  return open_existing(task, directory, path, flags, restrictions);
}

Result<RefPtr<File>> open_path(Task& task, const Path& path, OpenFlags flags) {
  Inode& inode = path.inode();
  KernelLock::HeldFor guard(inode.locking());
  RefPtr<File> file;
  bool writes = false;
  ScopeExit refused([&] {
    if (writes) inode.end_writing();
  });
  // What has no name in the tree, and is no pipe, is none of the kernel's devices and FIFOs.
  const bool is_own = inode.filesystem().magic() == abi::kANON_INODE_FS_MAGIC && !inode.fifo;
  switch (is_own ? abi::kS_IFREG : inode.type()) {
    case abi::kS_IFCHR:
    case abi::kS_IFBLK:
      file = TRY(open_device(task, path, flags));
      break;
    case abi::kS_IFIFO:
      file = TRY(open_fifo(task, path, flags));
      break;
    case abi::kS_IFSOCK:
      return Errno::kENXIO;
    default:
      writes = inode.is_regular() && wants_write(flags);
      if (writes && !inode.begin_writing()) {
        writes = false;
        return Errno::kETXTBSY;
      }
      file = TRY(inode.open(task, flags));
  }
  if (!file->path()) file->initialise(path, flags);
  return file;
}

Result<RefPtr<File>> open_device(Task& task, const Path& path, OpenFlags flags) {
  const Inode& inode = path.inode();
  const u32 major = abi::dev_major(inode.rdev()), minor = abi::dev_minor(inode.rdev());
  auto drives = [&](const devices::Driver& driver) {
    return driver.major == major && driver.first_minor <= minor && minor <= driver.last_minor;
  };
  if (inode.type() != abi::kS_IFCHR) return Errno::kENXIO;
  if (drives(devices::kMemoryDevices)) return devices::kMemoryDevices.open(task, minor, flags);
  for (const devices::Driver& driver : devices::kTtyDevices) {
    if (drives(driver)) return driver.open(task, minor, flags);
  }
  return Errno::kENXIO;
}

std::optional<u32> permissions_after_write(Task& task, const Inode& inode) {
  const u32 mode = inode.mode();
  u32 kept = mode;
  if (mode & abi::kS_ISUID) kept &= ~abi::kS_ISUID;
  if ((mode & abi::kS_ISGID) && (mode & abi::kS_IXGRP)) kept &= ~abi::kS_ISGID;
  if (kept == mode || !inode.is_regular() || task.has_capability(abi::kCAP_FSETID)) return {};
  return kept & abi::kS_IALLUGO;
}

}  // namespace lxss::vfs
