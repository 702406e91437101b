// Open file descriptions (man 2 open), and where a task stands in the tree.
#pragma once

#include <memory>
#include <vector>

#include "abi/linux/dirent.h"
#include "lxcore/mm/user_memory.h"
#include "lxcore/sync/wait_queue.h"
#include "lxcore/vfs/mount.h"

namespace lxss {

namespace net {
class Socket;
}
class Credentials;
class EpollItem;
class Process;
struct EpollWatchTag;

/// Receives directory entries; false when it takes no more.
class DirectorySink {
 public:
  virtual ~DirectorySink() = default;
  /// `next_offset` is the position behind this entry; `type` an abi::kDT_*.
  virtual bool add(std::string_view name, u64 inode, u8 type, u64 next_offset) = 0;
};

/// Registers a waiter with the queues that a File's readiness depends on.
class PollRegistration {
 public:
  virtual ~PollRegistration() = default;
  /// `queue` exists as long as the File. Any lock of the File may be held.
  virtual void on(WaitQueue& queue) = 0;
};

/// What the host maps for a mmap of a File.
struct MapSource {
  host::Fd fd = host::kNoFd;    ///< borrowed from the File; kNoFd maps anonymous memory
  bool shared_writable = true;  ///< false: a shared mapping that can write is EPERM (seals)
};

/// The epoll sets that watch a File (ipc/epoll_set.h). They forget it before it goes.
class EpollWatches {
 public:
  EpollWatches();
  ~EpollWatches();
  void add(EpollItem& item);
  void remove(EpollItem& item);
  /// Of a File without references, while it is whole.
  void leave() {
    if (any_.load(std::memory_order_relaxed)) [[unlikely]]
      leave_all();
  }

 private:
  void leave_all();

  Lock lock_{LockRank::kWatches};
  List<EpollItem, EpollWatchTag> items_ LXSS_GUARDED_BY(lock_);
  std::atomic<bool> any_{false};  ///< written under lock_; who adds has a reference to the File
};

/// An open file description (man 2 open). Its operations are called without any lock if it has its
/// own; otherwise under the kernel lock, which those that may take long give up themselves.
class File : public RefCounted {
 public:
  explicit File(Locking locking = Locking::kKernel) : locking_(locking) {}
  ~File() override;

  Locking locking() const { return locking_; }

  const Path& path() const { return path_; }
  Inode& inode() const { return path_.inode(); }
  bool has_inode() const { return path_.dentry && path_.dentry->inode(); }
  abi::OpenFlags flags() const { return flags_.load(std::memory_order_relaxed); }
  /// Changes status flags (F_SETFL): O_APPEND, O_NONBLOCK, O_DIRECT, O_NOATIME, O_ASYNC.
  void set_status_flags(abi::OpenFlags flags) { flags_.store(flags, std::memory_order_relaxed); }
  void change_status_flags(abi::OpenFlags without, abi::OpenFlags with) {
    abi::OpenFlags old = flags();
    while (!flags_.compare_exchange_weak(old, old.without(without) | with)) {
    }
  }
  bool readable() const { return (flags().raw() & abi::kO_ACCMODE) != 1 && !is_path_only(); }
  bool writable() const { return (flags().raw() & abi::kO_ACCMODE) != 0 && !is_path_only(); }
  bool nonblocking() const { return flags().has(abi::OpenFlag::kO_NONBLOCK); }
  bool is_path_only() const { return flags().has(abi::OpenFlag::kO_PATH); }

  /// Called once by the VFS before the File is seen by anyone.
  void initialise(Path path, abi::OpenFlags flags);

  /// True for files with a position; read and write get it, others get null.
  virtual bool seekable() const { return false; }
  /// True if others move the position too, so that it is not kept here: read and write at the
  /// position get null, as if not seekable (the launcher's files; tty/host_stream.h).
  virtual bool position_is_shared() const { return false; }
  /// Bytes transferred; 0 at the end. EAGAIN when it would block and `nonblocking`.
  /// `offset` is read, not advanced.
  virtual Result<usize> read(Task&, IoBuffer&, u64* /*offset*/) { return Errno::kEINVAL; }
  virtual Result<usize> write(Task&, IoBuffer&, u64* /*offset*/) { return Errno::kEINVAL; }
  /// The new position. The default knows SEEK_SET, SEEK_CUR, and SEEK_END by attributes().
  virtual Result<u64> seek(i64 offset, i32 whence);
  /// Lists from position `offset`, 0 being the beginning. The file system emits "." and "..",
  /// first. What is listed elsewhere meanwhile is listed once or not at all; nothing else twice.
  virtual Result<> read_directory(Task&, u64 /*offset*/, DirectorySink&) { return Errno::kENOTDIR; }
  /// What is ready now. With `registration`, also where to wait for changes.
  virtual PollEvents poll(PollRegistration*);
  /// For files whose readiness only the host knows: its descriptor, to be waited for there. Its
  /// readiness is the File's, and no queue tells of it; unless the File has events of its own too.
  virtual host::Fd host_poll_fd() const { return host::kNoFd; }
  virtual bool has_own_events() const { return host_poll_fd() == host::kNoFd; }
  virtual Result<u64> ioctl(Task&, u32 /*request*/, u64 /*argument*/) { return Errno::kENOTTY; }
  /// fcntl commands of its own kind: F_SETPIPE_SZ, F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS.
  virtual Result<u64> control(Task&, i32 /*command*/, u64 /*argument*/) { return Errno::kEINVAL; }
  virtual Result<MapSource> map() { return Errno::kENODEV; }
  virtual Result<> sync(bool /*data_only*/) { return Errno::kEINVAL; }
  virtual Result<> truncate(u64 /*size*/) { return Errno::kEINVAL; }
  virtual Result<> allocate(i32 /*mode*/, u64 /*offset*/, u64 /*length*/) { return Errno::kENODEV; }
  /// Each time a descriptor for it is closed; not only the last. Called by FdTable.
  virtual void descriptor_closed(Process&) {}
  /// Text lines for /proc/PID/fdinfo besides pos, flags and mnt_id.
  virtual std::string fdinfo() { return {}; }
  /// Itself, if it is a socket (net/socket.h).
  virtual net::Socket* as_socket() { return nullptr; }
  /// The path shown when there is no name in the tree: "pipe:[12]", "socket:[7]".
  virtual std::string description() { return {}; }

  /// Position of seekable files and directories; hold `position_lock` across its use.
  u64 position = 0;
  SleepLock position_lock;
  EpollWatches epoll_watches;
  /// Tells classes of Files apart: the address of the class's kKind (see file_as).
  virtual const void* kind() const { return nullptr; }

  // F_SETOWN, F_SETSIG: under the kernel lock.
  i32 owner = 0;  ///< pid, or -pgid
  i32 owner_signal = 0;

 protected:
  void last_unref() override;

 private:
  Path path_;
  std::atomic<abi::OpenFlags> flags_;
  Locking locking_;
};

/// `file` as a T, or null if it is of another class. T has a `static constexpr char kKind` whose
/// address its kind() returns.
template <typename T>
T* file_as(File& file) {
  return file.kind() == &T::kKind ? static_cast<T*>(&file) : nullptr;
}

/// Root, working directory and umask (CLONE_FS).
class FsContext final : public RefCounted {
 public:
  PublishedPath root;
  PublishedPath working_directory;
  std::atomic<u32> umask{022};
  RefPtr<FsContext> duplicate() const;
};

}  // namespace lxss
