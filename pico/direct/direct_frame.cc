// The frame that direct calls save registers in: on each kernel stack, prepared once.
//
// Its layout is a trap's, so that everything above pico/ sees no difference. It lacks the FP state,
// which is saved when somebody wants it.
#include <sys/mman.h>

#include "host/linux/syscall.h"
#include "pico/direct/direct_call.h"

namespace lxss::pico::direct {

using host::sys::call;

namespace {

abi::FpState& fp_of(const ucontext_t& frame) {
  return *reinterpret_cast<abi::FpState*>(frame.uc_mcontext.fpregs);
}

extern "C" void lxss_probe_handler(int, siginfo_t*, ucontext_t* frame) {
  if (!frame->uc_mcontext.fpregs) return;
  const abi::FpStateSoftware& software = fp_of(*frame).sw_reserved;
  if (software.magic1 != abi::kFP_XSTATE_MAGIC1) return;
  boot_info().fp = {software.xfeatures, software.xstate_size, software.extended_size};
}

/// Sends itself a signal to see.
void probe_fp_layout() {
  struct {
    void (*handler)(int, siginfo_t*, ucontext_t*);
    u64 flags;
    void (*restorer)();
    u64 mask;
  } action = {lxss_probe_handler, SA_SIGINFO | 0x04000000 /* SA_RESTORER */, lxss_restorer, 0};
  call(SYS_rt_sigaction, SIGUSR1, &action, nullptr, 8);
  call(SYS_tgkill, current().host_process, current().host_thread, SIGUSR1);
  action = {};
  call(SYS_rt_sigaction, SIGUSR1, &action, nullptr, 8);
}

}  // namespace

void enable_direct_calls() {
  BootInfo& info = boot_info();
  constexpr u64 kHasFsGsBase = 2;
  probe_fp_layout();
  // The direct frame with a little room below it, the FP state and the header share a page.
  constexpr u64 kRoom = 256;
  if (!(info.machine.hwcap2 & kHasFsGsBase) || info.fp.features == 0 ||
      kRoom + sizeof(abi::UContext) + align_up(info.fp.extended_size, 64) + kStackHeaderSize >
          kPageSize) {
    return;
  }
  i64 at = call(SYS_mmap, kCallTable, kPageSize, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (at != static_cast<i64>(kCallTable)) return;
  constexpr u64 kUd2 = 0x0b0f;
  *reinterpret_cast<u64*>(kEntryOfDirectCalls) = reinterpret_cast<u64>(lxss_direct_entry);
  *reinterpret_cast<u64*>(kTrapInTable) = kUd2;
  if (call(SYS_mprotect, kCallTable, kPageSize, PROT_READ | PROT_EXEC) < 0) return;
  info.has_direct_calls = true;
}

void prepare_direct_calls() {
  if (!boot_info().has_direct_calls) return;
  const FpLayout& layout = boot_info().fp;
  StackHeader& header = stack_header();
  const u64 end = reinterpret_cast<u64>(&header);
  const u64 fp_at = (end - layout.extended_size) & ~u64{63};
  auto* frame = reinterpret_cast<abi::UContext*>((fp_at - sizeof(abi::UContext)) & ~u64{15});
  const u64 slot = end & ~(kStackSize - 1);
  *frame = {};
  frame->uc_flags = abi::kUC_FP_XSTATE | abi::kUC_SIGCONTEXT_SS | abi::kUC_STRICT_RESTORE_SS;
  frame->uc_stack = {slot, 0, 0, kStackSize - kPageSize};
  constexpr u16 kUserCodeSegment = 0x33, kUserStackSegment = 0x2b;
  frame->uc_mcontext.cs = kUserCodeSegment;
  frame->uc_mcontext.ss = kUserStackSegment;
  frame->uc_mcontext.fpstate = fp_at;
  auto& fp = *reinterpret_cast<abi::FpState*>(fp_at);
  fp.sw_reserved = {
      abi::kFP_XSTATE_MAGIC1, layout.extended_size, layout.features, layout.state_size, {}};
  *reinterpret_cast<abi::XStateHeader*>(&fp + 1) = {};
  *reinterpret_cast<u32*>(fp_at + layout.state_size) = abi::kFP_XSTATE_MAGIC2;
  header.direct_frame = reinterpret_cast<ucontext_t*>(frame);
  header.mark = StackHeader::kMark;
  set_gs_base(0);
}

void save_fp_state(const ucontext_t* frame) {
  StackHeader& header = stack_header();
  if (frame != header.direct_frame) return;
  if (!header.fp_saved) {
    const u64 features = boot_info().fp.features;
    asm volatile("xsave64 (%0)"
                 :
                 : "r"(frame->uc_mcontext.fpregs), "a"(u32(features)), "d"(u32(features >> 32))
                 : "memory");
    header.fp_saved = true;
  }
  header.leave_through_frame = true;
}

}  // namespace lxss::pico::direct
