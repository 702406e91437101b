#include "lxcore/syscalls/signal.h"

#include "lxcore/kernel.h"
#include "lxcore/task/lifecycle.h"
#include "lxcore/time/clocks.h"

namespace lxss::sys {

namespace {

constexpr usize kSetSize = sizeof(abi::SigSet);

bool is_signal(i32 signal) { return signal >= 1 && signal <= kSignalCount; }

/// Under the kernel lock: sends to a process if allowed; signal 0 only asks.
Result<> send_if_allowed(Task& task, Process& process, const abi::SigInfo& info) {
  TRY(signals::may_send(task, process, info.signo));
  if (info.signo == 0) return {};
  if (!signals::send_queued(process, info)) return Errno::kEAGAIN;
  return {};
}

/// kill to several: fine if one was reached; ESRCH if there were none.
class Broadcast {
 public:
  void add(Result<> result) {
    if (result.ok()) {
      reached_ = true;
    } else {
      error_ = result.error();
    }
  }
  Result<> result() const { return reached_ ? Result<>() : Result<>(error_); }

 private:
  bool reached_ = false;
  Errno error_ = Errno::kESRCH;
};

Result<> send_to_thread(Task& task, Pid pid, Pid tid, i32 signal) {
  if (tid.value <= 0 || (signal != 0 && !is_signal(signal))) return Errno::kEINVAL;
  KernelLock::Held held;
  RefPtr<Task> target = lifecycle::find_task(tid);
  if (!target || (pid.value > 0 && target->process->pid != pid)) return Errno::kESRCH;
  TRY(signals::may_send(task, *target->process, signal));
  if (signal != 0) signals::send(*target, signals::user_info(task, signal, abi::kSI_TKILL));
  return {};
}

/// The action as it was; set to `next` if there is one.
abi::SigAction exchange_action(Task& task, i32 signal, const std::optional<abi::SigAction>& next) {
  KernelLock::Held held;
  abi::SigAction& entry = task.actions->at(signal);
  const abi::SigAction before = entry;
  if (!next) return before;
  entry = *next;
  // Pending signals that are now ignored go (POSIX, sigaction).
  const bool default_ignores = signal == abi::kSIGCHLD || signal == abi::kSIGURG ||
                               signal == abi::kSIGWINCH || signal == abi::kSIGCONT;
  if (entry.handler == abi::kSIG_IGN || (entry.handler == abi::kSIG_DFL && default_ignores)) {
    const abi::SigSet gone = abi::SigSet::of(signal);
    task.process->pending.discard(gone);
    for (Task& thread : task.process->threads) thread.pending.discard(gone);
  }
  return before;
}

/// Only a process itself may claim to be the kernel or kill(2).
Result<> check_claim(const Task& task, const Process& target, const abi::SigInfo& info) {
  if ((info.code >= 0 || info.code == abi::kSI_TKILL) && &target != task.process.get()) {
    return Errno::kEPERM;
  }
  return {};
}

Result<abi::SigInfo> read_info(i32 signal, UserIn<abi::SigInfo> info) {
  abi::SigInfo value = TRY(info.read());
  if (!is_signal(signal) && signal != 0) return Errno::kEINVAL;
  value.signo = signal;
  return value;
}

}  // namespace

Result<> rt_sigaction(UnlockedTask task, i32 signal, UserIn<abi::SigAction> action,
                      UserOut<abi::SigAction> old, usize size) {
  if (size != kSetSize || !is_signal(signal)) return Errno::kEINVAL;
  std::optional<abi::SigAction> next;
  if (action) {
    next = TRY(action.read());
    if (abi::kUnblockableSignals.has(signal)) return Errno::kEINVAL;
  }
  if (next) {
    constexpr u64 kKnownFlags = 0xdc000807;
    next->flags &= kKnownFlags;
    next->mask = next->mask.without(abi::kUnblockableSignals);
  }
  const abi::SigAction before = exchange_action(task, signal, next);
  if (old) TRY(old.write(before));
  return {};
}

Result<> rt_sigprocmask(UnlockedTask task, i32 how, UserIn<abi::SigSet> set,
                        UserOut<abi::SigSet> old, usize size) {
  if (size != kSetSize) return Errno::kEINVAL;
  const abi::SigSet before = task->blocked;
  if (set) {
    abi::SigSet given = TRY(set.read());
    switch (how) {
      case abi::kSIG_BLOCK:
        signals::set_mask(task, before | given);
        break;
      case abi::kSIG_UNBLOCK:
        signals::set_mask(task, before.without(given));
        break;
      case abi::kSIG_SETMASK:
        signals::set_mask(task, given);
        break;
      default:
        return Errno::kEINVAL;
    }
  }
  if (old) TRY(old.write(before));
  return {};
}

Result<> rt_sigpending(UnlockedTask task, UserOut<abi::SigSet> set, usize size) {
  if (size != kSetSize) return Errno::kEINVAL;
  const abi::SigSet pending = task->pending.set() | task->process->pending.set();
  return set.write(pending & task->blocked);
}

Result<> rt_sigsuspend(UnlockedTask task, UserIn<abi::SigSet> mask, usize size) {
  if (size != kSetSize) return Errno::kEINVAL;
  abi::SigSet during = TRY(mask.read());
  task->saved_mask = task->blocked;
  task->restore_saved_mask = true;
  signals::set_mask(task, during);
  return pause(task);
}

Result<> pause(UnlockedTask task) {
  for (;;) {
    if (auto slept = Wait(task).sleep(std::nullopt); !slept) return Errno::kERESTARTNOHAND;
  }
}

Result<i32> rt_sigtimedwait(UnlockedTask task, UserIn<abi::SigSet> set, UserOut<abi::SigInfo> info,
                            UserIn<abi::Timespec> timeout, usize size) {
  if (size != kSetSize) return Errno::kEINVAL;
  const abi::SigSet wanted = TRY(set.read()).without(abi::kUnblockableSignals);
  host::Deadline deadline;
  if (timeout) {
    deadline = clocks::deadline_after(TRY(clocks::to_ns(TRY(timeout.read()))));
  }
  // The signals stay blocked, so that those that are ignored otherwise are kept.
  abi::SigInfo taken{};
  Result<> waited;
  {
    KernelLock::Held held;
    waited = wait_until(
        task, task->process->signal_events,
        [&] { return (taken = signals::take(task, wanted)).signo != 0; }, deadline);
  }
  if (taken.signo == 0) return waited.is(Errno::kETIMEDOUT) ? Errno::kEAGAIN : Errno::kEINTR;
  if (info) TRY(info.write(taken));
  return taken.signo;
}

Result<i64> rt_sigreturn(UnlockedTask task) {
  i64 result = signals::return_from_frame();
  task->system_call = -1;
  return result;
}

Result<> rt_sigqueueinfo(UnlockedTask task, Pid pid, i32 signal, UserIn<abi::SigInfo> info) {
  const abi::SigInfo value = TRY(read_info(signal, info));
  KernelLock::Held held;
  RefPtr<Process> process = lifecycle::find_process(pid);
  if (!process) return Errno::kESRCH;
  TRY(check_claim(task, *process, value));
  return send_if_allowed(task, *process, value);
}

Result<> rt_tgsigqueueinfo(UnlockedTask task, Pid pid, Pid tid, i32 signal,
                           UserIn<abi::SigInfo> info) {
  if (pid.value <= 0 || tid.value <= 0) return Errno::kEINVAL;
  const abi::SigInfo value = TRY(read_info(signal, info));
  KernelLock::Held held;
  RefPtr<Task> target = lifecycle::find_task(tid);
  if (!target || target->process->pid != pid) return Errno::kESRCH;
  TRY(check_claim(task, *target->process, value));
  TRY(signals::may_send(task, *target->process, signal));
  if (signal != 0 && !signals::send_queued(*target, value)) return Errno::kEAGAIN;
  return {};
}

Result<> sigaltstack(UnlockedTask task, UserIn<abi::StackT> stack, UserOut<abi::StackT> old) {
  abi::StackT current = task->alternate_stack;
  const u64 sp = pico::context().registers().rsp;
  const bool on_it = !(u32(current.ss_flags) & abi::kSS_DISABLE) && sp > current.ss_sp &&
                     sp - current.ss_sp <= current.ss_size;
  if (stack) {
    abi::StackT next = TRY(stack.read());
    if (on_it) return Errno::kEPERM;
    const u32 mode = u32(next.ss_flags) & ~abi::kSS_AUTODISARM;
    if (mode != 0 && mode != abi::kSS_ONSTACK && mode != abi::kSS_DISABLE) return Errno::kEINVAL;
    if (mode == abi::kSS_DISABLE) {
      next = {0, next.ss_flags, 0, 0};
    } else if (next.ss_size < pico::machine().minimum_signal_stack) {
      return Errno::kENOMEM;
    }
    next.ss_flags &= ~i32(abi::kSS_ONSTACK);
    next.pad0 = 0;
    task->alternate_stack = next;
  }
  if (old) {
    if (on_it) current.ss_flags |= i32(abi::kSS_ONSTACK);
    TRY(old.write(current));
  }
  return {};
}

Result<> kill(UnlockedTask task, Pid pid, i32 signal) {
  if (signal != 0 && !is_signal(signal)) return Errno::kEINVAL;
  const abi::SigInfo info = signals::user_info(task, signal, abi::kSI_USER);
  KernelLock::Held held;
  if (pid.value > 0) {
    RefPtr<Process> process = lifecycle::find_process(pid);
    if (!process) return Errno::kESRCH;
    return send_if_allowed(task, *process, info);
  }
  Broadcast broadcast;
  if (pid.value == -1) {
    for (auto& [id, process] : kernel().processes) {
      if (id.value != 1 && process != task->process) {
        broadcast.add(send_if_allowed(task, *process, info));
      }
    }
    return broadcast.result();
  }
  if (pid.value == INT32_MIN) return Errno::kESRCH;
  RefPtr<ProcessGroup> group =
      pid.value == 0 ? task->process->group : lifecycle::find_group(Pid{-pid.value});
  if (!group) return Errno::kESRCH;
  for (Process& member : group->members) broadcast.add(send_if_allowed(task, member, info));
  return broadcast.result();
}

Result<> tkill(UnlockedTask task, Pid tid, i32 signal) {
  return send_to_thread(task, Pid{}, tid, signal);
}

Result<> tgkill(UnlockedTask task, Pid pid, Pid tid, i32 signal) {
  if (pid.value <= 0) return Errno::kEINVAL;
  return send_to_thread(task, pid, tid, signal);
}

}  // namespace lxss::sys
