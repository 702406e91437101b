// Making, removing, moving and reading names.
#include "lxcore/kernel.h"
#include "lxcore/syscalls/path.h"
#include "lxcore/syscalls/path_argument.h"
#include "lxcore/vfs/namespace.h"

namespace lxss::sys {

using abi::AtFlag;
using vfs::Walk;

namespace {

constexpr Fd kWorkingDirectory{abi::kAT_FDCWD};

/// A device number as mknod(2) carries it.
u64 from_user_device(u32 device) {
  return abi::make_dev((device & 0xfff00) >> 8, (device & 0xff) | ((device >> 12) & 0xfff00));
}

}  // namespace

Result<> mkdir(UnlockedTask task, UserString path, u32 mode) {
  return mkdirat(task, kWorkingDirectory, path, mode);
}

Result<> mkdirat(UnlockedTask task, Fd directory, UserString path, u32 mode) {
  TRY_PATH(text, path);
  return vfs::make_directory(task, directory, text, mode);
}

Result<> mknod(UnlockedTask task, UserString path, u32 mode, u32 device) {
  return mknodat(task, kWorkingDirectory, path, mode, device);
}

Result<> mknodat(UnlockedTask task, Fd directory, UserString path, u32 mode, u32 device) {
  u64 number = 0;
  mode &= abi::kS_IFMT | abi::kS_IALLUGO;
  switch (mode & abi::kS_IFMT) {
    case 0:
      mode |= abi::kS_IFREG;
      break;
    case abi::kS_IFREG:
    case abi::kS_IFIFO:
    case abi::kS_IFSOCK:
      break;
    case abi::kS_IFCHR:
    case abi::kS_IFBLK:
      number = from_user_device(device);
      break;
    case abi::kS_IFDIR:
      return Errno::kEPERM;
    default:
      return Errno::kEINVAL;
  }
  TRY_PATH(text, path);
  TRY(vfs::make_node(task, directory, text, mode, number));
  return {};
}

Result<> link(UnlockedTask task, UserString old_path, UserString new_path) {
  return linkat(task, kWorkingDirectory, old_path, kWorkingDirectory, new_path, {});
}

Result<> linkat(UnlockedTask task, Fd old_directory, UserString old_path, Fd new_directory,
                UserString new_path, abi::AtFlags flags) {
  if (!flags.within(AtFlag::kAT_SYMLINK_FOLLOW | AtFlag::kAT_EMPTY_PATH)) return Errno::kEINVAL;
  TRY_PATH(from, old_path);
  TRY_PATH(to, new_path);
  vfs::WalkFlags walk;
  if (flags.has(AtFlag::kAT_SYMLINK_FOLLOW)) walk |= Walk::kFollow;
  if (flags.has(AtFlag::kAT_EMPTY_PATH)) {
    // Linux: whoever may search everything may name any descriptor.
    if (from.view().empty() && !task->has_capability(abi::kCAP_DAC_READ_SEARCH)) {
      return Errno::kENOENT;
    }
    walk |= Walk::kEmptyPath;
  }
  const Path target = TRY(vfs::resolve(task, old_directory, from, walk));
  return vfs::link(task, target, new_directory, to);
}

Result<> symlink(UnlockedTask task, UserString target, UserString path) {
  return symlinkat(task, target, kWorkingDirectory, path);
}

Result<> symlinkat(UnlockedTask task, UserString target, Fd directory, UserString path) {
  TRY_PATH(to, target);
  TRY_PATH(text, path);
  return vfs::make_symlink(task, to, directory, text);
}

Result<> unlink(UnlockedTask task, UserString path) {
  TRY_PATH(text, path);
  return vfs::unlink(task, kWorkingDirectory, text);
}

Result<> unlinkat(UnlockedTask task, Fd directory, UserString path, abi::AtFlags flags) {
  if (!flags.within(AtFlag::kAT_REMOVEDIR)) return Errno::kEINVAL;
  TRY_PATH(text, path);
  if (flags.has(AtFlag::kAT_REMOVEDIR)) return vfs::remove_directory(task, directory, text);
  return vfs::unlink(task, directory, text);
}

Result<> rmdir(UnlockedTask task, UserString path) {
  TRY_PATH(text, path);
  return vfs::remove_directory(task, kWorkingDirectory, text);
}

Result<> rename(UnlockedTask task, UserString old_path, UserString new_path) {
  return renameat2(task, kWorkingDirectory, old_path, kWorkingDirectory, new_path, {});
}

Result<> renameat(UnlockedTask task, Fd old_directory, UserString old_path, Fd new_directory,
                  UserString new_path) {
  return renameat2(task, old_directory, old_path, new_directory, new_path, {});
}

Result<> renameat2(UnlockedTask task, Fd old_directory, UserString old_path, Fd new_directory,
                   UserString new_path, abi::RenameFlags flags) {
  TRY_PATH(from, old_path);
  TRY_PATH(to, new_path);
  return vfs::rename(task, old_directory, from, new_directory, to, flags);
}

Result<usize> readlink(UnlockedTask task, UserString path, UserOut<char> buffer, i32 size) {
  return readlinkat(task, kWorkingDirectory, path, buffer, size);
}

Result<usize> readlinkat(UnlockedTask task, Fd directory, UserString path, UserOut<char> buffer,
                         i32 size) {
  if (size <= 0) return Errno::kEINVAL;
  TRY_PATH(text, path);
  const Path at = TRY(vfs::resolve(task, directory, text, Walk::kEmptyPath));
  RefPtr<Inode> inode(at.inode());
  if (!inode->is_symlink()) return text.view().empty() ? Errno::kENOENT : Errno::kEINVAL;
  std::string target;
  {
    KernelLock::HeldFor guard(inode->locking());
    target = TRY(inode->read_link());
  }
  const usize length = std::min<usize>(target.size(), static_cast<usize>(size));
  TRY(copy_out(buffer.address, target.data(), length));
  return length;
}

}  // namespace lxss::sys
