// mount and umount2.
#include "lxcore/vfs/mount.h"
#include "lxcore/vfs/vfs.h"

#include "lxcore/kernel.h"
#include "lxcore/syscalls/path.h"
#include "lxcore/syscalls/path_argument.h"
#include "lxcore/vfs/filesystem_types.h"

namespace lxss::sys {

namespace {

using abi::MountFlag;
using abi::MountFlags;

/// Kept with a mount.
constexpr MountFlags kKept = MountFlag::kMS_RDONLY | MountFlag::kMS_NOSUID | MountFlag::kMS_NODEV |
                             MountFlag::kMS_NOEXEC | MountFlag::kMS_SYNCHRONOUS |
                             MountFlag::kMS_DIRSYNC | MountFlag::kMS_NOSYMFOLLOW |
                             MountFlag::kMS_NOATIME | MountFlag::kMS_NODIRATIME |
                             MountFlag::kMS_RELATIME | MountFlag::kMS_STRICTATIME;
constexpr MountFlags kPropagation = MountFlag::kMS_SHARED | MountFlag::kMS_PRIVATE |
                                    MountFlag::kMS_SLAVE | MountFlag::kMS_UNBINDABLE;

MountFlags kept(MountFlags flags) {
  flags &= kKept;
  // As Linux: relatime unless asked otherwise.
  if (!flags.any(MountFlag::kMS_NOATIME | MountFlag::kMS_STRICTATIME)) {
    flags |= MountFlag::kMS_RELATIME;
  }
  return flags;
}

bool is_root_of_mount(const Path& at) { return at.dentry.get() == &at.mount->root(); }

Result<> remount(const Path& at, MountFlags flags) {
  if (!is_root_of_mount(at)) return Errno::kEINVAL;
  at.mount->set_flags(kept(flags));
  return {};
}

Result<> set_propagation(const Path& at, MountFlags flags) {
  if (!is_root_of_mount(at)) return Errno::kEINVAL;
  // There is one name space of mounts, without peers: all are private already.
  const MountFlags asked = flags & kPropagation;
  return asked == MountFlags(MountFlag::kMS_PRIVATE) ? Result<>() : Errno::kEINVAL;
}

/// MS_REC: what is mounted below `from` is bound at the same places below `to`.
Result<> bind_below(const Path& from, const Path& to) {
  struct Below {
    Path root, at;
  };
  std::vector<Below> found;
  for (const RefPtr<Mount>& mount : kernel().mounts.all()) {
    const Path at = mount->mountpoint();
    if (!at || at.mount != from.mount || at.mount == to.mount) continue;
    if (!vfs::is_below(*at.dentry, *from.dentry)) continue;
    found.push_back({Path{mount, RefPtr<Dentry>(mount->root())}, Path{to.mount, at.dentry}});
  }
  for (const Below& each : found) {
    RefPtr<Mount> bound = TRY(vfs::bind(each.root, each.at, each.root.mount->flags()));
    TRY(bind_below(each.root, Path{bound, RefPtr<Dentry>(bound->root())}));
  }
  return {};
}

Result<> bind(Task& task, UserString source, const Path& at, MountFlags flags) {
  TRY_PATH(text, source);
  const Path from = TRY(vfs::resolve(task, Fd{abi::kAT_FDCWD}, text, vfs::Walk::kFollow));
  RefPtr<Mount> bound = TRY(vfs::bind(from, at, from.mount->flags()));
  if (flags.has(MountFlag::kMS_REC)) {
    TRY(bind_below(from, Path{bound, RefPtr<Dentry>(bound->root())}));
  }
  return {};
}

Result<> move(Task& task, UserString source, const Path& to) {
  TRY_PATH(text, source);
  const Path from = TRY(vfs::resolve(task, Fd{abi::kAT_FDCWD}, text, vfs::Walk::kFollow));
  if (!is_root_of_mount(from)) return Errno::kEINVAL;
  return vfs::move_mount(*from.mount, to);
}

}  // namespace

Result<> mount(Task& task, UserString source, UserString target, UserString type, MountFlags flags,
               UserString data) {
  constexpr usize kMaxOptions = kPageSize - 1;
  std::string type_name, source_name, options;
  const bool operates_on_mounts =
      flags.any(MountFlag::kMS_REMOUNT | MountFlag::kMS_BIND | MountFlag::kMS_MOVE | kPropagation);
  if (type && !operates_on_mounts) type_name = TRY(type.read(kMaxOptions));
  if (source && !operates_on_mounts) source_name = TRY(source.read(kMaxOptions));
  if (data && !operates_on_mounts) options = TRY(data.read(kMaxOptions));
  TRY_PATH(text, target);
  const Path at = TRY(vfs::resolve(task, Fd{abi::kAT_FDCWD}, text, vfs::Walk::kFollow));
  if (!task.has_capability(abi::kCAP_SYS_ADMIN)) return Errno::kEPERM;
  if ((flags.raw() & abi::kMS_MGC_MSK) == abi::kMS_MGC_VAL) {
    flags = MountFlags(flags.raw() & ~abi::kMS_MGC_MSK);
  }
  if (flags.has(MountFlag::kMS_REMOUNT)) return remount(at, flags);
  if (flags.has(MountFlag::kMS_BIND)) return bind(task, source, at, flags);
  if (flags.any(kPropagation)) return set_propagation(at, flags);
  if (flags.has(MountFlag::kMS_MOVE)) return move(task, source, at);

  if (!type) return Errno::kEINVAL;
  const FileSystemType* known = filesystem_types::find(type_name);
  if (!known) return Errno::kENODEV;
  if (!at.inode().is_directory()) return Errno::kENOTDIR;
  RefPtr<FileSystem> filesystem = TRY(known->create(options));
  TRY(vfs::mount(std::move(filesystem), at, source_name.empty() ? "none" : source_name,
                 kept(flags)));
  return {};
}

Result<> umount2(Task& task, UserString target, abi::UmountFlags flags) {
  using abi::UmountFlag;
  if (!flags.within(UmountFlag::kMNT_FORCE | UmountFlag::kMNT_DETACH | UmountFlag::kMNT_EXPIRE |
                    UmountFlag::kUMOUNT_NOFOLLOW)) {
    return Errno::kEINVAL;
  }
  TRY_PATH(text, target);
  vfs::WalkFlags walk;
  if (!flags.has(UmountFlag::kUMOUNT_NOFOLLOW)) walk |= vfs::Walk::kFollow;
  Path at = TRY(vfs::resolve(task, Fd{abi::kAT_FDCWD}, text, walk));
  if (!task.has_capability(abi::kCAP_SYS_ADMIN)) return Errno::kEPERM;
  if (!is_root_of_mount(at)) return Errno::kEINVAL;
  if (flags.has(UmountFlag::kMNT_EXPIRE)) {
    // Linux: an expiring mount goes at the second call; here it is in use for ever.
    return flags.any(UmountFlag::kMNT_FORCE | UmountFlag::kMNT_DETACH) ? Errno::kEINVAL
                                                                       : Errno::kEBUSY;
  }
  RefPtr<Mount> mount = at.mount;
  at = {};
  return vfs::unmount(*mount, flags.has(UmountFlag::kMNT_DETACH));
}

Result<> name_to_handle_at(Task&, Fd, UserString, UserInOut<abi::FileHandle>, UserOut<i32>, i32) {
  return Errno::kEOPNOTSUPP;
}

}  // namespace lxss::sys
