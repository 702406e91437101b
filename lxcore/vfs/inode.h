// The interface between the VFS and a file system: Inode and FileSystem.
//
// All of it runs under the kernel lock. What makes, removes or renames directory entries does not
// give the lock up between its own checks and its effect: the VFS relies on names staying as they
// are across one operation. Lookups, data and attributes may. The VFS has checked permissions, name
// lengths (at most 255 bytes, never empty, "." or ".."), mount flags and that
// source and target are in one file system before it calls an inode; the file
// system checks what only it can know (existence, emptiness, space).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "abi/linux/xattr.h"
#include "base/ref_ptr.h"
#include "base/result.h"
#include "lxcore/mm/inode_text.h"
#include "lxcore/sync/wait_queue.h"

namespace lxss {

class File;
class FileSystem;
class FileLocks;
class Task;
struct Path;

/// What stat reports, except the device.
struct Attributes {
  u64 number = 0;
  u32 mode = 0;
  u32 links = 1;
  u32 uid = 0, gid = 0;
  u64 rdev = 0;  ///< abi::make_dev encoding
  u64 size = 0;
  u64 blocks = 0;  ///< of 512 bytes
  u32 block_size = 4096;
  abi::Timespec accessed{}, modified{}, changed{}, created{};
};

/// The fields to set; times may hold kUTIME_NOW. ctime follows by itself.
struct AttributeChange {
  std::optional<u32> permissions;  ///< the low 12 bits of the mode
  std::optional<u32> uid, gid;
  std::optional<u64> size;
  std::optional<abi::Timespec> accessed, modified;
};

/// What a new inode shall be.
struct NewInode {
  u32 mode = 0;  ///< type and permissions, umask applied
  u32 uid = 0, gid = 0;
  u64 rdev = 0;
  std::string_view symlink_target;
};

class Inode : public RefCounted {
 public:
  Inode(FileSystem& filesystem, u64 number, u32 mode, u32 uid, u32 gid, u64 rdev = 0)
      : filesystem_(&filesystem), number_(number), mode_(mode), uid_(uid), gid_(gid), rdev_(rdev) {}
  ~Inode() override;

  FileSystem& filesystem() const { return *filesystem_; }
  u64 number() const { return number_; }
  /// Type and permissions, owner and device number are always current.
  u32 mode() const { return mode_; }
  u32 type() const { return mode_ & abi::kS_IFMT; }
  u32 uid() const { return uid_; }
  u32 gid() const { return gid_; }
  u64 rdev() const { return rdev_; }
  bool is_directory() const { return type() == abi::kS_IFDIR; }
  bool is_symlink() const { return type() == abi::kS_IFLNK; }
  bool is_regular() const { return type() == abi::kS_IFREG; }

  virtual Result<Attributes> attributes() = 0;
  virtual Result<> set_attributes(const AttributeChange&) { return Errno::kEPERM; }

  // Directories. lookup: ENOENT. create: any type, EEXIST.
  virtual Result<RefPtr<Inode>> lookup(std::string_view) { return Errno::kENOTDIR; }
  virtual Result<RefPtr<Inode>> create(std::string_view, const NewInode&) { return Errno::kEPERM; }
  /// O_TMPFILE.
  virtual Result<RefPtr<Inode>> create_unnamed(const NewInode&) { return Errno::kEOPNOTSUPP; }
  virtual Result<> link(std::string_view, Inode& /*target*/) { return Errno::kEPERM; }
  virtual Result<> unlink(std::string_view, Inode& /*victim*/) { return Errno::kEPERM; }
  virtual Result<> remove_directory(std::string_view, Inode& /*victim*/) { return Errno::kEPERM; }
  /// `replaced` is the inode that new_name names now, or null. With kRENAME_EXCHANGE both stay.
  virtual Result<> rename(std::string_view /*name*/, Inode& /*moved*/, Inode& /*new_directory*/,
                          std::string_view /*new_name*/, Inode* /*replaced*/, abi::RenameFlags) {
    return Errno::kEPERM;
  }

  // Symbolic links.
  virtual Result<std::string> read_link() { return Errno::kEINVAL; }
  /// A magic link (/proc/PID/exe, fd/N) leads to a path rather than to a name: true and
  /// `target` set.
  virtual Result<bool> follow(Task&, Path& /*target*/) { return false; }

  /// Makes the open file description's object. Devices, FIFOs and sockets are dispatched by
  /// the VFS and do not reach this. `flags` has O_CREAT, O_EXCL, O_TRUNC dealt with.
  virtual Result<RefPtr<File>> open(Task&, abi::OpenFlags) { return Errno::kENXIO; }

  // Extended attributes; names with namespace. ENODATA, ERANGE, E2BIG, EOPNOTSUPP.
  virtual Result<std::string> get_xattr(std::string_view) { return Errno::kEOPNOTSUPP; }
  virtual Result<> set_xattr(std::string_view, std::string_view, abi::XattrFlags) {
    return Errno::kEOPNOTSUPP;
  }
  virtual Result<> remove_xattr(std::string_view) { return Errno::kEOPNOTSUPP; }
  /// Names, each ended by a NUL.
  virtual Result<std::string> list_xattrs() { return std::string{}; }

  /// False when a cached lookup that gave this inode may no longer be right. Asked only of
  /// file systems whose dentries are not stable.
  virtual bool still_valid() { return true; }
  /// The same, told which directory and name the lookup was for.
  virtual bool still_named(Inode& /*directory*/, std::string_view /*name*/) {
    return still_valid();
  }

  // Kernel objects that belong to the inode, made at first use by their subsystems.
  FileLocks* locks = nullptr;          ///< vfs/locks.cc; freed with the inode
  RefPtr<RefCounted> fifo;             ///< ipc/pipe.cc: its Pipe while the FIFO is open
  RefCounted* bound_socket = nullptr;  ///< net/unix.cc; the socket clears it when it goes
  RefCounted* watches = nullptr;       ///< ipc/inotify.cc; likewise
  InodeText text;                      ///< mm/text.cc: its code, rewritten
  SleepLock write_lock;                ///< held by the VFS across each write to a regular file
  u32 writers = 0;                     ///< open for writing: exec answers ETXTBSY
  u32 executors = 0;                   ///< mapped as a program: open for writing answers ETXTBSY

 protected:
  void set_mode(u32 mode) { mode_ = mode; }
  void set_owner(u32 uid, u32 gid) {
    uid_ = uid;
    gid_ = gid;
  }

 private:
  RefPtr<FileSystem> filesystem_;
  u64 number_;
  u32 mode_, uid_, gid_;
  u64 rdev_;
};

class FileSystem : public RefCounted {
 public:
  /// `type` as in /proc/mounts; `magic` as statfs reports it. Gives itself a device number.
  FileSystem(const char* type, i64 magic);

  const char* type() const { return type_; }
  i64 magic() const { return magic_; }
  u64 device() const { return device_; }
  virtual Result<RefPtr<Inode>> root() = 0;
  virtual Result<abi::Statfs> statistics();
  virtual Result<> sync() { return {}; }
  /// False when names can change behind the VFS's back: every walk asks again.
  virtual bool dentries_are_stable() const { return true; }
  /// False where a device node or a setuid bit on this file system means nothing.
  virtual bool honours_devices() const { return true; }
  /// What /proc/mounts shows besides the mount's own flags, e.g. ",mode=755".
  virtual std::string options() { return {}; }

 private:
  const char* type_;
  i64 magic_;
  u64 device_;
};

}  // namespace lxss
