// Sending signals, and what they do to a process the moment they are sent.
#include "lxcore/kernel.h"
#include "lxcore/mm/heap.h"
#include "lxcore/time/posix_timers.h"

namespace lxss {

using abi::SigInfo;
using abi::SigSet;

namespace {

constexpr SigSet kStopSignals{SigSet::bit(abi::kSIGSTOP) | SigSet::bit(abi::kSIGTSTP) |
                              SigSet::bit(abi::kSIGTTIN) | SigSet::bit(abi::kSIGTTOU)};
constexpr SigSet kIgnoredByDefault{SigSet::bit(abi::kSIGCHLD) | SigSet::bit(abi::kSIGURG) |
                                   SigSet::bit(abi::kSIGWINCH) | SigSet::bit(abi::kSIGCONT)};
constexpr i32 kFirstRealTime = 32;

}  // namespace

namespace signals {

namespace {

SigSet deliverable(const Task& task) {
  return (task.pending.set() | task.process->pending.set()).without(task.blocked);
}

}  // namespace

void kick(Task& task) {
  wake_task(task);
  if (!task.sleeping && &task != &Task::current()) pico::interrupt(task);
}

namespace {

bool is_ignored(const Task& task, i32 signal) {
  u64 handler = task.actions->at(signal).handler;
  return handler == abi::kSIG_IGN || (handler == abi::kSIG_DFL && kIgnoredByDefault.has(signal));
}

void resume(Process& process) {
  if (process.state != ProcessState::kStopped) return;
  process.state = ProcessState::kRunning;
  process.stop_signal = 0;
  process.continued = true;
  process.update_reports();
  for (Task& thread : process.threads) kick(thread);
  if (process.parent) {
    SigInfo info = kernel_info(abi::kSIGCHLD);
    info.code = abi::kCLD_CONTINUED;
    info.child = {process.pid.value,
                  process.any_thread() ? process.any_thread()->credentials->uid : 0,
                  abi::kSIGCONT,
                  0,
                  0,
                  0};
    notify_parent(process, info);
  }
}

/// Makes a signal pending. False if the receiver's user has as many as RLIMIT_SIGPENDING allows and
/// it is refused for that: only real-time signals that carry a value are (man 2 sigqueue).
bool add_pending(PendingSignals& pending, const Process& process, const Credentials& owner,
                 const SigInfo& info) {
  const bool has_room = heap::has_room() &&
                        kernel().users.signals(owner.uid) < process.limit(abi::kRLIMIT_SIGPENDING);
  // A timer has its one signal; standard signals are one of a kind.
  if (has_room || info.signo < kFirstRealTime || info.code == abi::kSI_TIMER) {
    pending.add(info, owner.uid);
    return true;
  }
  if (info.code < 0) return false;
  pending.add_bare(info.signo);
  return true;
}

/// A thread that does not block the signal, the main thread if possible; or null.
Task* find_taker(Process& process, i32 signal) {
  auto takes = [&](Task& thread) { return !thread.exiting && !thread.blocked.has(signal); };
  if (process.leader && takes(*process.leader)) return process.leader;
  for (Task& thread : process.threads) {
    if (takes(thread)) return &thread;
  }
  return nullptr;
}

/// What a signal does the moment it is sent. False if it is thereby dealt with.
bool prepare(Process& process, const SigInfo& info) {
  if (process.pid.value == 1 || process.state == ProcessState::kZombie ||
      process.state == ProcessState::kDead) {
    return false;
  }
  if (info.signo == abi::kSIGKILL) {
    end_process(process, abi::wait_status_signaled(abi::kSIGKILL, false));
    return false;
  }
  if (info.signo == abi::kSIGCONT) {
    process.pending.discard(kStopSignals);
    for (Task& thread : process.threads) thread.pending.discard(kStopSignals);
    resume(process);
  } else if (kStopSignals.has(info.signo)) {
    SigSet cont{SigSet::bit(abi::kSIGCONT)};
    process.pending.discard(cont);
    for (Task& thread : process.threads) thread.pending.discard(cont);
  }
  return true;
}

}  // namespace

SigInfo user_info(const Task& sender, i32 signal, i32 code) {
  SigInfo info{};
  info.signo = signal;
  info.code = code;
  info.kill = {sender.process->pid.value, sender.credentials->uid};
  return info;
}

SigInfo kernel_info(i32 signal) {
  SigInfo info{};
  info.signo = signal;
  info.code = abi::kSI_KERNEL;
  return info;
}

bool send_queued(Task& task, const SigInfo& info) {
  if (!prepare(*task.process, info)) return true;
  if (!task.blocked.has(info.signo) && is_ignored(task, info.signo)) return true;
  if (!add_pending(task.pending, *task.process, *task.credentials, info)) return false;
  task.process->signal_events.wake();
  // Looked at again: it may have unblocked the signal meanwhile (SignalMask).
  if (!task.blocked.has(info.signo)) kick(task);
  return true;
}

bool send_queued(Process& process, const SigInfo& info) {
  if (!prepare(process, info)) return true;
  Task* taker = find_taker(process, info.signo);
  Task* any = taker ? taker : process.any_thread();
  if (!any) return true;
  if (taker && is_ignored(*any, info.signo)) return true;
  if (!add_pending(process.pending, process, *any->credentials, info)) return false;
  process.signal_events.wake();
  // Again: threads change their masks meanwhile (SignalMask).
  if ((taker = find_taker(process, info.signo))) kick(*taker);
  return true;
}

void send(Task& task, const SigInfo& info) { (void)send_queued(task, info); }
void send(Process& process, const SigInfo& info) { (void)send_queued(process, info); }

void send(ProcessGroup& group, const SigInfo& info) {
  RefPtr<ProcessGroup> pinned(&group);
  for (Process& process : group.members) send(process, info);
}

void force(Task& task, const SigInfo& info) {
  abi::SigAction& action = task.actions->at(info.signo);
  if (task.blocked.has(info.signo) || action.handler == abi::kSIG_IGN) {
    action.handler = abi::kSIG_DFL;
    task.blocked.del(info.signo);
  }
  task.pending.discard(SigSet::of(info.signo));
  task.pending.add(info, task.credentials->uid);
  task.forced_signal = info.signo;
}

Result<> may_send(const Task& sender, const Process& target, i32 signal) {
  const Credentials& from = *sender.credentials;
  if (sender.process == &target || from.has_capability(abi::kCAP_KILL)) return {};
  const Task* any = const_cast<Process&>(target).any_thread();
  const Credentials* to = any ? any->credentials.get() : target.last_credentials.get();
  if (to && (from.euid == to->suid || from.euid == to->uid || from.uid == to->suid ||
             from.uid == to->uid)) {
    return {};
  }
  if (signal == abi::kSIGCONT && sender.process->group->session == target.group->session) return {};
  return Errno::kEPERM;
}

SigInfo take(Task& task, SigSet wanted) {
  SigInfo info{};
  if (task.pending.set().any(wanted)) {
    info = task.pending.take(wanted);
  } else if (task.process->pending.set().any(wanted)) {
    info = task.process->pending.take(wanted);
  }
  if (info.code == abi::kSI_TIMER) timer_signal_taken(*task.process, info);
  return info;
}

bool killed(const Task& task) { return task.exiting || task.process->exiting; }

bool interrupted(const Task& task) {
  return killed(task) || task.process->state == ProcessState::kStopped ||
         !deliverable(task).empty();
}

void set_mask(Task& task, SigSet mask) {
  Process& process = *task.process;
  mask = mask.without(abi::kUnblockableSignals);
  const SigSet newly_blocked = mask.without(task.blocked);
  task.blocked = mask;
  // A process signal that this thread was to take may now need another thread.
  if (process.thread_count == 1 || !process.pending.set().any(newly_blocked)) return;
  KernelLock::Held held;
  for (Task& thread : process.threads) {
    if (&thread != &task && process.pending.set().any(~thread.blocked.get())) kick(thread);
  }
}

void end_process(Process& process, i32 status) {
  if (process.exiting) return;
  process.exiting = true;
  process.exit_status = status;
  if (process.state == ProcessState::kStopped) process.state = ProcessState::kRunning;
  for (Task& thread : process.threads) kick(thread);
}

void end_task(Task& task) {
  task.exiting = true;
  kick(task);
}

void notify_parent(Process& process, const SigInfo& info) {
  Process* parent = process.parent.get();
  if (!parent) return;
  parent->child_events.wake();
  Task* any = parent->any_thread();
  if (!any || info.signo == 0) return;
  if (info.signo == abi::kSIGCHLD && info.code >= abi::kCLD_TRAPPED) {
    abi::SaFlags flags(any->actions->at(abi::kSIGCHLD).flags);
    if (flags.has(abi::SaFlag::kSA_NOCLDSTOP)) return;
  }
  send(*parent, info);
}

}  // namespace signals
}  // namespace lxss
