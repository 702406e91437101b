// The root of all kernel state: one object at a fixed place in the arena.
#pragma once

#include <map>
#include <string>

#include "abi/linux/syscall_numbers.h"
#include "base/set_once.h"
#include "host/clock.h"
#include "lxcore/control/protocol.h"
#include "lxcore/mm/text.h"
#include "lxcore/sync/kernel_lock.h"
#include "lxcore/task/id_set.h"
#include "lxcore/task/process.h"
#include "lxcore/task/users.h"
#include "lxcore/time/timer.h"
#include "lxcore/vfs/locks.h"

namespace lxss {

/// What uname and /proc/version report.
inline constexpr const char kKernelRelease[] = "5.15.0-lxss";
inline constexpr const char kKernelVersion[] = "#1 SMP Lxss 0.1";

class Launch;

class Kernel {
 public:
  static constexpr i32 kMaxPid = 4194304;
  static constexpr usize kMaxTasks = 16384;  ///< threads in the instance; fork then fails: EAGAIN

  KernelLock lock;
  LockWaits lock_waits;
  Epoch epoch;

  // task/: by id; a task's id is its tid, a process's its leader's.
  std::map<Pid, RefPtr<Task>> tasks;
  std::map<Pid, RefPtr<Process>> processes;
  std::map<Pid, ProcessGroup*> groups;  ///< each while it exists
  IdSet ids;                            ///< of all of these and of sessions
  UserAccounts users;
  RefPtr<Process> init;  ///< pid 1: the instance itself
  RefPtr<Task> monitor;  ///< its only thread: the first host process
  /// Host processes not yet reaped, with the address space that their threads still stand on.
  struct HostProcess {
    RefPtr<Process> process;
    RefPtr<AddressSpace> memory;
  };
  std::map<i32, HostProcess> host_processes;
  u64 forks = 0;
  usize live_processes = 0;  ///< that have threads; without init
  /// What host kills have cost, for the log.
  struct Deaths {
    u64 in_guest = 0, in_kernel = 0;
    u64 broken_objects = 0;  ///< locks that were abandoned
    u64 leaked_tables = 0;   ///< descriptor tables that were being changed
  } deaths;

  // vfs/
  DentryCache dentries;
  MountTree mounts;
  Path root;
  u64 next_device_minor = 1;
  std::atomic<u32> next_mount_id = 1;
  std::atomic<u64> next_anonymous_inode = 1;
  RefPtr<FileSystem> memory_files;  ///< fs/tmpfs: memfd_create's
  FileLockTable file_locks;
  std::atomic<u32> last_move_cookie = 0;  ///< of inotify's pairs of events

  Lock fifos{LockRank::kNames};         ///< ipc/: Inode::fifo of FIFOs, Pipe::users
  std::atomic<u32> inotify_watches{0};  ///< ipc/: how many there are
  SleepLock epoll_nesting;              ///< ipc/: which epoll sets watch which

  Texts texts;  ///< mm/: rewritten code

  TimerQueue timers;
  host::MachineFiles machine_files;

  std::string hostname = "localhost";
  std::string domainname = "(none)";
  u64 boot_time_ns = 0;  ///< of the boot clock
  host::Fd log = host::Fd{control::kLogFd};
  u32 confinement = 0;
  std::array<bool, abi::kSyscallCount> missing_calls_logged{};

  List<Launch> launches;  ///< control/: the launchers' sessions; each holds a reference

  /// Per-subsystem roots that other folders own, made at boot or first use.
  RefPtr<RefCounted> console;          ///< tty/
  SetOnce<RefCounted> unix_namespace;  ///< net/: abstract names
  RefPtr<RefCounted> pty_system;       ///< tty/
  RefPtr<RefCounted> sysv_ipc;         ///< ipc/
  RefPtr<FileSystem> anonymous_files;  ///< vfs/: pipes, sockets, ... live here; made at boot
};

/// The kernel of this instance (pico backend).
Kernel& kernel();

/// Makes the monitor look at the timers again: an earlier deadline was armed.
void wake_monitor();

/// One line into the instance's log; what is logged once per place says so itself.
void log_line(std::string_view text);

}  // namespace lxss
