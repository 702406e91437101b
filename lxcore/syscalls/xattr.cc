// Extended attributes (man 7 xattr).
#include "abi/linux/xattr.h"

#include "lxcore/kernel.h"
#include "lxcore/syscalls/path.h"
#include "lxcore/syscalls/path_argument.h"
#include "lxcore/vfs/notify.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::sys {

namespace {

using vfs::Access;

Result<Path> resolve_path(Task& task, std::string_view path, bool follow) {
  return vfs::resolve(task, Fd{abi::kAT_FDCWD}, path,
                      follow ? vfs::WalkFlags(vfs::Walk::kFollow) : vfs::WalkFlags());
}

Result<Path> path_of(Task& task, Fd fd) {
  RefPtr<File> file = TRY(task.file(fd));
  if (!file->has_inode()) return Errno::kEBADF;
  return file->path();
}

Result<std::string> read_name(UserString from) {
  auto name = from.read(abi::kXATTR_NAME_MAX);
  if (name.is(Errno::kENAMETOOLONG)) return Errno::kERANGE;
  if (name.ok() && name->empty()) return Errno::kERANGE;
  return name;
}

/// The rules of each namespace; `access` is kWrite to change, kRead to look.
Result<> check_name(Task& task, const Inode& inode, std::string_view name, Access access) {
  const bool write = access == Access::kWrite;
  const Credentials& who = *task.credentials;
  // A namespace without a name in it.
  if (name == "user." || name == "trusted." || name == "security.") return Errno::kEINVAL;
  if (name.starts_with("user.")) {
    if (!inode.is_regular() && !inode.is_directory()) {
      return write ? Errno::kEPERM : Errno::kENODATA;
    }
    if (write && inode.is_directory() && (inode.mode() & abi::kS_ISVTX)) {
      TRY(vfs::check_owner(who, inode));
    }
    return vfs::check_access(who, inode, access);
  }
  if (name.starts_with("trusted.")) {
    if (who.has_capability(abi::kCAP_SYS_ADMIN)) return {};
    return write ? Errno::kEPERM : Errno::kENODATA;
  }
  if (name.starts_with("security.")) {
    const u32 needed = name == "security.capability" ? abi::kCAP_SETFCAP : abi::kCAP_SYS_ADMIN;
    return !write || who.has_capability(needed) ? Result<>() : Errno::kEPERM;
  }
  return Errno::kEOPNOTSUPP;  // "system.": no access control lists
}

Result<> set(Task& task, const Path& at, const std::string& name, UserIn<char> from, usize size,
             abi::XattrFlags flags) {
  using abi::XattrFlag;
  if (!flags.within(XattrFlag::kXATTR_CREATE | XattrFlag::kXATTR_REPLACE)) return Errno::kEINVAL;
  if (size > abi::kXATTR_SIZE_MAX) return Errno::kE2BIG;
  std::string value(size, '\0');
  TRY(copy_in(value.data(), from.address, size));
  if (at.mount->read_only()) return Errno::kEROFS;
  RefPtr<Inode> inode(at.inode());
  TRY(check_name(task, *inode, name, Access::kWrite));
  KernelLock::HeldFor guard(inode->locking());
  TRY(inode->set_xattr(name, value, flags));
  vfs::notify(*at.dentry, vfs::kIN_ATTRIB);
  return {};
}

/// A result of which the caller may have asked for the size only.
Result<usize> deliver(std::string_view value, UserOut<char> to, usize size) {
  if (size == 0) return value.size();
  if (value.size() > size) return Errno::kERANGE;
  TRY(copy_out(to.address, value.data(), value.size()));
  return value.size();
}

Result<usize> get(Task& task, const Path& at, const std::string& name, UserOut<char> to,
                  usize size) {
  RefPtr<Inode> inode(at.inode());
  TRY(check_name(task, *inode, name, Access::kRead));
  std::string value;
  {
    KernelLock::HeldFor guard(inode->locking());
    value = TRY(inode->get_xattr(name));
  }
  return deliver(value, to, size);
}

Result<usize> list(Task& task, const Path& at, UserOut<char> to, usize size) {
  RefPtr<Inode> inode(at.inode());
  std::string names;
  {
    KernelLock::HeldFor guard(inode->locking());
    names = TRY(inode->list_xattrs());
  }
  if (!task.has_capability(abi::kCAP_SYS_ADMIN)) {
    // What starts with "trusted." is not for everybody's eyes.
    std::string visible;
    for (usize begin = 0; begin < names.size();) {
      const usize end = names.find('\0', begin) + 1;
      const std::string_view name(names.data() + begin, end - begin);
      if (!name.starts_with("trusted.")) visible += name;
      begin = end;
    }
    names = std::move(visible);
  }
  return deliver(names, to, size);
}

Result<> remove(Task& task, const Path& at, const std::string& name) {
  if (at.mount->read_only()) return Errno::kEROFS;
  RefPtr<Inode> inode(at.inode());
  TRY(check_name(task, *inode, name, Access::kWrite));
  KernelLock::HeldFor guard(inode->locking());
  TRY(inode->remove_xattr(name));
  vfs::notify(*at.dentry, vfs::kIN_ATTRIB);
  return {};
}

Result<> set_at(Task& task, UserString path, bool follow, UserString name, UserIn<char> value,
                usize size, abi::XattrFlags flags) {
  TRY_PATH(text, path);
  const std::string key = TRY(read_name(name));
  return set(task, TRY(resolve_path(task, text, follow)), key, value, size, flags);
}

Result<usize> get_at(Task& task, UserString path, bool follow, UserString name, UserOut<char> value,
                     usize size) {
  TRY_PATH(text, path);
  const std::string key = TRY(read_name(name));
  return get(task, TRY(resolve_path(task, text, follow)), key, value, size);
}

Result<usize> list_at(Task& task, UserString path, bool follow, UserOut<char> names, usize size) {
  TRY_PATH(text, path);
  return list(task, TRY(resolve_path(task, text, follow)), names, size);
}

Result<> remove_at(Task& task, UserString path, bool follow, UserString name) {
  TRY_PATH(text, path);
  const std::string key = TRY(read_name(name));
  return remove(task, TRY(resolve_path(task, text, follow)), key);
}

}  // namespace

Result<> setxattr(UnlockedTask task, UserString path, UserString name, UserIn<char> value,
                  usize size, abi::XattrFlags flags) {
  return set_at(task, path, true, name, value, size, flags);
}

Result<> lsetxattr(UnlockedTask task, UserString path, UserString name, UserIn<char> value,
                   usize size, abi::XattrFlags flags) {
  return set_at(task, path, false, name, value, size, flags);
}

Result<> fsetxattr(UnlockedTask task, Fd fd, UserString name, UserIn<char> value, usize size,
                   abi::XattrFlags flags) {
  const Path at = TRY(path_of(task, fd));
  return set(task, at, TRY(read_name(name)), value, size, flags);
}

Result<usize> getxattr(UnlockedTask task, UserString path, UserString name, UserOut<char> value,
                       usize size) {
  return get_at(task, path, true, name, value, size);
}

Result<usize> lgetxattr(UnlockedTask task, UserString path, UserString name, UserOut<char> value,
                        usize size) {
  return get_at(task, path, false, name, value, size);
}

Result<usize> fgetxattr(UnlockedTask task, Fd fd, UserString name, UserOut<char> value,
                        usize size) {
  const Path at = TRY(path_of(task, fd));
  return get(task, at, TRY(read_name(name)), value, size);
}

Result<usize> listxattr(UnlockedTask task, UserString path, UserOut<char> names, usize size) {
  return list_at(task, path, true, names, size);
}

Result<usize> llistxattr(UnlockedTask task, UserString path, UserOut<char> names, usize size) {
  return list_at(task, path, false, names, size);
}

Result<usize> flistxattr(UnlockedTask task, Fd fd, UserOut<char> names, usize size) {
  return list(task, TRY(path_of(task, fd)), names, size);
}

Result<> removexattr(UnlockedTask task, UserString path, UserString name) {
  return remove_at(task, path, true, name);
}

Result<> lremovexattr(UnlockedTask task, UserString path, UserString name) {
  return remove_at(task, path, false, name);
}

Result<> fremovexattr(UnlockedTask task, Fd fd, UserString name) {
  const Path at = TRY(path_of(task, fd));
  return remove(task, at, TRY(read_name(name)));
}

}  // namespace lxss::sys
