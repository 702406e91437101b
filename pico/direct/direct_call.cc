// Direct calls: system calls of rewritten text, without a trap.
//
// A call site (call_site.h) is a jump through a slot of the table at kCallTable. The slot leads to
// a trampoline of its own here, which tells lxcore the site, and with it the number and where to
// return. Only general registers are saved: lxcore uses no others (a check of the image makes
// sure). RCX and R11, which system calls clobber, are free to use; flags are saved before they
// change.
//
// The interruption signal is not masked in a direct call. If it comes, it is masked and sent
// again, and the call returns by the host's sigreturn, after which it arrives in the guest.
#include <sys/mman.h>

#include "abi/linux/fcntl.h"
#include "host/linux/syscall.h"
#include "pico/direct/call_site.h"
#include "pico/direct/direct.h"

extern "C" const char lxss_trampolines[];
extern "C" const char lxss_trampolines_end[];
extern "C" const char lxss_direct_exit_begin[];
extern "C" const char lxss_direct_exit_end[];
extern "C" const char lxss_direct_leave[];

asm(R"(
  .pushsection .text
  .balign 16
  .globl lxss_trampolines
lxss_trampolines:
  .set slot, 0
  .rept 2047
  .balign 16
  mov $slot, %r11d
  jmp lxss_direct_entry
  .set slot, slot + 1
  .endr
  .globl lxss_trampolines_end
lxss_trampolines_end:

  # R11: the slot. GS is the guest's own unless it has the upper half of StackHeaders' addresses and
  # leads to a mark.
lxss_direct_entry:
  rdgsbase %rcx
  bswap %rcx
  lea -0x6d0000(%rcx), %ecx
  jrcxz 2f
1:
  mov $0x7f063ff8, %ecx     # a trap in the table's last slot
  jmp *%rcx
2:
  rdgsbase %rcx
3:
  mov 32(%rcx), %rcx        # StackHeader::mark
  .pushsection lxss_fixups, "a"
  .quad 3b, 1b
  .popsection
  lea -0x6c787373(%rcx), %rcx
  jrcxz 4f
  jmp 1b
4:
  rdgsbase %rcx
  mov %rsp, 24(%rcx)        # StackHeader::guest_sp
  mov 16(%rcx), %rsp        # StackHeader::direct_frame, whose offsets follow
  mov %rax, 144(%rsp)
  lahf
  seto %al
  mov %r8, 40(%rsp)
  mov %r9, 48(%rsp)
  mov %r10, 56(%rsp)
  mov %r12, 72(%rsp)
  mov %r13, 80(%rsp)
  mov %r14, 88(%rsp)
  mov %r15, 96(%rsp)
  mov %rdi, 104(%rsp)
  mov %rsi, 112(%rsp)
  mov %rbp, 120(%rsp)
  mov %rbx, 128(%rsp)
  mov %rdx, 136(%rsp)
  movzbl %ah, %edx
  and $0xd5, %edx
  movzbl %al, %eax
  shl $11, %eax
  or %eax, %edx
  pushfq
  pop %rsi
  and $~0x8d5, %rsi
  or %rdx, %rsi
  mov %rsi, 176(%rsp)
  mov 24(%rcx), %rax
  mov %rax, 160(%rsp)
  cld
  test $0x40000, %esi       # AC: lxcore is not written for aligned-only access
  jz 1f
  pushfq
  andl $~0x40000, (%rsp)
  popfq
1:
  mov %r11d, %edi
  mov %rsp, %rbx
  xor %ebp, %ebp
  and $-4096, %rsp
  call lxss_serve_direct_call
  mov %rbx, %rsp
  test %al, %al
  jnz lxss_direct_leave

  # The handler sends a thread that it finds in [begin, end) to leave: the frame is still whole.
  .globl lxss_direct_exit_begin
lxss_direct_exit_begin:
  mov 40(%rsp), %r8
  mov 48(%rsp), %r9
  mov 56(%rsp), %r10
  mov 72(%rsp), %r12
  mov 80(%rsp), %r13
  mov 88(%rsp), %r14
  mov 96(%rsp), %r15
  mov 104(%rsp), %rdi
  mov 112(%rsp), %rsi
  mov 120(%rsp), %rbp
  mov 128(%rsp), %rbx
  mov 136(%rsp), %rdx
  mov 144(%rsp), %rax
  mov 168(%rsp), %rcx
  mov 176(%rsp), %r11
  push %r11
  popfq
  mov 160(%rsp), %rsp
  jmp *%rcx
  .globl lxss_direct_exit_end
lxss_direct_exit_end:

  # RSP: the direct frame.
  .globl lxss_direct_leave
lxss_direct_leave:
  mov %rsp, %rdi
  and $-4096, %rsp
  xor %ebp, %ebp
  call lxss_leave_through_frame
  hlt
  .popsection
)");

namespace lxss::pico::direct {

using host::sys::call;

namespace {

constexpr u64 kTrampolineSize = 16;
/// In the place of the last slot, outside of kernel text: ud2.
constexpr u64 kTrapInTable = kCallTable + kNoSlot * sizeof(u64);
constexpr u64 kUd2 = 0x0b0f;
static_assert(kCallSites == 2047 && kTrapInTable == 0x7f06'3ff8);
static_assert(kStackArea >> 32 == 0x6d00 && (kStackAreaEnd - 1) >> 32 == 0x6d00);
static_assert(offsetof(StackHeader, direct_frame) == 16 && offsetof(StackHeader, guest_sp) == 24 &&
              offsetof(StackHeader, mark) == 32 && StackHeader::kMark == 0x6c787373);

std::atomic<CallSite>& site_of(u32 slot) { return boot_info().sites[slot]; }

/// The address of a site in the current address space, 0 if it has none.
u64 address_of(const CallSite& site) {
  if (site.text == 0) return 0;
  const u64 base = current().space->text_base[site.text].load(std::memory_order_relaxed);
  return base ? base + site.offset : 0;
}

/// Executes the displaced instruction. False if it faults.
bool execute_displaced(ucontext_t& frame, const CallSite& site) {
  greg_t* regs = frame.uc_mcontext.gregs;
  switch (site.displaced) {
    case Displaced::kMovEax:
      regs[REG_RAX] = site.operand;
      return true;
    case Displaced::kXorEax:
      regs[REG_RAX] = 0;
      return true;
    case Displaced::kMovEdi:
      regs[REG_RDI] = u32(abi::kAT_FDCWD);
      return true;
    case Displaced::kMovR9: {
      const u64 from = static_cast<u64>(regs[REG_RSP]) + 8;
      return is_user_range(from, sizeof(u64)) &&
             copy_user(&regs[REG_R9], reinterpret_cast<const void*>(from), sizeof(u64)) == 0;
    }
  }
  return false;
}

/// The context is that of a trap by the site's `syscall`.
void enter_call(ucontext_t& frame, u64 site_address, const CallSite& site) {
  greg_t* regs = frame.uc_mcontext.gregs;
  regs[REG_RIP] = regs[REG_RCX] = static_cast<greg_t>(site_address + site.call_size());
  regs[REG_R11] = regs[REG_EFL];
}

/// The instruction behind `syscall` of a kXorEax site, which was overwritten: executes it if the
/// context is there.
void finish_call(ucontext_t& frame, u64 site_address, const CallSite& site) {
  greg_t* regs = frame.uc_mcontext.gregs;
  if (site.displaced != Displaced::kXorEax ||
      static_cast<u64>(regs[REG_RIP]) != site_address + site.call_size()) {
    return;
  }
  constexpr greg_t kStatusFlags = 0x8d5;
  u16 low;  // AH: SF ZF AF PF CF; AL: OF
  asm("cmp %2, %1\n\tlahf\n\tseto %%al"
      : "=&a"(low)
      : "r"(regs[REG_RAX]), "r"(i64{static_cast<i32>(0xffff'0000 | site.operand)})
      : "cc");
  regs[REG_EFL] = (regs[REG_EFL] & ~kStatusFlags) | (low >> 8 & 0xd5) | (low & 1) << 11;
  regs[REG_RIP] = static_cast<greg_t>(site_address + site.size());
}

struct PlacedSite {
  CallSite site;
  u64 address = 0;  ///< 0: there is none
};

/// The site that has a byte at `distance` from its begin there.
PlacedSite site_around(u64 address, u64 distance) {
  u8 code[7];
  const u64 begin = address - distance;
  if (!is_user_range(begin, sizeof code) ||
      copy_user(code, reinterpret_cast<const void*>(begin), sizeof code) != 0) {
    return {};
  }
  const u32 slot = slot_of_jump(code);
  if (slot == kNoSlot) return {};
  const CallSite site = site_of(slot).load(std::memory_order_relaxed);
  if (address_of(site) != begin) return {};
  return {site, begin};
}

PlacedSite site_in(u64 slot) {
  if (slot >= kCallSites) return {};
  const CallSite site = site_of(u32(slot)).load(std::memory_order_relaxed);
  return {site, address_of(site)};
}

/// SIGILL at `at`, which may be what is left of a site.
SiteEvent resume_split_site(ucontext_t& frame, u64 at) {
  // Where `syscall` was.
  if (auto [site, address] = site_around(at, 5); address && site.call_size() == 7) {
    enter_call(frame, address, site);
    return SiteEvent::kSystemCall;
  }
  // The same for kXorEax, from where the processor has come to the end of the site.
  if (auto [site, address] = site_around(at, 7); address && site.size() == 10) {
    enter_call(frame, address, site);
    return SiteEvent::kSystemCall;
  }
  // Behind it.
  if (auto [site, address] = site_around(at, 4); address && site.size() == 10) {
    finish_call(frame, address, site);
    return SiteEvent::kResumed;
  }
  return SiteEvent::kNone;
}

abi::FpState& fp_of(const ucontext_t& frame) {
  return *reinterpret_cast<abi::FpState*>(frame.uc_mcontext.fpregs);
}

/// A free slot for the site, or kNoSlot.
u32 take_slot(const CallSite& site) {
  const bool is_xor = site.displaced == Displaced::kXorEax;
  for (u32 slot = is_xor ? kXorSlotsBegin : 0; slot < (is_xor ? kXorSlotsEnd : kNoSlot); ++slot) {
    if (slot == kXorSlotsBegin && !is_xor) slot = kXorSlotsEnd;
    CallSite free{};
    if (site_of(slot).compare_exchange_strong(free, site)) return slot;
  }
  return kNoSlot;
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

extern "C" bool lxss_serve_direct_call(u32 slot) {
  StackHeader& header = stack_header();
  ucontext_t& frame = *header.direct_frame;
  header.frame = &frame;
  header.fp_saved = false;
  header.thread->in_kernel.store(Thread::kInKernel, std::memory_order_relaxed);
  const auto [site, address] = site_in(slot);
  Trap trap{.kind = TrapKind::kSystemCall, .direct = true};
  if (address != 0 && execute_displaced(frame, site)) [[likely]] {
    enter_call(frame, address, site);
    trap.system_call = static_cast<u32>(frame.uc_mcontext.gregs[REG_RAX]);
  } else {
    frame.uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(address);
    trap.kind = TrapKind::kFault;
    trap.fault.signo = SIGSEGV;
    trap.fault.code = SEGV_MAPERR;
    trap.fault.fault.addr = static_cast<u64>(frame.uc_mcontext.gregs[REG_RSP]) + 8;
  }
  upcall::trap(trap);
  finish_call(frame, address, site);
  // The stack may belong to another thread than before (fork): look again.
  stack_header().thread->in_kernel.store(Thread::kInGuest, std::memory_order_relaxed);
  return stack_header().leave_through_frame;
}

extern "C" [[noreturn]] void lxss_leave_through_frame(ucontext_t* frame) {
  save_fp_state(frame);
  stack_header().leave_through_frame = false;
  lxss_return_from_frame(frame);
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
  constexpr u64 kSize = kCallTableEnd - kCallTable;
  i64 at = call(SYS_mmap, kCallTable, kSize, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (at != static_cast<i64>(kCallTable)) return;
  auto* slots = reinterpret_cast<u64*>(kCallTable);
  for (u32 i = 0; i < kCallSites; ++i) {
    slots[i] = reinterpret_cast<u64>(lxss_trampolines) + i * kTrampolineSize;
  }
  slots[kNoSlot] = kUd2;
  if (call(SYS_mprotect, kCallTable, kSize, PROT_READ | PROT_EXEC) < 0) return;
  info.sites = new std::atomic<CallSite>[kCallSites] {};
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

SiteEvent restore_call_site(int signal, ucontext_t& frame) {
  greg_t* regs = frame.uc_mcontext.gregs;
  const u64 at = static_cast<u64>(regs[REG_RIP]);
  if (signal == SIGILL && at == kTrapInTable) {
    const auto [site, address] = site_in(static_cast<u64>(regs[REG_R11]));
    if (address == 0 || !execute_displaced(frame, site)) return SiteEvent::kNone;
    enter_call(frame, address, site);
    return SiteEvent::kSystemCall;
  }
  if (signal == SIGILL && boot_info().has_direct_calls) return resume_split_site(frame, at);
  const u64 trampolines = reinterpret_cast<u64>(lxss_trampolines);
  if (signal == SIGTRAP && at >= trampolines && at < reinterpret_cast<u64>(lxss_trampolines_end)) {
    // A single step by the site's jump, where it would have been one by the displaced instruction.
    const auto [site, address] = site_in((at - trampolines) / kTrampolineSize);
    if (address == 0 || !execute_displaced(frame, site)) return SiteEvent::kNone;
    regs[REG_RIP] = static_cast<greg_t>(address + site.call_size() - kSyscallSize);
    return SiteEvent::kSingleStep;
  }
  return SiteEvent::kNone;
}

}  // namespace lxss::pico::direct

namespace lxss::pico {

using namespace direct;

bool is_call_site(u64 behind) {
  u8 code[kBefore + kSyscallSize + kBehind];
  const u64 begin = behind - kSyscallSize - kBefore;
  return boot_info().has_direct_calls && is_user_range(begin, sizeof code) &&
         copy_user(code, reinterpret_cast<const void*>(begin), sizeof code) == 0 &&
         find_site(code, kBefore);
}

Result<u32> take_text_number() {
  auto& texts = boot_info().texts;
  u64 used = texts.load();
  for (;;) {
    if (~used == 0) return Errno::kENOSPC;
    const u32 number = static_cast<u32>(__builtin_ctzll(~used));
    if (texts.compare_exchange_weak(used, used | u64{1} << number)) return number;
  }
}

void forget_text(u32 text) {
  for (u32 slot = 0; slot < kCallSites; ++slot) {
    if (site_of(slot).load().text == text) site_of(slot).store({});
  }
  boot_info().texts.fetch_and(~(u64{1} << text));
}

u32 rewrite_calls(u32 text, std::span<std::byte> bytes, u64 offset) {
  std::span code(reinterpret_cast<u8*>(bytes.data()), bytes.size());
  u32 rewritten = 0;
  for (usize at = 0; at < code.size(); ++at) {
    if (code[at] != kSyscall[0]) continue;
    auto site = find_site(code, at);
    if (!site) continue;
    const bool is_xor = site->displaced == Displaced::kXorEax;
    if (is_xor && is_jumped_into(code, *site)) continue;
    const u32 place = site->offset;
    site->offset += static_cast<u32>(offset);
    site->text = static_cast<u8>(text);
    const u32 slot = take_slot(*site);
    if (slot == kNoSlot) continue;
    write_jump(&code[place], site->displaced, slot);
    ++rewritten;
  }
  return rewritten;
}

}  // namespace lxss::pico
