// Processes, and with them tasks, groups and sessions.
//
// Guarded by the kernel lock, but for what says otherwise. The kernel's tables own Process and Task
// objects until they are reaped; everything else refers to them by RefPtr or, within one hold of
// the lock, by reference. A task has its own process without a lock.
#pragma once

#include <array>
#include <string>

#include "abi/linux/resource.h"
#include "abi/linux/sched.h"
#include "abi/linux/wait.h"
#include "lxcore/task/process_group.h"
#include "lxcore/task/task.h"

namespace lxss {

class PosixTimers;
struct LaunchSession;

struct ReportTag;
struct SiblingTag;

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
                      public ListNode<ReportTag>,
                      public ListNode<ProcessGroupMember> {
 public:
  Process();
  ~Process() override;

  Pid pid;                              ///< immutable
  RefPtr<Process> parent;               ///< set by set_parent(); null once reaped
  std::atomic<Pid> parent_pid = Pid{};  ///< the same for getppid
  Pid parent_thread;                    ///< whose child it is for __WNOTHREAD
  List<Process, SiblingTag> children;   ///< oldest first
  List<Process, ReportTag> reports;     ///< children that wait has something to say of
  usize child_count = 0;                ///< of `children`
  usize clone_child_count = 0;          ///< of them those that end with another signal (__WCLONE)
  List<Task, ThreadTag> threads;
  std::atomic<usize> thread_count = 0;  ///< of `threads`
  Task* leader = nullptr;               ///< null once the main thread has ended
  RefPtr<ProcessGroup> group;           ///< null once reaped
  std::atomic<ProcessState> state = ProcessState::kRunning;

  // Exit and stop, as wait reports them.
  i32 exit_status = 0;                ///< wait status
  std::atomic<bool> exiting = false;  ///< exit_group or a fatal signal: every thread leaves
  i32 exit_signal = abi::kSIGCHLD;    ///< once it is a child, changed by set_exit_signal()
  i32 stop_signal = 0;                ///< the stop that wait has not yet reported, else 0
  bool continued = false;             ///< likewise for SIGCONT
  bool has_executed = false;          ///< execve since fork (setpgid answers EACCES)
  bool child_subreaper = false;
  i32 parent_death_signal = 0;
  WaitQueue child_events;             ///< the parent waits here: a child changed state
  WaitQueue exit_events;              ///< pidfd
  WaitQueue exec_done;                ///< a vfork parent waits here on its child
  bool shares_parent_memory = false;  ///< a vfork child that has neither executed nor ended

  PendingSignals pending;   ///< its set() is read without the lock
  WaitQueue signal_events;  ///< signalfd, sigtimedwait
  /// Soft ones are read without the lock.
  std::array<abi::Rlimit64, abi::kRLIM_NLIMITS> limits;
  u64 limit(i32 resource) const {
    return __atomic_load_n(&limits[usize(resource)].rlim_cur, __ATOMIC_RELAXED);
  }

  std::string name() const;              ///< of the leader (comm)
  RefPtr<Credentials> last_credentials;  ///< of the last thread, once it has ended
  std::array<char, 16> last_comm{};
  u64 start_time_ns = 0;                             ///< boot clock; immutable
  u64 cpu_user_ns = 0, cpu_system_ns = 0;            ///< when it has ended; before kZombie
  u64 children_user_ns = 0, children_system_ns = 0;  ///< of children that were waited for
  ResourceUse use, children_use;  ///< when it has ended; of children that were waited for
  std::atomic<i32> host_process = 0;
  bool dumpable = true;
  i32 oom_score_adjustment = 0;
  u64 timer_slack_ns = 50000;
  std::atomic<u32> personality = 0;
  RefPtr<PosixTimers> timers;       ///< time/timers.cc, made at first use
  RefPtr<RefCounted> launch;        ///< the launcher's session this process is the first of
  host::Fd trace_fd = host::kNoFd;  ///< lxss --trace: inherited by fork; immutable

  bool is_zombie() const { return state == ProcessState::kZombie; }
  /// Any live thread; null for zombies.
  Task* any_thread();

  /// It becomes a child of `to`: of nobody if null.
  void set_parent(Process* to);
  /// What its parent is sent at its end.
  void set_exit_signal(i32 signal);
  /// Puts it on its parent's list of reports while wait has something to say of it.
  void update_reports();
};

inline u64 Task::limit(i32 resource) const { return process->limit(resource); }
inline Session& Task::session() const { return *process->group->session; }

}  // namespace lxss
