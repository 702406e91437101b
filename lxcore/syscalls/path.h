// System calls of the group "path": what is named by a path, and the tree of names.
#pragma once

#include "abi/linux/mount.h"
#include "abi/linux/xattr.h"
#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

// status.cc
Result<> stat(UnlockedTask task, UserString path, UserOut<abi::Stat> out);
Result<> lstat(UnlockedTask task, UserString path, UserOut<abi::Stat> out);
Result<> fstat(UnlockedTask task, Fd fd, UserOut<abi::Stat> out);
Result<> newfstatat(UnlockedTask task, Fd directory, UserString path, UserOut<abi::Stat> out,
                    abi::AtFlags flags);
Result<> statx(UnlockedTask task, Fd directory, UserString path, abi::AtFlags flags,
               abi::StatxMasks mask, UserOut<abi::Statx> out);
Result<> statfs(UnlockedTask task, UserString path, UserOut<abi::Statfs> out);
Result<> fstatfs(UnlockedTask task, Fd fd, UserOut<abi::Statfs> out);
Result<> access(UnlockedTask task, UserString path, i32 mode);
Result<> faccessat(UnlockedTask task, Fd directory, UserString path, i32 mode);
Result<> faccessat2(UnlockedTask task, Fd directory, UserString path, i32 mode, abi::AtFlags flags);

// names.cc
Result<> mkdir(UnlockedTask task, UserString path, u32 mode);
Result<> mkdirat(UnlockedTask task, Fd directory, UserString path, u32 mode);
Result<> mknod(UnlockedTask task, UserString path, u32 mode, u32 device);
Result<> mknodat(UnlockedTask task, Fd directory, UserString path, u32 mode, u32 device);
Result<> link(UnlockedTask task, UserString old_path, UserString new_path);
Result<> linkat(UnlockedTask task, Fd old_directory, UserString old_path, Fd new_directory,
                UserString new_path, abi::AtFlags flags);
Result<> symlink(UnlockedTask task, UserString target, UserString path);
Result<> symlinkat(UnlockedTask task, UserString target, Fd directory, UserString path);
Result<> unlink(UnlockedTask task, UserString path);
Result<> unlinkat(UnlockedTask task, Fd directory, UserString path, abi::AtFlags flags);
Result<> rmdir(UnlockedTask task, UserString path);
Result<> rename(UnlockedTask task, UserString old_path, UserString new_path);
Result<> renameat(UnlockedTask task, Fd old_directory, UserString old_path, Fd new_directory,
                  UserString new_path);
Result<> renameat2(UnlockedTask task, Fd old_directory, UserString old_path, Fd new_directory,
                   UserString new_path, abi::RenameFlags flags);
Result<usize> readlink(UnlockedTask task, UserString path, UserOut<char> buffer, i32 size);
Result<usize> readlinkat(UnlockedTask task, Fd directory, UserString path, UserOut<char> buffer,
                         i32 size);

// attributes.cc
Result<> chmod(UnlockedTask task, UserString path, u32 mode);
Result<> fchmod(UnlockedTask task, Fd fd, u32 mode);
Result<> fchmodat(UnlockedTask task, Fd directory, UserString path, u32 mode);
Result<> fchmodat2(UnlockedTask task, Fd directory, UserString path, u32 mode, abi::AtFlags flags);
Result<> chown(UnlockedTask task, UserString path, u32 uid, u32 gid);
Result<> lchown(UnlockedTask task, UserString path, u32 uid, u32 gid);
Result<> fchown(UnlockedTask task, Fd fd, u32 uid, u32 gid);
Result<> fchownat(UnlockedTask task, Fd directory, UserString path, u32 uid, u32 gid,
                  abi::AtFlags flags);
Result<> utime(UnlockedTask task, UserString path, UserIn<abi::Utimbuf> times);
Result<> utimes(UnlockedTask task, UserString path, UserIn<abi::Timeval> times);
Result<> futimesat(UnlockedTask task, Fd directory, UserString path, UserIn<abi::Timeval> times);
Result<> utimensat(UnlockedTask task, Fd directory, UserString path, UserIn<abi::Timespec> times,
                   abi::AtFlags flags);

// working_directory.cc
Result<> chdir(UnlockedTask task, UserString path);
Result<> fchdir(UnlockedTask task, Fd fd);
Result<usize> getcwd(UnlockedTask task, UserOut<char> buffer, usize size);
Result<> chroot(UnlockedTask task, UserString path);
Result<u32> umask(UnlockedTask task, u32 mask);

// xattr.cc
Result<> setxattr(UnlockedTask task, UserString path, UserString name, UserIn<char> value,
                  usize size, abi::XattrFlags flags);
Result<> lsetxattr(UnlockedTask task, UserString path, UserString name, UserIn<char> value,
                   usize size, abi::XattrFlags flags);
Result<> fsetxattr(UnlockedTask task, Fd fd, UserString name, UserIn<char> value, usize size,
                   abi::XattrFlags flags);
Result<usize> getxattr(UnlockedTask task, UserString path, UserString name, UserOut<char> value,
                       usize size);
Result<usize> lgetxattr(UnlockedTask task, UserString path, UserString name, UserOut<char> value,
                        usize size);
Result<usize> fgetxattr(UnlockedTask task, Fd fd, UserString name, UserOut<char> value, usize size);
Result<usize> listxattr(UnlockedTask task, UserString path, UserOut<char> list, usize size);
Result<usize> llistxattr(UnlockedTask task, UserString path, UserOut<char> list, usize size);
Result<usize> flistxattr(UnlockedTask task, Fd fd, UserOut<char> list, usize size);
Result<> removexattr(UnlockedTask task, UserString path, UserString name);
Result<> lremovexattr(UnlockedTask task, UserString path, UserString name);
Result<> fremovexattr(UnlockedTask task, Fd fd, UserString name);

// mount.cc
Result<> mount(Task& task, UserString source, UserString target, UserString type,
               abi::MountFlags flags, UserString data);
Result<> umount2(Task& task, UserString target, abi::UmountFlags flags);
Result<> name_to_handle_at(Task& task, Fd directory, UserString path,
                           UserInOut<abi::FileHandle> handle, UserOut<i32> mount_id, i32 flags);

}  // namespace lxss::sys
