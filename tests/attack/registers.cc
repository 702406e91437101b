// Crafted signal frames and register states: what rt_sigreturn restores, and what a system call
// finds in the stack pointer, the flags and the segment bases.
#include <asm/prctl.h>
#include <sys/auxv.h>
#include <sys/ucontext.h>

#include "attack.h"

using namespace attack;

namespace {

// The kernel stacks' slots (pico/layout.h), of which one-threaded programs have the first.
constexpr uintptr_t kStacks = 0x6d0009000000, kStackSize = 128 * 1024;

using Change = void (*)(ucontext_t&);
Change change_frame;

/// Returns through a frame that `change` has spoilt; then makes calls in what is left.
void attack_frame(const char* name, Change change) {
  attempt(name, [=] {
    change_frame = change;
    struct sigaction action = {};
    action.sa_sigaction = [](int, siginfo_t*, void* context) {
      change_frame(*static_cast<ucontext_t*>(context));
    };
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGUSR1, &action, nullptr);
    raise(SIGUSR1);
    getppid();
    return false;
  });
}

void set_register(ucontext_t& context, int which, uintptr_t value) {
  context.uc_mcontext.gregs[which] = static_cast<greg_t>(value);
}

void set_selectors(ucontext_t& context, unsigned code, unsigned stack) {
  set_register(context, REG_CSGSFS, code | uintptr_t{stack} << 48);
}

template <typename T>
T& in_fp_state(ucontext_t& context, size_t offset) {
  return *reinterpret_cast<T*>(reinterpret_cast<char*>(context.uc_mcontext.fpregs) + offset);
}

// Offsets in the saved FP area: MXCSR, the software-reserved words, the XSAVE header.
constexpr size_t kMxcsr = 24, kMagic1 = 464, kExtendedSize = 468, kFeatures = 472, kStateSize = 480;
constexpr size_t kXsaveHeader = 512;

void attack_frames() {
  attack_frame("kernel code selector", [](ucontext_t& c) { set_selectors(c, 0x10, 0x18); });
  attack_frame("null selectors", [](ucontext_t& c) { set_selectors(c, 0, 0); });
  attack_frame("32-bit code selector", [](ucontext_t& c) { set_selectors(c, 0x23, 0x2b); });
  attack_frame("selectors beyond the table",
               [](ucontext_t& c) { set_selectors(c, 0xfffb, 0xffff); });
  attack_frame("local selectors", [](ucontext_t& c) { set_selectors(c, 0x37, 0x3f); });
  attack_frame("non-canonical rip",
               [](ucontext_t& c) { set_register(c, REG_RIP, 0x800000000000); });
  attack_frame("rip of the host kernel",
               [](ucontext_t& c) { set_register(c, REG_RIP, 0xffffffff81000000); });
  attack_frame("rip in the image",
               [](ucontext_t& c) { set_register(c, REG_RIP, kImage + 0x1000); });
  attack_frame("rip in the arena", [](ucontext_t& c) { set_register(c, REG_RIP, kWindowBegin); });
  attack_frame("non-canonical rsp",
               [](ucontext_t& c) { set_register(c, REG_RSP, 0x8000000000000000); });
  attack_frame("rsp in the window",
               [](ucontext_t& c) { set_register(c, REG_RSP, kWindowBegin + 0x8000); });
  attack_frame("all flags", [](ucontext_t& c) { set_register(c, REG_EFL, ~0ul); });
  attack_frame("input-output privilege",
               [](ucontext_t& c) { c.uc_mcontext.gregs[REG_EFL] |= 0x3000; });
  attack_frame("virtual 8086 mode", [](ucontext_t& c) { c.uc_mcontext.gregs[REG_EFL] |= 0x20000; });
  attack_frame("nested task", [](ucontext_t& c) { c.uc_mcontext.gregs[REG_EFL] |= 0x4000; });
  attack_frame("single steps", [](ucontext_t& c) { c.uc_mcontext.gregs[REG_EFL] |= 0x100; });
  attack_frame("no FP state", [](ucontext_t& c) { c.uc_mcontext.fpregs = nullptr; });
  attack_frame("unaligned FP state", [](ucontext_t& c) {
    c.uc_mcontext.fpregs =
        reinterpret_cast<fpregset_t>(reinterpret_cast<char*>(c.uc_mcontext.fpregs) + 1);
  });
  attack_frame("FP state in the window",
               [](ucontext_t& c) { c.uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(kImage); });
  attack_frame("FP state of the host kernel", [](ucontext_t& c) {
    c.uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(0xffff888000000000);
  });
  attack_frame("reserved MXCSR bits",
               [](ucontext_t& c) { in_fp_state<uint32_t>(c, kMxcsr) = ~0u; });
  attack_frame("wrong magic",
               [](ucontext_t& c) { in_fp_state<uint32_t>(c, kMagic1) = 0x12345678; });
  attack_frame("no FP size", [](ucontext_t& c) { in_fp_state<uint32_t>(c, kExtendedSize) = 0; });
  attack_frame("huge FP size",
               [](ucontext_t& c) { in_fp_state<uint32_t>(c, kExtendedSize) = ~0u; });
  attack_frame("huge state size",
               [](ucontext_t& c) { in_fp_state<uint32_t>(c, kStateSize) = ~0u; });
  attack_frame("all features", [](ucontext_t& c) {
    in_fp_state<uint64_t>(c, kFeatures) = ~0ul;
    in_fp_state<uint64_t>(c, kXsaveHeader) = ~0ul;
  });
  attack_frame("compacted format",
               [](ucontext_t& c) { in_fp_state<uint64_t>(c, kXsaveHeader + 8) = ~0ul; });
  attack_frame("reserved header bytes",
               [](ucontext_t& c) { in_fp_state<uint64_t>(c, kXsaveHeader + 16) = ~0ul; });
  attack_frame("full mask",
               [](ucontext_t& c) { std::memset(&c.uc_sigmask, 0xff, sizeof c.uc_sigmask); });
  attack_frame("alternate stack in the window", [](ucontext_t& c) {
    c.uc_stack = {
        .ss_sp = reinterpret_cast<void*>(kWindowBegin), .ss_flags = 0, .ss_size = 1 << 20};
  });
  attempt("rt_sigreturn from nowhere", [] {
    syscall(SYS_rt_sigreturn);
    return false;
  });
  for (uintptr_t address : kWindowAddresses) {
    attempt("rt_sigreturn on a kernel stack", [=] {
      asm volatile("mov %0, %%rsp; syscall; ud2"
                   :
                   : "r"(address), "a"(SYS_rt_sigreturn)
                   : "memory");
      return false;
    });
    attempt("calls on a kernel stack", [=] {
      long result = SYS_getppid;
      asm volatile(
          "mov %%rsp, %%rbx\n\t"
          "mov %[stack], %%rsp\n\t"
          "syscall\n\t"
          "mov %%rbx, %%rsp"
          : "+a"(result)
          : [stack] "r"(address)
          : "rbx", "rcx", "r11", "memory");
      return result != getppid();
    });
    attempt("signals on a kernel stack", [=] {
      signal(SIGUSR1, [](int) { _exit(kReached); });
      asm volatile("mov %0, %%rsp; syscall; ud2"
                   :
                   : "r"(address), "a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1)
                   : "memory");
      return false;
    });
    attempt("a fault on a kernel stack", [=] {
      signal(SIGILL, [](int) { _exit(kReached); });
      asm volatile("mov %0, %%rsp; ud2" : : "r"(address) : "memory");
      return false;
    });
  }
}

/// Makes a call with `flag` set in the flags register.
void attack_with_flag(const char* name, unsigned long flag) {
  attempt(name, [=] {
    signal(SIGTRAP, SIG_DFL);
    long result = SYS_getppid;
    asm volatile(
        "pushf\n\t"
        "orq %[flag], (%%rsp)\n\t"
        "popf\n\t"
        "syscall\n\t"
        "pushf\n\t"
        "andq %[clear], (%%rsp)\n\t"
        "popf"
        : "+a"(result)
        : [flag] "r"(flag), [clear] "r"(~flag)
        : "rcx", "r11", "memory", "cc");
    return result != getppid();
  });
}

void attack_gs(uintptr_t address) {
  attempt("wrgsbase", [=] {
    asm volatile("wrgsbase %0" : : "r"(address));
    const bool wrong = getppid() == getpid();
    raise(SIGURG);
    return wrong;
  });
}

void attack_bases() {
  constexpr unsigned long kFsGsBase = 1 << 1;
  const bool has_instructions = getauxval(AT_HWCAP2) & kFsGsBase;
  // So often that lxcore serves the calls without a trap, where it finds its stack by GS.
  for (int i = 0; i < 2000; ++i) getppid();
  for (uintptr_t slot : {1, 2, 4095}) {
    if (has_instructions) attack_gs(kStacks + (slot + 1) * kStackSize - 64);
  }
  for (uintptr_t address : kWindowAddresses) {
    for (int which : {ARCH_SET_GS, ARCH_SET_FS}) {
      attempt("arch_prctl", [=] {
        syscall(SYS_arch_prctl, which, address);
        for (int i = 0; i < 3; ++i)
          asm volatile("syscall" : : "a"(SYS_getppid) : "rcx", "r11", "memory");
        asm volatile("syscall" : : "a"(SYS_exit_group), "D"(0));
        return false;
      });
    }
    if (!has_instructions) continue;
    attack_gs(address);
    attempt("wrfsbase", [=] {
      asm volatile(
          "wrfsbase %0\n\t"
          "syscall\n\t"
          "mov %1, %%eax\n\t"
          "xor %%edi, %%edi\n\t"
          "syscall"
          :
          : "r"(address), "i"(SYS_exit_group), "a"(SYS_getppid)
          : "rcx", "r11", "rdi", "memory");
      return false;
    });
  }
}

}  // namespace

int main(int argc, char** argv) {
  parse(argc, argv);
  attack_frames();
  attack_with_flag("alignment check", 1 << 18);
  attack_with_flag("direction", 1 << 10);
  attack_with_flag("single step", 1 << 8);
  attack_bases();
  return report();
}
