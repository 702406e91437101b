// Sending signals and the bookkeeping of what is pending.
#include "lxcore/kernel.h"
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

RefPtr<SignalActions> SignalActions::duplicate() const {
  auto copy = make_ref<SignalActions>();
  for (i32 i = 0; i < kSignalCount; ++i) copy->actions_[i] = actions_[i];
  return copy;
}

void SignalActions::reset_for_exec() {
  for (abi::SigAction& action : actions_) {
    u64 kept = action.handler == abi::kSIG_IGN ? abi::kSIG_IGN : abi::kSIG_DFL;
    action = {kept, 0, 0, {}};
  }
}

bool PendingSignals::add(const SigInfo& info) {
  abi::SigSet now = set();
  if (info.signo < kFirstRealTime && now.has(info.signo)) return true;
  if (queue_.size() >= kMaxQueued && info.signo >= kFirstRealTime && info.code < 0) return false;
  now.add(info.signo);
  set_.store(now, std::memory_order_relaxed);
  queue_.push_back(info);
  return true;
}

SigInfo PendingSignals::take(SigSet wanted) {
  abi::SigSet now = set();
  i32 signal = (now & wanted).first();
  SigInfo info{};
  bool more = false;
  for (auto at = queue_.begin(); at != queue_.end();) {
    if (at->signo == signal) {
      if (info.signo != 0) {
        more = true;
        break;
      }
      info = *at;
      at = queue_.erase(at);
    } else {
      ++at;
    }
  }
  if (!more) {
    now.del(signal);
    set_.store(now, std::memory_order_relaxed);
  }
  return info;
}

void PendingSignals::discard(SigSet signals) {
  if (!set().any(signals)) return;
  set_.store(set().without(signals), std::memory_order_relaxed);
  std::erase_if(queue_, [signals](const SigInfo& info) { return signals.has(info.signo); });
}

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

/// True if the receiver's user has as many signals pending as RLIMIT_SIGPENDING allows. Only
/// real-time signals that carry a value are refused for that (man 7 signal, man 2 sigqueue).
bool queue_is_full(const Process& process, const Credentials& owner, const SigInfo& info) {
  if (info.signo < kFirstRealTime || info.code >= 0) return false;
  const u64 limit = process.limit(abi::kRLIMIT_SIGPENDING);
  u64 count = 0;
  for (auto& [tid, task] : kernel().tasks) {
    if (task->credentials->uid != owner.uid) continue;
    count += task->pending.size();
    if (task.get() == task->process->any_thread()) count += task->process->pending.size();
    if (count >= limit) return true;
  }
  return count >= limit;
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
  if (queue_is_full(*task.process, *task.credentials, info) || !task.pending.add(info)) {
    return false;
  }
  task.process->signal_events.wake();
  if (!task.blocked.has(info.signo)) kick(task);
  return true;
}

bool send_queued(Process& process, const SigInfo& info) {
  if (!prepare(process, info)) return true;
  Task* taker = nullptr;
  for (Task& thread : process.threads) {
    if (thread.exiting || thread.blocked.has(info.signo)) continue;
    taker = &thread;
    if (&thread == process.leader) break;
  }
  Task* any = taker ? taker : process.any_thread();
  if (!any) return true;
  if (taker && is_ignored(*any, info.signo)) return true;
  if (queue_is_full(process, *any->credentials, info) || !process.pending.add(info)) return false;
  process.signal_events.wake();
  if (taker) kick(*taker);
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
  task.pending.discard(SigSet{SigSet::bit(info.signo)});
  (void)task.pending.add(info);
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
  mask = mask.without(abi::kUnblockableSignals);
  SigSet newly_blocked = mask.without(task.blocked);
  task.blocked = mask;
  // A process signal that this thread was to take may now need another thread.
  if (task.process->thread_count > 1 && task.process->pending.set().any(newly_blocked)) {
    for (Task& thread : task.process->threads) {
      if (&thread != &task && task.process->pending.set().any(~thread.blocked)) kick(thread);
    }
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
