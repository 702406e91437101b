// The interface between the VFS and a file system: Inode and FileSystem.
//
// Operations are called without short locks (or under the kernel lock, see Locking). What makes,
// removes or renames directory entries, and what looks one up, is called with the directory's
// entries_lock held, for a rename with both directories'. Everything else may run at any time. The
// VFS has checked permissions, name lengths (at most 255 bytes, never empty, "." or ".."), mount
// flags and that source and target are in one file system before it calls an inode; the file
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
#include "lxcore/sync/epoch.h"
#include "lxcore/sync/kernel_lock.h"
#include "lxcore/sync/snapshot.h"
#include "lxcore/sync/wait_queue.h"

namespace lxss {

class File;
class FileSystem;
class FileLocks;
class InodeWatches;
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

/// Who may do what with an inode.
struct InodeOwner {
  u32 mode = 0;  ///< type and permissions
  u32 uid = 0, gid = 0;
};

/// Path walks read inodes without counting: their memory is freed by epochs (sync/epoch.h).
class Inode : public RefCounted, public Retirable {
 public:
  Inode(FileSystem& filesystem, u64 number, u32 mode, u32 uid, u32 gid, u64 rdev = 0);
  ~Inode() override;

  FileSystem& filesystem() const { return *filesystem_; }
  Locking locking() const;
  u64 number() const { return number_; }
  /// Type and permissions, owner and device number are always current.
  InodeOwner owner() const {
    InodeOwner result;
    return owner_.read(result) ? result : owner_under_lock();
  }
  u32 mode() const { return owner().mode; }
  u32 type() const { return type_; }
  u32 uid() const { return owner().uid; }
  u32 gid() const { return owner().gid; }
  u64 rdev() const { return rdev_; }
  bool is_directory() const { return type() == abi::kS_IFDIR; }
  bool is_symlink() const { return type() == abi::kS_IFLNK; }
  bool is_regular() const { return type() == abi::kS_IFREG; }

  virtual Result<Attributes> attributes() = 0;
  /// The same for a path walk, which holds no reference: only what is known without a lock or host
  /// call. False if there is more to it.
  virtual bool cached_attributes(Attributes&) const { return false; }
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
  std::atomic<FileLocks*> locks{nullptr};  ///< vfs/locks.cc: made once, freed with the inode
  /// ipc/: of a FIFO its Pipe while it is open, guarded by Kernel::fifos; of a pipe immutable.
  RefPtr<RefCounted> fifo;
  RefCounted* bound_socket = nullptr;  ///< net/: the socket clears it; UnixNamespace::lock
  /// ipc/inotify.cc: made at the first watch, by whoever is first, and there as long as the inode.
  std::atomic<InodeWatches*> watches{nullptr};
  InodeText text;        ///< mm/text.cc: its code, rewritten
  SleepLock write_lock;  ///< held by the VFS across each write to a regular file
  /// Held by the VFS while entries of the directory are made, removed, renamed or looked up.
  SleepLock entries_lock;

  /// Open for writing and mapped as a program exclude each other (ETXTBSY): false if refused.
  bool begin_writing() { return enter(1); }
  void end_writing() { uses_.fetch_sub(1, std::memory_order_release); }
  bool begin_executing() { return enter(-1); }
  void end_executing() { uses_.fetch_add(1, std::memory_order_release); }
  bool has_writers() const { return uses_.load(std::memory_order_acquire) > 0; }

 protected:
  void last_unref() override;
  void free() override;
  /// Without references left: gives up at once what it holds besides its memory.
  virtual void released() {}
  void set_mode(u32 mode);
  void set_owner(u32 uid, u32 gid);
  /// All at once: nobody sees a new owner with the old permissions.
  void set_all(const InodeOwner& owner);
  /// Guards what the inode knows of itself. Readers of snapshots need it only to wait for a writer.
  mutable Lock lock_{LockRank::kInode};

 private:
  bool enter(i32 step);
  InodeOwner owner_under_lock() const;

  RefPtr<FileSystem> filesystem_;
  const u64 number_;
  const u32 type_;
  const u64 rdev_;
  std::atomic<i32> uses_{0};    ///< positive: open for writing; negative: mapped as a program
  Snapshot<InodeOwner> owner_;  ///< written under lock_
};

class FileSystem : public RefCounted {
 public:
  /// `type` as in /proc/mounts; `magic` as statfs reports it. Gives itself a device number.
  FileSystem(const char* type, i64 magic, Locking locking = Locking::kKernel);

  /// Of the file system and its inodes: their operations are called without short locks, or under
  /// the kernel lock.
  Locking locking() const { return locking_; }

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
  Locking locking_;
};

inline Locking Inode::locking() const { return filesystem_->locking(); }

}  // namespace lxss
