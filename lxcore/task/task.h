// A thread of a guest.
//
// Three owners. What says so belongs to the task: it reads it without a lock, and changes it under
// the kernel lock where others read it too ("read by others"). The rest is guarded by the kernel
// lock or atomic.
#pragma once

#include <array>

#include "abi/linux/time.h"
#include "base/list.h"
#include "lxcore/mm/address_space.h"
#include "lxcore/mm/heap.h"
#include "lxcore/signal/signal_state.h"
#include "lxcore/sync/epoch.h"
#include "lxcore/sync/wait_queue.h"
#include "lxcore/task/credentials.h"
#include "lxcore/task/process_group.h"
#include "lxcore/vfs/fd_table.h"
#include "pico/pico.h"

namespace lxss {

class Process;
struct ThreadTag;
namespace net {
struct FileBatch;
}

class Task final : public RefCounted, public pico::Thread, public ListNode<ThreadTag> {
 public:
  Task();
  ~Task() override;

  /// The caller.
  static Task& current() { return static_cast<Task&>(pico::current()); }

  // Its own, read by others.
  Pid tid;                  ///< exec changes it
  RefPtr<Process> process;  ///< null once it has ended, like what follows
  RefPtr<AddressSpace> memory;
  RefPtr<FdTable> files;
  RefPtr<FsContext> fs;
  RefPtr<SignalActions> actions;  ///< the object is guarded by the kernel lock
  RefPtr<Credentials> credentials;
  std::array<char, 16> comm{};

  // Signals of this thread.
  PendingSignals pending;  ///< the kernel lock's; its set() is read without
  SignalMask blocked;      ///< written by the task; atomic
  // Its own.
  abi::SigSet saved_mask{};  ///< what to restore once the handler's frame is built
  bool restore_saved_mask = false;
  i32 forced_signal = 0;  ///< a synchronous fault, delivered before all others
  abi::StackT alternate_stack{0, abi::kSS_DISABLE, 0, 0};
  u32 traps = 0;  ///< mm/text.cc
  /// restart_syscall: how to resume a sleep that a stop interrupted.
  struct Restart {
    i32 clock = 0;
    abi::Timespec deadline{};
    UserAddr remaining;
    enum class Kind : u8 { kNone, kSleep, kFutex, kPoll } kind = Kind::kNone;
    u64 arguments[6] = {};
  } restart;

  // Addresses given by the guest; its own, the robust list read by others.
  UserAddr clear_child_tid;
  UserAddr set_child_tid;  ///< where a new thread writes its id (CLONE_CHILD_SETTID)
  UserAddr robust_list;
  u64 robust_list_size = 0;

  // Blocking (sync/wait_queue.cc).
  List<TaskWaitEntry, EntryOfTask> wait_entries;  ///< its own: all that name it
  std::unique_ptr<TaskWaitEntry[]> poll_entries;  ///< its own; ipc/poller.cc; made at first use
  TaskWaitEntry wait_entry;                       ///< its own; of its queue while it is on one
  TaskWaitEntry lock_entry;                       ///< its own; of a sleep lock that it waits for
  Task* next_to_wake = nullptr;                   ///< a list of HeldLocks::to_wake; its holder's
  std::atomic<bool> wake_pending = false;         ///< on such a list
  std::atomic<bool> sleeping = false;             ///< in a Wait
  std::atomic<bool> waits_in_host = false;        ///< there, and only an interruption reaches it
  HeldLocks held;                                 ///< its own
  heap::TaskCache heap_cache{*this};              ///< its own
  EpochReader epoch;                              ///< its own
  net::FileBatch* files_to_drop = nullptr;        ///< its own; net/unix_rights.cc
  bool drops_files = false;                       ///< its own; files_to_drop is being worked off

  // What the monitor has to undo if the host kills the task in the middle (task/death.cc). Its own.
  RefPtr<Task> starting;             ///< in the tables, perhaps not yet running on the host
  RefPtr<RefCounted> waiting_semop;  ///< ipc/sysv.h: on the lists of a semaphore set
  static constexpr usize kBorrowed = 4;
  File* borrowed[kBorrowed] = {};  ///< counted for the length of a call (FileRef); as many as fit
  bool has_left_memory = false;    ///< it is not among memory->task_count any more
  bool has_left_files = false;     ///< its share of the descriptor table is given up

  std::atomic<bool> exiting = false;  ///< this thread is to leave at the next safe point
  bool stopped = false;               ///< its own, read by others
  u64 start_time_ns = 0;              ///< immutable
  // The kernel lock's.
  i32 nice = 0;
  u32 io_priority = 0;        ///< man 2 ioprio_set; nothing here depends on it
  i32 scheduling_policy = 0;  ///< SCHED_OTHER, BATCH or IDLE

  /// A soft limit of its process.
  inline u64 limit(i32 resource) const;
  bool has_capability(u32 capability) const { return credentials->has_capability(capability); }
  /// EBADF, also for O_PATH. For the task itself, until its call ends.
  Result<FileRef> file(Fd fd) const { return files->borrow_io(fd); }
  /// Under the kernel lock.
  inline Session& session() const;
};

/// Gives the task a copy of its descriptor table, instead of its share.
void unshare_files(Task& task);

}  // namespace lxss
