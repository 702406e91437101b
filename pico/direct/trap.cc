// Traps: host signals of a pico process become upcalls into lxcore.
//
// SIGSYS (a system call outside kernel text), the fault signals and the
// interruption signal arrive on the thread's kernel stack with the guest's
// registers in the signal frame. Returning from the handler enters the guest.
#include "host/linux/syscall.h"
#include "pico/direct/direct.h"

// Copy routines that may touch guest memory name their faulting instruction and
// where to go on in this table (section lxss_fixups).
struct Fixup {
  u_int64_t fault;
  u_int64_t resume;
};
extern "C" const Fixup __start_lxss_fixups[];
extern "C" const Fixup __stop_lxss_fixups[];

extern "C" const char lxss_interruptible_begin[];
extern "C" const char lxss_interruptible_end[];
extern "C" const char lxss_interruptible_cancel[];
extern "C" void lxss_trap_entry(int, siginfo_t*, void*);

asm(R"(
  .pushsection .text
  # A guest may have set AC: lxcore is not written for aligned-only access.
  .globl lxss_trap_entry
lxss_trap_entry:
  pushfq
  andl $~0x40000, (%rsp)
  popfq
  jmp lxss_handle_signal

  .globl lxss_restorer
lxss_restorer:
  mov $15, %eax
  syscall
  hlt

  .globl lxss_return_from_frame
lxss_return_from_frame:
  mov %rdi, %rsp
  mov $15, %eax
  syscall
  hlt

  # interruptible(number, a..f): the interruption signal is unblocked around the call.
  # The handler sends a thread that it finds in [begin, end) to cancel.
  .globl lxss_interruptible_call
lxss_interruptible_call:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rdi, %rbx
  mov %rsi, %rbp
  mov %rdx, %r12
  mov %rcx, %r13
  mov %r8, %r14
  mov %r9, %r15
  mov $14, %eax
  mov $1, %edi
  lea lxss_interrupt_mask(%rip), %rsi
  xor %edx, %edx
  mov $8, %r10d
  syscall
  .globl lxss_interruptible_begin
lxss_interruptible_begin:
  mov %rbx, %rax
  mov %rbp, %rdi
  mov %r12, %rsi
  mov %r13, %rdx
  mov %r14, %r10
  mov %r15, %r8
  mov 56(%rsp), %r9
  syscall
  .globl lxss_interruptible_end
lxss_interruptible_end:
  jmp 1f
  .globl lxss_interruptible_cancel
lxss_interruptible_cancel:
  mov $-4, %rax
1:
  mov %rax, %rbx
  mov $14, %eax
  xor %edi, %edi
  lea lxss_interrupt_mask(%rip), %rsi
  xor %edx, %edx
  mov $8, %r10d
  syscall
  mov %rbx, %rax
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
  .popsection
  .pushsection .rodata
  .balign 8
lxss_interrupt_mask:
  .quad 0x100000000
  .popsection
)");
static_assert(lxss::pico::direct::kInterruptSignal == 33, "lxss_interrupt_mask is bit 33 - 1");

extern "C" lxss::i64 lxss_interruptible_call(lxss::i64 number, lxss::u64 a, lxss::u64 b,
                                             lxss::u64 c, lxss::u64 d, lxss::u64 e, lxss::u64 f);

namespace lxss::host::sys {

i64 interruptible(i64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  auto& state = pico::current().in_kernel;
  state.store(pico::Thread::kBlockedInHost, std::memory_order_relaxed);
  i64 result = lxss_interruptible_call(number, a, b, c, d, e, f);
  state.store(pico::Thread::kInKernel, std::memory_order_relaxed);
  // In a direct call the signal was not masked before.
  pico::direct::stack_header().leave_through_frame = true;
  return result;
}

}  // namespace lxss::host::sys

namespace lxss::pico::direct {

[[noreturn]] void panic_on_fault(int signal, const siginfo_t& info, const ucontext_t& frame);

namespace {

constexpr u32 kArchX86_64 = 0xc000003e;

/// What to do with a signal that found the thread inside lxcore.
void handle_in_kernel(int signal, const siginfo_t& info, ucontext_t& frame) {
  greg_t& rip = frame.uc_mcontext.gregs[REG_RIP];
  u64 at = static_cast<u64>(rip);
  if (signal == kInterruptSignal) {
    if (at >= reinterpret_cast<u64>(lxss_interruptible_begin) &&
        at < reinterpret_cast<u64>(lxss_interruptible_end)) {
      rip = reinterpret_cast<greg_t>(lxss_interruptible_cancel);
    } else {
      put_interruption_off(frame);
    }
    return;
  }
  if (signal == SIGSEGV || signal == SIGBUS) {
    for (const Fixup* fixup = __start_lxss_fixups; fixup != __stop_lxss_fixups; ++fixup) {
      if (fixup->fault == at) {
        rip = static_cast<greg_t>(fixup->resume);
        return;
      }
    }
  }
  panic_on_fault(signal, info, frame);
}

}  // namespace

extern "C" void lxss_handle_signal(int signal, siginfo_t* info, ucontext_t* frame) {
  const greg_t* regs = frame->uc_mcontext.gregs;
  const SiteEvent site = restore_call_site(signal, *frame);
  if (site == SiteEvent::kResumed) return;
  if (in_kernel_text(static_cast<u64>(regs[REG_RIP]))) [[unlikely]] {
    handle_in_kernel(signal, *info, *frame);
    return;
  }
  StackHeader& header = stack_header();
  header.frame = frame;
  header.thread->in_kernel.store(1, std::memory_order_relaxed);
  Trap trap{.kind = TrapKind::kInterrupt};
  if (site == SiteEvent::kSystemCall) [[unlikely]] {
    trap.kind = TrapKind::kSystemCall;
    trap.system_call = static_cast<u32>(regs[REG_RAX]);
  } else if (signal == SIGSYS) {
    trap.kind = TrapKind::kSystemCall;
    trap.system_call = info->si_arch == kArchX86_64 ? i64{static_cast<u32>(info->si_syscall)} : -1;
  } else if (signal != kInterruptSignal) {
    trap.kind = TrapKind::kFault;
    static_assert(sizeof trap.fault == sizeof *info);
    __builtin_memcpy(&trap.fault, info, sizeof trap.fault);
    if (site == SiteEvent::kSingleStep) trap.fault.fault.addr = static_cast<u64>(regs[REG_RIP]);
  }
  if (trap.kind == TrapKind::kSystemCall) {
    count_call(header.thread->trapped_calls, boot_info().trapped_calls);
  }
  upcall::trap(trap);
  // The stack may belong to another thread than before (fork): look again.
  stack_header().leave_through_frame = false;
  stack_header().thread->in_kernel.store(0, std::memory_order_relaxed);
}

void install_trap_handlers() {
  struct {
    void (*handler)(int, siginfo_t*, void*);
    u64 flags;
    void (*restorer)();
    u64 mask;
  } action = {lxss_trap_entry, SA_SIGINFO | SA_ONSTACK | SA_NODEFER | 0x04000000, lxss_restorer,
              u64{1} << (kInterruptSignal - 1)};
  for (int signal : {SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, kInterruptSignal}) {
    if (host::sys::call(SYS_rt_sigaction, signal, &action, nullptr, 8) < 0) {
      LXSS_PANIC("rt_sigaction");
    }
  }
}

/// What the host would end a pico process for while it does I/O for a guest.
void ignore_host_signals() {
  struct {
    void (*handler)(int);
    u64 flags = 0;
    void (*restorer)() = nullptr;
    u64 mask = 0;
  } action = {SIG_IGN};
  for (int signal : {SIGPIPE, SIGXFSZ, SIGTTIN, SIGTTOU, SIGTSTP, SIGINT, SIGQUIT, SIGHUP}) {
    host::sys::call(SYS_rt_sigaction, signal, &action, nullptr, 8);
  }
}

void use_stack_slot(u32 slot) {
  stack_t stack{};
  stack.ss_sp = reinterpret_cast<void*>(slot_begin(slot));
  stack.ss_size = slot_stack(slot) - slot_begin(slot);
  if (host::sys::call(SYS_sigaltstack, &stack, nullptr) < 0) LXSS_PANIC("sigaltstack");
  prepare_direct_calls();
}

}  // namespace lxss::pico::direct

namespace lxss::pico {

Thread& current() { return *direct::stack_header().thread; }

i32 caller() {
  const u64 here = reinterpret_cast<u64>(__builtin_frame_address(0));
  const bool on_kernel_stack = here >= kWindowBegin && here < kWindowEnd;
  return on_kernel_stack ? current().host_thread : direct::boot_info().monitor_process;
}

void become(Thread& thread) {
  Thread& old = current();
  thread.host_process = old.host_process;
  thread.host_thread = old.host_thread;
  thread.space = old.space;
  thread.stack_slot = old.stack_slot;
  thread.in_kernel = 1;
  direct::stack_header().thread = &thread;
}

Context context() { return Context(direct::stack_header().frame); }

void interrupt(const Thread& thread) {
  host::sys::call(SYS_tgkill, thread.host_process, thread.host_thread, direct::kInterruptSignal);
}

}  // namespace lxss::pico
