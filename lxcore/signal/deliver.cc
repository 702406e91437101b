// Delivering signals: the way back to the guest.
#include <algorithm>

#include "abi/linux/syscall_numbers.h"
#include "lxcore/kernel.h"
#include "lxcore/task/lifecycle.h"

namespace lxss::signals {

using abi::SaFlag;
using abi::SigAction;
using abi::SigInfo;
using abi::SigSet;

namespace {

enum class DefaultAction : u8 { kTerminate, kCore, kIgnore, kStop };

DefaultAction default_action(i32 signal) {
  switch (signal) {
    case abi::kSIGCHLD:
    case abi::kSIGURG:
    case abi::kSIGWINCH:
    case abi::kSIGCONT:
      return DefaultAction::kIgnore;
    case abi::kSIGSTOP:
    case abi::kSIGTSTP:
    case abi::kSIGTTIN:
    case abi::kSIGTTOU:
      return DefaultAction::kStop;
    case abi::kSIGQUIT:
    case abi::kSIGILL:
    case abi::kSIGTRAP:
    case abi::kSIGABRT:
    case abi::kSIGBUS:
    case abi::kSIGFPE:
    case abi::kSIGSEGV:
    case abi::kSIGXCPU:
    case abi::kSIGXFSZ:
    case abi::kSIGSYS:
      return DefaultAction::kCore;
    default:
      return DefaultAction::kTerminate;
  }
}

bool on_alternate_stack(const Task& task, u64 sp) {
  const abi::StackT& stack = task.alternate_stack;
  return !(stack.ss_flags & i32(abi::kSS_DISABLE)) && sp > stack.ss_sp &&
         sp - stack.ss_sp <= stack.ss_size;
}

/// Builds the frame and points the context at the handler. EFAULT if the stack is no good.
Result<> enter_handler(Task& task, const SigAction& action, const SigInfo& info) {
  pico::Context context = pico::context();
  abi::SigContext& regs = context.registers();
  const abi::SaFlags flags(action.flags);
  if (!flags.has(SaFlag::kSA_RESTORER) || !pico::is_user_range(action.handler, 1)) {
    return Errno::kEFAULT;
  }

  constexpr u64 kRedZone = 128;
  u64 sp = regs.rsp - kRedZone;
  const bool nested = on_alternate_stack(task, regs.rsp);
  const bool switches = flags.has(SaFlag::kSA_ONSTACK) && !nested &&
                        !(task.alternate_stack.ss_flags & i32(abi::kSS_DISABLE));
  if (switches) sp = task.alternate_stack.ss_sp + task.alternate_stack.ss_size;

  std::span<std::byte> fp = context.fp_state();
  u64 fp_at = 0;
  if (!fp.empty()) {
    fp_at = (sp - fp.size()) & ~u64{63};
    sp = fp_at;
  }
  u64 frame_at = ((sp - sizeof(abi::RtSigFrame)) & ~u64{15}) - 8;
  if (nested && !on_alternate_stack(task, frame_at)) return Errno::kEFAULT;

  abi::RtSigFrame frame{};
  frame.pretcode = action.restorer;
  frame.uc.uc_flags = abi::kUC_SIGCONTEXT_SS | abi::kUC_STRICT_RESTORE_SS;
  if (fp.size() > sizeof(abi::FpState)) frame.uc.uc_flags |= abi::kUC_FP_XSTATE;
  frame.uc.uc_stack = task.alternate_stack;
  if (nested) frame.uc.uc_stack.ss_flags |= i32(abi::kSS_ONSTACK);
  frame.uc.uc_mcontext = regs;
  frame.uc.uc_mcontext.fpstate = fp_at;
  frame.uc.uc_sigmask = task.restore_saved_mask ? task.saved_mask : task.blocked;
  frame.uc.uc_mcontext.oldmask = frame.uc.uc_sigmask.bits;
  frame.info = info;
  if (fp_at != 0) TRY(copy_out(UserAddr{fp_at}, fp.data(), fp.size()));
  TRY(copy_out(UserAddr{frame_at}, &frame, sizeof frame));
  task.restore_saved_mask = false;
  if (u32(task.alternate_stack.ss_flags) & abi::kSS_AUTODISARM) {
    task.alternate_stack = {0, i32(abi::kSS_DISABLE), 0, 0};
  }

  regs.rdi = u64(info.signo);
  regs.rsi = frame_at + offsetof(abi::RtSigFrame, info);
  regs.rdx = frame_at + offsetof(abi::RtSigFrame, uc);
  regs.rax = 0;
  regs.rsp = frame_at;
  regs.rip = action.handler;
  constexpr u64 kTrapFlag = 0x100, kDirectionFlag = 0x400, kResumeFlag = 0x10000;
  regs.eflags &= ~(kTrapFlag | kDirectionFlag | kResumeFlag);

  SigSet mask = task.blocked.get() | action.mask;
  if (!flags.has(SaFlag::kSA_NODEFER)) mask.add(info.signo);
  set_mask(task, mask);
  return {};
}

/// The restart decision for a call that a signal interrupted. `action` null: no handler runs.
void resolve_restart(i64 call, const SigAction* action) {
  if (call < 0) return;
  abi::SigContext& regs = pico::context().registers();
  auto error = static_cast<Errno>(-static_cast<i64>(regs.rax));
  constexpr u64 kSystemCallSize = 2;
  u64 restart_with = u64(call);
  switch (error) {
    case Errno::kERESTARTNOINTR:
      break;
    case Errno::kERESTARTSYS:
      if (action && !abi::SaFlags(action->flags).has(SaFlag::kSA_RESTART)) {
        regs.rax = u64(-static_cast<i64>(Errno::kEINTR));
        return;
      }
      break;
    case Errno::kERESTARTNOHAND:
    case Errno::kERESTART_RESTARTBLOCK:
      if (action) {
        regs.rax = u64(-static_cast<i64>(Errno::kEINTR));
        return;
      }
      if (error == Errno::kERESTART_RESTARTBLOCK) restart_with = abi::kSYS_restart_syscall;
      break;
    default:
      return;
  }
  regs.rax = restart_with;
  regs.rip -= kSystemCallSize;
}

void stop(Task& task, i32 signal) {
  Process& process = *task.process;
  if (signal != abi::kSIGSTOP && process.group->orphaned()) return;
  process.state = ProcessState::kStopped;
  process.stop_signal = signal;
  process.continued = false;
  process.update_reports();
  for (Task& thread : process.threads) {
    if (&thread != &task) kick(thread);
  }
  SigInfo info = kernel_info(abi::kSIGCHLD);
  info.code = abi::kCLD_STOPPED;
  info.child = {process.pid.value, task.credentials->uid, signal, 0, 0, 0};
  notify_parent(process, info);
}

void wait_until_continued(Task& task) {
  task.stopped = true;
  while (task.process->state == ProcessState::kStopped && !killed(task)) {
    (void)sleep_killable(task);
  }
  task.stopped = false;
}

/// A synchronous fault first, then the thread's own signals before the process's.
SigInfo next_signal(Task& task) {
  if (i32 forced = std::exchange(task.forced_signal, 0); forced && task.pending.set().has(forced)) {
    return task.pending.take(SigSet::of(forced));
  }
  return take(task, ~task.blocked.get());
}

struct Delivery {
  SigInfo info{};
  SigAction action{};
};

/// Acts on signals up to the first that has a handler. False when there is none left.
bool next_delivery(Task& task, Delivery& next) {
  KernelLock::Held held;
  for (;;) {
    if (killed(task)) return false;
    if (task.process->state == ProcessState::kStopped) {
      wait_until_continued(task);
      continue;
    }
    next.info = next_signal(task);
    const i32 signal = next.info.signo;
    if (signal == 0) return false;
    SigAction& entry = task.actions->at(signal);
    next.action = entry;
    if (entry.handler == abi::kSIG_IGN) continue;
    if (entry.handler != abi::kSIG_DFL) {
      if (abi::SaFlags(entry.flags).has(SaFlag::kSA_RESETHAND)) entry.handler = abi::kSIG_DFL;
      return true;
    }
    switch (default_action(signal)) {
      case DefaultAction::kIgnore:
        break;
      case DefaultAction::kStop:
        stop(task, signal);
        break;
      case DefaultAction::kCore:
      case DefaultAction::kTerminate:
        end_process(*task.process, abi::wait_status_signaled(signal, false));
        break;
    }
  }
}

/// No frame can be built on the guest's stack.
void force_stack_fault(Task& task, i32 signal) {
  KernelLock::Held held;
  if (signal == abi::kSIGSEGV) task.actions->at(abi::kSIGSEGV).handler = abi::kSIG_DFL;
  force(task, kernel_info(abi::kSIGSEGV));
}

}  // namespace

void before_return_to_guest(i64 call) {
  Task& task = Task::current();
  for (bool handled = false;;) {
    if (interrupted(task)) [[unlikely]] {
      for (Delivery next; next_delivery(task, next);) {
        resolve_restart(handled ? -1 : call, &next.action);
        if (enter_handler(task, next.action, next.info).ok()) {
          handled = true;
        } else {
          force_stack_fault(task, next.info.signo);
        }
      }
      if (killed(task)) lifecycle::exit_current_task();
    }
    if (!task.restore_saved_mask) [[likely]] {
      if (!handled) resolve_restart(call, nullptr);
      return;
    }
    task.restore_saved_mask = false;
    set_mask(task, task.saved_mask);
  }
}

i64 return_from_frame() {
  Task& task = Task::current();
  pico::Context context = pico::context();
  abi::SigContext& regs = context.registers();
  auto bad_frame = [&] {
    KernelLock::Held held;
    force(task, kernel_info(abi::kSIGSEGV));
    return i64(regs.rax);
  };
  abi::UContext frame;
  UserAddr at{regs.rsp - 8 + offsetof(abi::RtSigFrame, uc)};
  if (!copy_in(&frame, at, sizeof frame)) return bad_frame();
  const abi::SigContext& saved = frame.uc_mcontext;
  if (!pico::is_user_range(saved.rip, 1)) return bad_frame();
  if (saved.fpstate == 0) {
    context.load_fp_state({});
  } else {
    std::byte state[4096];
    usize size = std::min(std::max(context.fp_state().size(), sizeof(abi::FpState)), sizeof state);
    usize got = copy_in_partial(state, UserAddr{saved.fpstate}, size);
    if (got < sizeof(abi::FpState)) return bad_frame();
    auto* legacy = reinterpret_cast<const abi::FpState*>(state);
    bool extended = legacy->sw_reserved.magic1 == abi::kFP_XSTATE_MAGIC1;
    context.load_fp_state({state, extended ? got : sizeof(abi::FpState)});
  }
  // Segments and the place of the host's own FP area are not the guest's to choose.
  abi::SigContext restored = saved;
  restored.cs = regs.cs;
  restored.ss = regs.ss;
  restored.gs = regs.gs;
  restored.fs = regs.fs;
  restored.fpstate = regs.fpstate;
  constexpr u64 kUserFlags = 0x240dd5;  // ID AC OF DF TF SF ZF AF PF CF
  restored.eflags = (regs.eflags & ~kUserFlags) | (saved.eflags & kUserFlags);
  for (usize i = 0; i < std::size(restored.reserved1); ++i) {
    restored.reserved1[i] = regs.reserved1[i];
  }
  regs = restored;
  set_mask(task, frame.uc_sigmask);
  frame.uc_stack.ss_flags &= ~i32(abi::kSS_ONSTACK);
  if (!on_alternate_stack(task, regs.rsp)) {
    abi::StackT stack = frame.uc_stack;
    bool disabled = u32(stack.ss_flags) & abi::kSS_DISABLE;
    if (disabled || stack.ss_size >= abi::kMINSIGSTKSZ) task.alternate_stack = stack;
  }
  return i64(regs.rax);
}

}  // namespace lxss::signals
