// Signals: actions, pending queues, and the operations that send and take them.
// What sends, takes and ends needs the kernel lock.
#pragma once

#include <atomic>
#include <memory>

#include "abi/linux/signal.h"
#include "base/ref_ptr.h"
#include "base/result.h"

namespace lxss {

class Process;
class ProcessGroup;
class Task;

inline constexpr i32 kSignalCount = 64;

/// Dispositions of a process (CLONE_SIGHAND shares them). Guarded by the kernel lock.
class SignalActions final : public RefCounted {
 public:
  abi::SigAction& at(i32 signal) { return actions_[signal - 1]; }
  void copy_from(const SignalActions& other);
  /// Handlers become default, ignored stays (execve).
  void reset_for_exec();

  /// A task more, or less, uses them. The maker is the first.
  void share() { ++users_; }
  void leave() { --users_; }
  bool is_shared() const { return users_ > 1; }

 private:
  abi::SigAction actions_[kSignalCount] = {};
  u32 users_ = 1;
};

/// The signals that a thread blocks. Written by the thread without a lock: who sends one makes it
/// pending first and then looks here; who unblocks changes this first and then looks at what is
/// pending. So one of the two sees the other.
class SignalMask {
 public:
  SignalMask() = default;
  SignalMask& operator=(abi::SigSet set) {
    set_.store(set, std::memory_order_seq_cst);
    return *this;
  }
  SignalMask& operator=(const SignalMask& other) { return *this = other.get(); }
  SignalMask(const SignalMask& other) : set_(other.get()) {}
  abi::SigSet get() const { return set_.load(std::memory_order_seq_cst); }
  operator abi::SigSet() const { return get(); }
  bool has(i32 signal) const { return get().has(signal); }
  void add(i32 signal) { *this = get() | abi::SigSet::of(signal); }
  void del(i32 signal) { *this = get().without(abi::SigSet::of(signal)); }

 private:
  std::atomic<abi::SigSet> set_{};
};

/// Signals sent and not yet delivered. Standard signals are kept once, real-time ones queue, each
/// counted for the user whose process receives it (task/users.h). Nothing here takes longer for
/// what else is queued. Guarded by the kernel lock.
class PendingSignals {
 public:
  PendingSignals() = default;
  ~PendingSignals();
  PendingSignals(const PendingSignals&) = delete;
  PendingSignals& operator=(const PendingSignals&) = delete;

  /// Read without a lock by the task that looks whether it is interrupted.
  abi::SigSet set() const { return set_.load(std::memory_order_seq_cst); }
  usize size() const { return size_; }
  /// `user` is who pays.
  void add(const abi::SigInfo& info, u32 user);
  /// Pending without what its sender said of it: there was no room.
  void add_bare(i32 signal);
  /// Takes the lowest signal of `wanted`, which has one.
  abi::SigInfo take(abi::SigSet wanted);
  void discard(abi::SigSet signals);
  void discard_all() { discard(abi::SigSet::full_set()); }

 private:
  struct Queued {
    abi::SigInfo info;
    u32 user;
    Queued* next = nullptr;
  };
  struct Queue {
    Queued* first = nullptr;
    Queued* last = nullptr;
  };
  struct Queues {
    Queue of[kSignalCount];
  };
  Queue* queue(i32 signal) { return queues_ ? &queues_->of[signal - 1] : nullptr; }
  abi::SigInfo pop(Queue& queue);

  std::atomic<abi::SigSet> set_{};
  std::unique_ptr<Queues> queues_;  ///< made with the first
  usize size_ = 0;                  ///< in all queues
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
/// As send(); false if a real-time signal that carries a value found as many queued for the
/// receiver's user as RLIMIT_SIGPENDING allows.
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

/// True if the task must leave what it blocks in: a deliverable signal, exit, or stop. Without a
/// lock, by the task itself.
bool interrupted(const Task& task);

/// True if the task is to end: the only thing that leaves a killable wait.
bool killed(const Task& task);

/// Of the calling task. Without the kernel lock, or with it.
void set_mask(Task& task, abi::SigSet mask);

/// The last thing of every trap: ends or stops the task, delivers signals by building their
/// frames on the guest's stack, and resolves restarts. `call` is the system call that was
/// served, -1 for none. Returns when the task is to run guest code. Without locks.
void before_return_to_guest(i64 call);

/// Undoes a frame (rt_sigreturn); the value for the result register.
i64 return_from_frame();

}  // namespace signals
}  // namespace lxss
