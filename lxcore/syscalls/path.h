// System calls of the group "path": what is named by a path, and the tree of names.
#pragma once

#include "abi/linux/mount.h"
#include "abi/linux/xattr.h"
#include "lxcore/syscalls/arguments.h"

namespace lxss::sys {

// status.cc
Result<> stat(Task& task, UserString path, UserOut<abi::Stat> out);
Result<> lstat(Task& task, UserString path, UserOut<abi::Stat> out);
Result<> fstat(Task& task, Fd fd, UserOut<abi::Stat> out);
Result<> newfstatat(Task& task, Fd directory, UserString path, UserOut<abi::Stat> out,
                    abi::AtFlags flags);
Result<> statx(Task& task, Fd directory, UserString path, abi::AtFlags flags, abi::StatxMasks mask,
               UserOut<abi::Statx> out);
Result<> statfs(Task& task, UserString path, UserOut<abi::Statfs> out);
Result<> fstatfs(Task& task, Fd fd, UserOut<abi::Statfs> out);
Result<> access(Task& task, UserString path, i32 mode);
Result<> faccessat(Task& task, Fd directory, UserString path, i32 mode);
Result<> faccessat2(Task& task, Fd directory, UserString path, i32 mode, abi::AtFlags flags);

// names.cc
Result<> mkdir(Task& task, UserString path, u32 mode);
Result<> mkdirat(Task& task, Fd directory, UserString path, u32 mode);
Result<> mknod(Task& task, UserString path, u32 mode, u32 device);
Result<> mknodat(Task& task, Fd directory, UserString path, u32 mode, u32 device);
Result<> link(Task& task, UserString old_path, UserString new_path);
Result<> linkat(Task& task, Fd old_directory, UserString old_path, Fd new_directory,
                UserString new_path, abi::AtFlags flags);
Result<> symlink(Task& task, UserString target, UserString path);
Result<> symlinkat(Task& task, UserString target, Fd directory, UserString path);
Result<> unlink(Task& task, UserString path);
Result<> unlinkat(Task& task, Fd directory, UserString path, abi::AtFlags flags);
Result<> rmdir(Task& task, UserString path);
Result<> rename(Task& task, UserString old_path, UserString new_path);
Result<> renameat(Task& task, Fd old_directory, UserString old_path, Fd new_directory,
                  UserString new_path);
Result<> renameat2(Task& task, Fd old_directory, UserString old_path, Fd new_directory,
                   UserString new_path, abi::RenameFlags flags);
Result<usize> readlink(Task& task, UserString path, UserOut<char> buffer, i32 size);
Result<usize> readlinkat(Task& task, Fd directory, UserString path, UserOut<char> buffer, i32 size);

// attributes.cc
Result<> chmod(Task& task, UserString path, u32 mode);
Result<> fchmod(Task& task, Fd fd, u32 mode);
Result<> fchmodat(Task& task, Fd directory, UserString path, u32 mode);
Result<> fchmodat2(Task& task, Fd directory, UserString path, u32 mode, abi::AtFlags flags);
Result<> chown(Task& task, UserString path, u32 uid, u32 gid);
Result<> lchown(Task& task, UserString path, u32 uid, u32 gid);
Result<> fchown(Task& task, Fd fd, u32 uid, u32 gid);
Result<> fchownat(Task& task, Fd directory, UserString path, u32 uid, u32 gid, abi::AtFlags flags);
Result<> utime(Task& task, UserString path, UserIn<abi::Utimbuf> times);
Result<> utimes(Task& task, UserString path, UserIn<abi::Timeval> times);
Result<> futimesat(Task& task, Fd directory, UserString path, UserIn<abi::Timeval> times);
Result<> utimensat(Task& task, Fd directory, UserString path, UserIn<abi::Timespec> times,
                   abi::AtFlags flags);

// working_directory.cc
Result<> chdir(Task& task, UserString path);
Result<> fchdir(Task& task, Fd fd);
Result<usize> getcwd(Task& task, UserOut<char> buffer, usize size);
Result<> chroot(Task& task, UserString path);
Result<u32> umask(Task& task, u32 mask);

// xattr.cc
Result<> setxattr(Task& task, UserString path, UserString name, UserIn<char> value, usize size,
                  abi::XattrFlags flags);
Result<> lsetxattr(Task& task, UserString path, UserString name, UserIn<char> value, usize size,
                   abi::XattrFlags flags);
Result<> fsetxattr(Task& task, Fd fd, UserString name, UserIn<char> value, usize size,
                   abi::XattrFlags flags);
Result<usize> getxattr(Task& task, UserString path, UserString name, UserOut<char> value,
                       usize size);
Result<usize> lgetxattr(Task& task, UserString path, UserString name, UserOut<char> value,
                        usize size);
Result<usize> fgetxattr(Task& task, Fd fd, UserString name, UserOut<char> value, usize size);
Result<usize> listxattr(Task& task, UserString path, UserOut<char> list, usize size);
Result<usize> llistxattr(Task& task, UserString path, UserOut<char> list, usize size);
Result<usize> flistxattr(Task& task, Fd fd, UserOut<char> list, usize size);
Result<> removexattr(Task& task, UserString path, UserString name);
Result<> lremovexattr(Task& task, UserString path, UserString name);
Result<> fremovexattr(Task& task, Fd fd, UserString name);

// mount.cc
Result<> mount(Task& task, UserString source, UserString target, UserString type,
               abi::MountFlags flags, UserString data);
Result<> umount2(Task& task, UserString target, abi::UmountFlags flags);
Result<> name_to_handle_at(Task& task, Fd directory, UserString path,
                           UserInOut<abi::FileHandle> handle, UserOut<i32> mount_id, i32 flags);

}  // namespace lxss::sys
