// Processes, process groups, sessions and tasks (threads). Guarded by the kernel lock.
//
// The kernel's task table owns Process and Task objects until they are reaped;
// everything else refers to them by RefPtr or, within one hold of the lock, by
// reference.
#pragma once

#include <array>
#include <string>

#include "abi/linux/resource.h"
#include "abi/linux/sched.h"
#include "abi/linux/time.h"
#include "abi/linux/wait.h"
#include "lxcore/mm/address_space.h"
#include "lxcore/signal/signal_state.h"
#include "lxcore/sync/wait_queue.h"
#include "lxcore/task/credentials.h"
#include "lxcore/vfs/file.h"
#include "pico/pico.h"

namespace lxss {

class PosixTimers;
class ProcessGroup;
class Session;
class Tty;
struct LaunchSession;

struct ProcessGroupMember;
struct SiblingTag;
struct ThreadTag;

/// What getrusage tells besides times.
struct ResourceUse {
  i64 max_resident_kib = 0;
  i64 minor_faults = 0, major_faults = 0;
  i64 voluntary_switches = 0, involuntary_switches = 0;

  /// What a process's children used: sums, and the largest of them.
  void add(const ResourceUse& other);
  void report(abi::Rusage& to) const;
};

enum class ProcessState : u8 { kRunning, kStopped, kZombie, kDead };

class Process final : public RefCounted,
                      public ListNode<SiblingTag>,
                      public ListNode<ProcessGroupMember> {
 public:
  Process();
  ~Process() override;

  Pid pid;
  RefPtr<Process> parent;
  Pid parent_thread;  ///< whose child it is for __WNOTHREAD
  List<Process, SiblingTag> children;
  List<Task, ThreadTag> threads;
  usize thread_count = 0;
  Task* leader = nullptr;  ///< null once the main thread has ended
  RefPtr<ProcessGroup> group;
  ProcessState state = ProcessState::kRunning;

  // Exit and stop, as wait reports them.
  i32 exit_status = 0;   ///< wait status
  bool exiting = false;  ///< exit_group or a fatal signal: every thread leaves
  i32 exit_signal = abi::kSIGCHLD;
  i32 stop_signal = 0;        ///< the stop that wait has not yet reported, else 0
  bool continued = false;     ///< likewise for SIGCONT
  bool has_executed = false;  ///< execve since fork (setpgid answers EACCES)
  bool child_subreaper = false;
  i32 parent_death_signal = 0;
  WaitQueue child_events;             ///< the parent waits here: a child changed state
  WaitQueue exit_events;              ///< pidfd
  WaitQueue exec_done;                ///< a vfork parent waits here on its child
  bool shares_parent_memory = false;  ///< a vfork child that has neither executed nor ended

  PendingSignals pending;
  WaitQueue signal_events;  ///< signalfd, sigtimedwait
  std::array<abi::Rlimit64, abi::kRLIM_NLIMITS> limits;
  u64 limit(i32 resource) const { return limits[usize(resource)].rlim_cur; }

  std::string name() const;              ///< of the leader (comm)
  RefPtr<Credentials> last_credentials;  ///< of the last thread, once it has ended
  std::array<char, 16> last_comm{};
  u64 start_time_ns = 0;                             ///< boot clock
  u64 cpu_user_ns = 0, cpu_system_ns = 0;            ///< when it has ended
  u64 children_user_ns = 0, children_system_ns = 0;  ///< of children that were waited for
  ResourceUse use, children_use;  ///< when it has ended; of children that were waited for
  i32 host_process = 0;
  bool dumpable = true;
  i32 oom_score_adjustment = 0;
  u64 timer_slack_ns = 50000;
  u32 personality = 0;
  RefPtr<PosixTimers> timers;       ///< time/timers.cc, made at first use
  RefPtr<RefCounted> launch;        ///< the launcher's session this process is the first of
  host::Fd trace_fd = host::kNoFd;  ///< lxss --trace: inherited by fork

  bool is_zombie() const { return state == ProcessState::kZombie; }
  /// Any live thread; null for zombies.
  Task* any_thread();
};

class ProcessGroup final : public RefCounted {
 public:
  ProcessGroup(Pid group_id, RefPtr<Session> in) : id(group_id), session(std::move(in)) {}
  ~ProcessGroup() override;
  Pid id;
  RefPtr<Session> session;
  List<Process, ProcessGroupMember> members;
  /// No member has a parent in another group of the same session.
  bool orphaned();
};

class Session final : public RefCounted {
 public:
  explicit Session(Pid session_id);
  ~Session() override;
  Pid id;
  RefPtr<Tty> terminal;    ///< the controlling terminal
  Pid hung_up_foreground;  ///< foreground group of the terminal it lost by a hang-up
};

/// A thread of a guest.
class Task final : public RefCounted, public pico::Thread, public ListNode<ThreadTag> {
 public:
  /// The caller.
  static Task& current() { return static_cast<Task&>(pico::current()); }

  Pid tid;
  RefPtr<Process> process;
  RefPtr<AddressSpace> memory;
  RefPtr<FdTable> files;
  RefPtr<FsContext> fs;
  RefPtr<SignalActions> actions;
  RefPtr<Credentials> credentials;
  std::array<char, 16> comm{};

  // Signals of this thread.
  PendingSignals pending;
  abi::SigSet blocked{};
  abi::SigSet saved_mask{};  ///< what to restore once the handler's frame is built
  bool restore_saved_mask = false;
  i32 forced_signal = 0;  ///< a synchronous fault, delivered before all others
  abi::StackT alternate_stack{0, abi::kSS_DISABLE, 0, 0};
  /// restart_syscall: how to resume a sleep that a stop interrupted.
  struct Restart {
    i32 clock = 0;
    abi::Timespec deadline{};
    UserAddr remaining;
    enum class Kind : u8 { kNone, kSleep, kFutex, kPoll } kind = Kind::kNone;
    u64 arguments[6] = {};
  } restart;

  // Addresses given by the guest.
  UserAddr clear_child_tid;
  UserAddr robust_list;
  u64 robust_list_size = 0;

  // Blocking (sync/wait_queue.cc).
  TaskWaitEntry wait_entry;
  Task* next_to_wake = nullptr;  ///< the list that KernelLock::unlock() wakes
  std::atomic<bool> wake_pending = false;
  bool sleeping = false;       ///< in sleep() or sleep_on_host()
  bool waits_in_host = false;  ///< there, and only an interruption reaches it
  bool woken = false;
  Task* tasks_to_wake = nullptr;  ///< of the holder

  bool exiting = false;  ///< this thread is to leave at the next safe point
  bool stopped = false;
  u64 start_time_ns = 0;
  i32 nice = 0;
  u32 io_priority = 0;        ///< man 2 ioprio_set; nothing here depends on it
  i32 scheduling_policy = 0;  ///< SCHED_OTHER, BATCH or IDLE
  UserAddr set_child_tid;     ///< where a new thread writes its id (CLONE_CHILD_SETTID)

  u64 limit(i32 resource) const { return process->limit(resource); }
  bool has_capability(u32 capability) const { return credentials->has_capability(capability); }
  Result<RefPtr<File>> file(Fd fd) const { return files->get_io(fd); }
  Session& session() const { return *process->group->session; }
};

}  // namespace lxss
