// The life of tasks and processes: creation, exit, lookup.
#pragma once

#include "lxcore/task/process.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::lifecycle {

/// Of the host's account of a process or thread.
ResourceUse resource_use(const abi::Rusage& usage);

/// What user space expects of the kernel when a task gives its memory up, by exit or exec: its
/// robust mutexes are released, and others that use the memory learn of it (CLONE_CHILD_CLEARTID).
/// Without the kernel lock.
void leave_user_memory(Task& task, bool is_shared);

/// The calling task ends at once; its process with the last thread. Without locks.
[[noreturn]] void exit_current_task();

struct CloneRequest {
  abi::CloneFlags flags{};
  i32 exit_signal = 0;
  u64 stack = 0;  ///< stack pointer of the child, 0: the parent's
  UserAddr parent_tid{}, child_tid{}, pidfd{};
  u64 tls = 0;
};
/// man 2 clone. Without locks. Returns the child's id in the parent, 0 in the child.
Result<Pid> clone(Task& task, const CloneRequest& request);

/// A new task's first steps, on its own host thread and in its own memory.
void start_child();

/// execve. Without locks. On success the context is the new program's.
Result<> execute(Task& task, Fd directory, std::string_view path, vfs::WalkFlags walk,
                 UserAddr arguments, UserAddr environment);
/// The same from kernel memory, for the first program of a session.
Result<> execute(Task& task, std::string_view path, const std::vector<std::string>& arguments,
                 const std::vector<std::string>& environment);

/// A process of the kernel's own making, child of init, that a launch turns into a program:
/// its only task, not yet running.
RefPtr<Task> create_first_task(RefPtr<Credentials> credentials);
/// Makes it a leader of a new session and group.
void become_session_leader(Process& process);

// Under the kernel lock:
RefPtr<Task> find_task(Pid tid);
RefPtr<Process> find_process(Pid pid);
RefPtr<ProcessGroup> find_group(Pid id);
/// Takes a zombie out of all tables.
void reap(Process& process);
/// Takes a task out of the tables that all tasks are in.
void forget_task(Task& task);
/// The last thread of `process` is leaving, or has been ended by the host.
void end_of_process(Process& process, Task& last);

/// Forgets a task that never ran.
void discard(Task& task);
/// The whole instance ends: the sentence says why.
[[noreturn]] void stop_instance(std::string_view sentence);
/// The monitor, under the kernel lock: a host process is gone. Ends the guest process if the guest
/// did not, and undoes what its threads were in the middle of (death.cc).
void host_process_died(const pico::Death& death);

}  // namespace lxss::lifecycle
