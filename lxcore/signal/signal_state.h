// Signals: actions, pending queues, and the operations that send and take them.
// Guarded by the kernel lock.
#pragma once

#include <atomic>
#include <list>

#include "abi/linux/signal.h"
#include "base/ref_ptr.h"
#include "base/result.h"

namespace lxss {

class Process;
class ProcessGroup;
class Task;

inline constexpr i32 kSignalCount = 64;

/// Dispositions of a process (CLONE_SIGHAND shares them).
class SignalActions final : public RefCounted {
 public:
  abi::SigAction& at(i32 signal) { return actions_[signal - 1]; }
  RefPtr<SignalActions> duplicate() const;
  /// Handlers become default, ignored stays (execve).
  void reset_for_exec();

 private:
  abi::SigAction actions_[kSignalCount] = {};
};

/// Signals sent and not yet delivered. Standard signals are kept once, real-time ones queue.
class PendingSignals {
 public:
  static constexpr usize kMaxQueued = 1024;  ///< of one queue; SI_QUEUE beyond is EAGAIN

  /// Read without a lock by the task that looks whether it is interrupted.
  abi::SigSet set() const { return set_.load(std::memory_order_relaxed); }
  usize size() const { return queue_.size(); }
  /// False if the queue is full.
  bool add(const abi::SigInfo& info);
  /// Takes the lowest signal of `wanted`, which has one.
  abi::SigInfo take(abi::SigSet wanted);
  void discard(abi::SigSet signals);

 private:
  std::atomic<abi::SigSet> set_{};
  std::list<abi::SigInfo> queue_;
};

namespace signals {

/// A siginfo as kill(2) makes it, from the current task.
abi::SigInfo user_info(const Task& sender, i32 signal, i32 code);
/// A siginfo from the kernel itself.
abi::SigInfo kernel_info(i32 signal);

/// To one thread; to a process (any thread takes it); to every process of a group.
void send(Task& task, const abi::SigInfo& info);
void send(Process& process, const abi::SigInfo& info);
void send(ProcessGroup& group, const abi::SigInfo& info);
/// As send(); false if a real-time signal found the queue full (RLIMIT_SIGPENDING).
bool send_queued(Task& task, const abi::SigInfo& info);
bool send_queued(Process& process, const abi::SigInfo& info);
/// Ends a process with a wait status, as exit_group or a fatal signal does: every thread
/// leaves at its next safe point.
void end_process(Process& process, i32 status);
/// Ends one thread likewise.
void end_task(Task& task);
/// Tells the parent of a change of `process`: wakes its waits and sends `info` (signo 0: none).
void notify_parent(Process& process, const abi::SigInfo& info);
/// Makes a task look at its state at once, wherever it is.
void kick(Task& task);
/// A synchronous fault: delivered even if blocked or ignored (it then kills).
void force(Task& task, const abi::SigInfo& info);

/// EPERM unless `sender` may send `signal` to `target` (man 2 kill).
Result<> may_send(const Task& sender, const Process& target, i32 signal);

/// Takes a pending signal of `wanted` for sigtimedwait and signalfd, or nothing (signo 0).
abi::SigInfo take(Task& task, abi::SigSet wanted);

/// True if the task must leave what it blocks in: a deliverable signal, exit, or stop.
bool interrupted(const Task& task);

/// True if the task is to end: the only thing that leaves a killable wait.
bool killed(const Task& task);

void set_mask(Task& task, abi::SigSet mask);

/// The last thing of every trap: ends or stops the task, delivers signals by building their
/// frames on the guest's stack, and resolves restarts. `call` is the system call that was
/// served, -1 for none. Returns when the task is to run guest code.
void before_return_to_guest(i64 call);

/// Undoes a frame (rt_sigreturn); the value for the result register.
i64 return_from_frame();

}  // namespace signals
}  // namespace lxss
