// The VFS as the rest of lxcore uses it: walking paths, opening, creating, mounts.
#pragma once

#include "lxcore/vfs/file.h"

namespace lxss::vfs {

/// Bits of access(2).
enum class Access : u32 { kExists = 0, kExecute = 1, kWrite = 2, kRead = 4 };
LXSS_FLAGS(Access)
using AccessMask = Flags<Access>;

enum class Walk : u32 {
  kFollow = 1,     ///< a symbolic link at the end is followed
  kEmptyPath = 2,  ///< "" names the directory descriptor itself
  kDirectory = 4,  ///< ENOTDIR for anything else
};
LXSS_FLAGS(Walk)
using WalkFlags = Flags<Walk>;

inline constexpr u32 kMaxSymlinks = 40;

/// What `path` names, from `directory` (a descriptor or kAT_FDCWD), as `task`. Permission to
/// search is checked. ENOENT, ENOTDIR, ELOOP, EACCES, ENAMETOOLONG, EBADF.
Result<Path> resolve(Task& task, Fd directory, std::string_view path, WalkFlags flags,
                     abi::ResolveFlags restrictions = {});

/// The directory in which the last component of a path is to be found or made.
struct Parent {
  Path directory;
  std::string name;  ///< may be "." or ".."
  bool trailing_slash = false;
};
Result<Parent> resolve_parent(Task& task, Fd directory, std::string_view path);

/// open(2) without the descriptor: resolves, creates, truncates, checks. `mode` is masked by
/// the task's umask here.
Result<RefPtr<File>> open(Task& task, Fd directory, std::string_view path, abi::OpenFlags flags,
                          u32 mode, abi::ResolveFlags restrictions = {});
/// Opens what a path leads to (devices, FIFOs and sockets dispatched; no permission check).
Result<RefPtr<File>> open_path(Task& task, const Path& path, abi::OpenFlags flags);
/// A File that has no name in the tree (pipe, socket, eventfd, ...). `name` is shown as it is if
/// it has a colon or a slash ("anon_inode:[eventfd]"), else with the inode's number: "pipe:[12]".
/// A second File of the same inode is given the first one's path by File::initialise().
void initialise_anonymous(File& file, std::string_view name, u32 mode, abi::OpenFlags flags);

/// At boot: the file system of such files.
void start_anonymous_files();

/// Likewise, with an inode of any file system; `shown` is its path as /proc shows it.
void initialise_unnamed(File& file, std::string_view shown, RefPtr<Inode> inode,
                        abi::OpenFlags flags);

/// Makes a file of any type but directories; also for bind(2) of a UNIX socket. EEXIST.
Result<Path> make_node(Task& task, Fd directory, std::string_view path, u32 mode, u64 rdev);

/// EACCES unless the task's effective ids and capabilities allow all of `mask`; EROFS is the
/// caller's business.
Result<> check_access(const Credentials& credentials, const Inode& inode, AccessMask mask);
/// chown, chmod, utimes: EPERM unless owner or CAP_FOWNER.
Result<> check_owner(const Credentials& credentials, const Inode& inode);

/// Writing, truncating: the permissions without the set-user-ID and set-group-ID bits that it
/// takes away, or nothing if there are none or the task may keep them.
std::optional<u32> permissions_after_write(Task& task, const Inode& inode);

/// Of an inode that the caller holds, as its file system tells them.
Result<Attributes> attributes(Inode& inode);
/// As stat reports it.
Result<abi::Stat> stat(const Path& path);
/// The same of what a path leads to, as resolve() finds it; of what is cached without a lock.
Result<abi::Stat> stat(Task& task, Fd directory, std::string_view path, WalkFlags flags);

/// True if `dentry` is `above` or lies below it in their file system.
bool is_below(const Dentry& dentry, const Dentry& above);

/// The path from the task's root: "/a/b", "/a/b (deleted)", "(unreachable)/x", "pipe:[3]".
std::string path_text(Task& task, const Path& path);

/// The same from the root of its file system.
std::string path_in_filesystem(Dentry& dentry);

/// Mounts `filesystem` on what `at` names (empty `at`: the root of the tree).
Result<RefPtr<Mount>> mount(RefPtr<FileSystem> filesystem, const Path& at, std::string source,
                            abi::MountFlags flags);
/// Opens a character or block device by number. Drivers register in devices.h.
Result<RefPtr<File>> open_device(Task& task, const Path& path, abi::OpenFlags flags);

/// Opens an inode's FIFO (ipc/pipe.cc).
Result<RefPtr<File>> open_fifo(Task& task, const Path& path, abi::OpenFlags flags);

}  // namespace lxss::vfs
