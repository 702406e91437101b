// Serves a direct call, between the way in and the way out (direct_entry.cc).
//
// The interruption signal is not masked in a direct call. If it comes, it is masked and sent
// again, and the call returns by the host's sigreturn, after which it arrives in the guest.
#include "pico/direct/direct_call.h"

#include "pico/direct/rewritten_text.h"

namespace lxss::pico::direct {

namespace {

/// Who goes to behind `syscall` goes on at the copies of what was there, without a SIGILL.
void skip_site(ucontext_t& frame, const PlacedSite& site) {
  greg_t& rip = frame.uc_mcontext.gregs[REG_RIP];
  if (site.site->has_rest() && static_cast<u64>(rip) == site.behind()) {
    rip = static_cast<greg_t>(site.rest());
  }
}

}  // namespace

/// True if the call is to return through the frame.
extern "C" bool lxss_serve_direct_call(u32 id) {
  StackHeader& header = stack_header();
  ucontext_t& frame = *header.direct_frame;
  header.frame = &frame;
  header.fp_saved = false;
  header.thread->in_kernel.store(Thread::kInKernel, std::memory_order_relaxed);
  count_call(header.thread->direct_calls, boot_info().direct_calls);
  const PlacedSite site = site_of_id(id);
  Trap trap{.kind = TrapKind::kSystemCall, .direct = true};
  if (site) [[likely]] {
    enter_call(frame, site.behind());
    trap.system_call = static_cast<u32>(frame.uc_mcontext.gregs[REG_RAX]);
  } else {
    // Of no code of ours.
    frame.uc_mcontext.gregs[REG_RIP] = 0;
    trap.kind = TrapKind::kFault;
    trap.fault.signo = SIGSEGV;
    trap.fault.code = SEGV_MAPERR;
  }
  upcall::trap(trap);
  // The stack may belong to another thread than before (fork): look again.
  StackHeader& after = stack_header();
  after.thread->in_kernel.store(Thread::kInGuest, std::memory_order_relaxed);
  // After exec the site is another program's, and the frame is complete.
  if (!after.leave_through_frame && site) skip_site(frame, site);
  return after.leave_through_frame;
}

extern "C" [[noreturn]] void lxss_leave_through_frame(ucontext_t* frame) {
  save_fp_state(frame);
  stack_header().leave_through_frame = false;
  lxss_return_from_frame(frame);
}

void put_interruption_off(ucontext_t& frame) {
  StackHeader& header = stack_header();
  header.leave_through_frame = true;
  frame.uc_sigmask.__val[0] |= u64{1} << (kInterruptSignal - 1);
  interrupt(*header.thread);
  greg_t* regs = frame.uc_mcontext.gregs;
  const u64 at = static_cast<u64>(regs[REG_RIP]);
  if (at >= reinterpret_cast<u64>(lxss_direct_exit_begin) &&
      at < reinterpret_cast<u64>(lxss_direct_exit_end)) {
    regs[REG_RIP] = reinterpret_cast<greg_t>(lxss_direct_leave);
    regs[REG_RSP] = reinterpret_cast<greg_t>(header.direct_frame);
  }
}

}  // namespace lxss::pico::direct
