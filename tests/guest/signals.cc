// Signals: actions, masks, queues, frames, what a handler sees and may change, faults.
#include <fenv.h>
#include <immintrin.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/ucontext.h>

#include <atomic>
#include <csetjmp>
#include <ctime>
#include <functional>

#include "check.h"

namespace {

std::atomic<int> handled;
siginfo_t last_info;
sigjmp_buf escape;

void count(int) { ++handled; }

void record(int, siginfo_t* info, void*) {
  ++handled;
  last_info = *info;
}

void record_and_escape(int, siginfo_t* info, void*) {
  last_info = *info;
  siglongjmp(escape, 1);
}

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : signals) sigaddset(&set, signal);
  return set;
}

void block(std::initializer_list<int> signals) {
  const sigset_t set = set_of(signals);
  OK(sigprocmask(SIG_BLOCK, &set, nullptr));
}

void unblock(std::initializer_list<int> signals) {
  const sigset_t set = set_of(signals);
  OK(sigprocmask(SIG_UNBLOCK, &set, nullptr));
}

bool is_pending(int signal) {
  sigset_t set;
  OK(sigpending(&set));
  return sigismember(&set, signal);
}

bool is_blocked(int signal) {
  sigset_t set;
  OK(sigprocmask(SIG_SETMASK, nullptr, &set));
  return sigismember(&set, signal);
}

void handle(int signal, void (*handler)(int), int flags = 0) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  OK(sigaction(signal, &action, nullptr));
}

void handle_info(int signal, void (*handler)(int, siginfo_t*, void*), int flags = 0,
                 std::initializer_list<int> mask = {}) {
  struct sigaction action = {};
  action.sa_sigaction = handler;
  action.sa_flags = flags | SA_SIGINFO;
  action.sa_mask = set_of(mask);
  OK(sigaction(signal, &action, nullptr));
}

/// Runs `fault` and returns the siginfo of the signal that it raises.
template <typename Fault>
siginfo_t siginfo_of(int signal, Fault fault) {
  handle_info(signal, record_and_escape);
  last_info = {};
  if (sigsetjmp(escape, 1) == 0) {
    fault();
    FAIL("no signal");
  }
  CHECK_EQ(last_info.si_signo, signal);
  return last_info;
}

/// A child that sends `signal` to its parent once that waits in a system call.
pid_t disturb(int signal) {
  const pid_t parent = getpid();
  return in_child([=] {
    await_state(parent, 'S');
    OK(kill(parent, signal));
    pause();
  });
}

void end_disturber(pid_t child) {
  OK(kill(child, SIGKILL));
  CHECK_KILLED(child, SIGKILL);
}

}  // namespace

TEST(action_is_stored_and_returned) {
  handle_info(SIGUSR1, record, SA_RESTART | SA_NODEFER, {SIGUSR2, SIGKILL});
  struct sigaction action;
  OK(sigaction(SIGUSR1, nullptr, &action));
  CHECK(action.sa_sigaction == record);
  CHECK((action.sa_flags & (SA_SIGINFO | SA_RESTART | SA_NODEFER)) ==
        (SA_SIGINFO | SA_RESTART | SA_NODEFER));
  CHECK(sigismember(&action.sa_mask, SIGUSR2));
  // SIGKILL is taken out of masks without a word.
  CHECK(!sigismember(&action.sa_mask, SIGKILL));
}

TEST(action_errors) {
  struct sigaction action = {};
  action.sa_handler = SIG_IGN;
  CHECK_ERRNO(sigaction(SIGKILL, &action, nullptr), EINVAL);
  CHECK_ERRNO(sigaction(SIGSTOP, &action, nullptr), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigaction, 0, &action, nullptr, 8), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigaction, 65, &action, nullptr, 8), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, &action, nullptr, 16), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, 1, nullptr, 8), EFAULT);
  OK(syscall(SYS_rt_sigaction, SIGKILL, nullptr, &action, 8));
}

TEST(mask_operations_and_errors) {
  block({SIGUSR1, SIGUSR2});
  unblock({SIGUSR2});
  CHECK(is_blocked(SIGUSR1));
  CHECK(!is_blocked(SIGUSR2));
  sigset_t all, old;
  sigfillset(&all);
  OK(sigprocmask(SIG_SETMASK, &all, &old));
  CHECK(!is_blocked(SIGKILL));
  CHECK(!is_blocked(SIGSTOP));
  CHECK(sigismember(&old, SIGUSR1));
  uint64_t raw = 0;
  CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 9, &raw, nullptr, 8), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &raw, nullptr, 4), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 1, nullptr, 8), EFAULT);
  OK(syscall(SYS_rt_sigprocmask, 9, nullptr, &raw, 8));
}

TEST(blocked_signal_waits_until_unblocked) {
  handle(SIGUSR1, count);
  block({SIGUSR1});
  OK(raise(SIGUSR1));
  OK(raise(SIGUSR1));
  CHECK_EQ(handled + 0, 0);
  CHECK(is_pending(SIGUSR1));
  unblock({SIGUSR1});
  // Standard signals do not queue.
  CHECK_EQ(handled + 0, 1);
  CHECK(!is_pending(SIGUSR1));
}

TEST(ignoring_discards_pending) {
  block({SIGUSR1});
  OK(raise(SIGUSR1));
  CHECK(is_pending(SIGUSR1));
  handle(SIGUSR1, SIG_IGN);
  CHECK(!is_pending(SIGUSR1));
}

TEST(default_actions) {
  for (int signal : {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGALRM, SIGPIPE, SIGIO, SIGPROF, SIGVTALRM,
                     SIGSTKFLT, SIGPWR, SIGRTMIN + 1, SIGRTMAX}) {
    CHECK_KILLED(in_child([=] { raise(signal); }), signal);
  }
  const rlimit no_core = {0, 0};
  OK(setrlimit(RLIMIT_CORE, &no_core));
  for (int signal :
       {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS}) {
    CHECK_KILLED(in_child([=] { raise(signal); }), signal);
  }
  for (int signal : {SIGCHLD, SIGCONT, SIGURG, SIGWINCH}) {
    CHECK_EXIT(in_child([=] { raise(signal); }), 0);
  }
}

TEST(siginfo_of_kill) {
  handle_info(SIGUSR1, record);
  OK(kill(getpid(), SIGUSR1));
  CHECK_EQ(last_info.si_signo, SIGUSR1);
  CHECK_EQ(last_info.si_code, SI_USER);
  CHECK_EQ(last_info.si_errno, 0);
  CHECK_EQ(last_info.si_pid, getpid());
  CHECK_EQ(last_info.si_uid, getuid());
  OK(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1));
  CHECK_EQ(last_info.si_code, SI_TKILL);
  CHECK_EQ(last_info.si_pid, getpid());
}

TEST(sigqueue_carries_a_value) {
  handle_info(SIGUSR1, record);
  sigval value;
  value.sival_ptr = reinterpret_cast<void*>(0x1234567890);
  OK(sigqueue(getpid(), SIGUSR1, value));
  CHECK_EQ(last_info.si_code, SI_QUEUE);
  CHECK(last_info.si_value.sival_ptr == value.sival_ptr);
  CHECK_EQ(last_info.si_pid, getpid());
}

TEST(rt_sigqueueinfo_permissions) {
  siginfo_t info = {};
  info.si_code = SI_USER;
  const pid_t child = in_child([] { pause(); });
  // Only to itself may a process forge what the kernel or kill() would say.
  CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, child, SIGUSR1, &info), EPERM);
  info.si_code = 1;
  CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, child, SIGUSR1, &info), EPERM);
  info.si_code = SI_QUEUE;
  OK(syscall(SYS_rt_sigqueueinfo, child, SIGUSR1, &info));
  CHECK_KILLED(child, SIGUSR1);
}

TEST(realtime_signals_queue_in_order) {
  static std::vector<int> order;
  const auto note = [](int signal, siginfo_t* info, void*) {
    order.push_back((signal - SIGRTMIN) * 100 + info->si_value.sival_int);
  };
  block({SIGRTMIN, SIGRTMIN + 1, SIGRTMIN + 2});
  for (int i = 0; i < 3; ++i)
    handle_info(SIGRTMIN + i, note, 0, {SIGRTMIN, SIGRTMIN + 1, SIGRTMIN + 2});
  sigval value = {};
  for (int signal : {2, 0, 1}) {
    for (int number : {1, 2, 3}) {
      value.sival_int = number;
      OK(sigqueue(getpid(), SIGRTMIN + signal, value));
    }
  }
  // The handlers block all three, so that each call lets one through: the lowest number first.
  const std::vector<int> expected = {1, 2, 3, 101, 102, 103, 201, 202, 203};
  for (int i = 0; i < 9; ++i) {
    const sigset_t none = set_of({});
    CHECK_ERRNO(sigsuspend(&none), EINTR);
  }
  CHECK(order == expected);
}

TEST(sigqueue_is_limited) {
  const rlimit limit = {5, 5};
  CHECK_EXIT(in_child([&] {
               OK(setrlimit(RLIMIT_SIGPENDING, &limit));
               block({SIGRTMIN});
               int sent = 0;
               while (sent < 1000 && sigqueue(getpid(), SIGRTMIN, {}) == 0) ++sent;
               CHECK_EQ(errno, EAGAIN);
               CHECK(sent <= 5);
               // kill() still gets through.
               OK(kill(getpid(), SIGRTMIN));
             }),
             0);
}

TEST(handler_runs_with_its_mask) {
  static bool own_blocked, other_blocked;
  handle_info(SIGUSR1,
              [](int, siginfo_t*, void*) {
                own_blocked = is_blocked(SIGUSR1);
                other_blocked = is_blocked(SIGUSR2);
              },
              0, {SIGUSR2});
  OK(raise(SIGUSR1));
  CHECK(own_blocked);
  CHECK(other_blocked);
  CHECK(!is_blocked(SIGUSR1));
  CHECK(!is_blocked(SIGUSR2));
}

TEST(nodefer_allows_recursion) {
  static int depth, deepest;
  handle(
      SIGUSR1,
      [](int) {
        deepest = std::max(deepest, ++depth);
        if (depth < 5) raise(SIGUSR1);
        --depth;
      },
      SA_NODEFER);
  OK(raise(SIGUSR1));
  CHECK_EQ(deepest, 5);
}

TEST(without_nodefer_the_next_comes_after) {
  static int depth, deepest;
  handle(SIGUSR1, [](int) {
    deepest = std::max(deepest, ++depth);
    if (++handled < 3) raise(SIGUSR1);
    --depth;
  });
  OK(raise(SIGUSR1));
  CHECK_EQ(deepest, 1);
  CHECK_EQ(handled + 0, 3);
}

TEST(nested_handlers_of_different_signals) {
  static std::string trace;
  handle(SIGUSR1, [](int) {
    trace += "(1";
    raise(SIGUSR2);
    trace += ")";
  });
  handle(SIGUSR2, [](int) { trace += "[2]"; });
  OK(raise(SIGUSR1));
  CHECK_EQ(trace, "(1[2])");
}

TEST(resethand_is_for_once) {
  handle(SIGUSR1, count, SA_RESETHAND);
  OK(raise(SIGUSR1));
  CHECK_EQ(handled + 0, 1);
  struct sigaction action;
  OK(sigaction(SIGUSR1, nullptr, &action));
  CHECK(action.sa_handler == SIG_DFL);
}

TEST(handler_on_the_alternate_stack) {
  static char memory[64 * 1024];
  static bool on_alternate;
  static int flags;
  stack_t stack = {.ss_sp = memory, .ss_flags = 0, .ss_size = sizeof memory};
  OK(sigaltstack(&stack, nullptr));
  stack_t current;
  OK(sigaltstack(nullptr, &current));
  CHECK(current.ss_sp == memory);
  CHECK_EQ(current.ss_size, sizeof memory);
  CHECK_EQ(current.ss_flags, 0);
  handle(
      SIGUSR1,
      [](int) {
        char here;
        on_alternate = &here >= memory && &here < memory + sizeof memory;
        stack_t inside;
        OK(sigaltstack(nullptr, &inside));
        flags = inside.ss_flags;
        stack_t disable = {.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
        CHECK_ERRNO(sigaltstack(&disable, nullptr), EPERM);
      },
      SA_ONSTACK);
  OK(raise(SIGUSR1));
  CHECK(on_alternate);
  CHECK_EQ(flags, SS_ONSTACK);
  // Without SA_ONSTACK the handler stays on the ordinary stack.
  handle(SIGUSR1, [](int) {
    char here;
    on_alternate = &here >= memory && &here < memory + sizeof memory;
  });
  OK(raise(SIGUSR1));
  CHECK(!on_alternate);
}

TEST(sigaltstack_errors) {
  char memory[64];
  stack_t small = {.ss_sp = memory, .ss_flags = 0, .ss_size = sizeof memory};
  CHECK_ERRNO(sigaltstack(&small, nullptr), ENOMEM);
  stack_t bad = {.ss_sp = memory, .ss_flags = 0x40, .ss_size = 1 << 20};
  CHECK_ERRNO(sigaltstack(&bad, nullptr), EINVAL);
  CHECK_ERRNO(sigaltstack(reinterpret_cast<stack_t*>(1), nullptr), EFAULT);
}

TEST(stack_overflow_is_handled_on_the_alternate_stack) {
  static char memory[64 * 1024];
  stack_t stack = {.ss_sp = memory, .ss_flags = 0, .ss_size = sizeof memory};
  OK(sigaltstack(&stack, nullptr));
  handle_info(SIGSEGV, record_and_escape, SA_ONSTACK);
  if (sigsetjmp(escape, 1) == 0) {
    std::function<int(int)> recurse = [&](int depth) {
      volatile char frame[4096];
      frame[0] = depth;
      return recurse(depth + 1) + frame[0];
    };
    recurse(0);
  }
  CHECK_EQ(last_info.si_signo, SIGSEGV);
}

TEST(no_stack_for_the_frame_kills) {
  const rlimit no_core = {0, 0};
  OK(setrlimit(RLIMIT_CORE, &no_core));
  CHECK_KILLED(in_child([] {
                 handle(SIGUSR1, count);
                 const pid_t self = getpid();
                 asm volatile(
                     "mov $0x1000, %%rsp\n\t"
                     "syscall\n\t"
                     "ud2"
                     :
                     : "a"(SYS_kill), "D"(self), "S"(SIGUSR1)
                     : "rcx", "r11", "memory");
               }),
               SIGSEGV);
}

TEST(segv_unmapped) {
  auto* page =
      static_cast<char*>(OK(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
  OK(munmap(page, 4096));
  const siginfo_t info = siginfo_of(SIGSEGV, [=] { *static_cast<volatile char*>(page + 5) = 1; });
  CHECK_EQ(info.si_code, SEGV_MAPERR);
  CHECK_EQ(info.si_addr, static_cast<void*>(page + 5));
}

TEST(segv_protection) {
  auto* page =
      static_cast<char*>(OK(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
  siginfo_t info = siginfo_of(SIGSEGV, [=] { *static_cast<volatile char*>(page + 9) = 1; });
  CHECK_EQ(info.si_code, SEGV_ACCERR);
  CHECK_EQ(info.si_addr, static_cast<void*>(page + 9));
  info = siginfo_of(SIGSEGV, [=] { reinterpret_cast<void (*)()>(page)(); });
  CHECK_EQ(info.si_code, SEGV_ACCERR);
  CHECK_EQ(info.si_addr, static_cast<void*>(page));
}

TEST(segv_null_call) {
  const siginfo_t info = siginfo_of(SIGSEGV, [] {
    void (*volatile function)() = nullptr;
    function();
  });
  CHECK_EQ(info.si_code, SEGV_MAPERR);
  CHECK_EQ(info.si_addr, static_cast<void*>(nullptr));
}

TEST(segv_non_canonical_and_privileged) {
  siginfo_t info =
      siginfo_of(SIGSEGV, [] { *reinterpret_cast<volatile char*>(0x1234567812345678) = 1; });
  CHECK_EQ(info.si_code, SI_KERNEL);
  CHECK_EQ(info.si_addr, static_cast<void*>(nullptr));
  info = siginfo_of(SIGSEGV, [] { asm volatile("hlt"); });
  CHECK_EQ(info.si_code, SI_KERNEL);
  info = siginfo_of(SIGSEGV, [] { asm volatile("int $0x42"); });
  CHECK_EQ(info.si_code, SI_KERNEL);
}

TEST(segv_at_kernel_addresses) {
  const siginfo_t info =
      siginfo_of(SIGSEGV, [] { *reinterpret_cast<volatile char*>(0xffffffff81000000) = 1; });
  CHECK(info.si_code == SEGV_MAPERR || info.si_code == SEGV_ACCERR);
}

TEST(fpe_integer) {
  const siginfo_t info = siginfo_of(SIGFPE, [] {
    int quotient = 1;
    asm volatile("cltd; idivl %1" : "+a"(quotient) : "r"(0) : "rdx");
  });
  CHECK_EQ(info.si_code, FPE_INTDIV);
  CHECK(info.si_addr != nullptr);
}

TEST(fpe_floating_point) {
  const siginfo_t info = siginfo_of(SIGFPE, [] {
    feenableexcept(FE_DIVBYZERO);
    volatile double zero = 0;
    volatile double result = 1 / zero;
    (void)result;
  });
  CHECK_EQ(info.si_code, FPE_FLTDIV);
}

TEST(ill) {
  static const void* address;
  const siginfo_t info = siginfo_of(SIGILL, [] {
    asm volatile("lea 1f(%%rip), %0; mov %0, %1; 1: ud2" : "=&r"(address), "=m"(address));
  });
  CHECK_EQ(info.si_code, ILL_ILLOPN);
  CHECK(info.si_addr != nullptr);
}

TEST(bus_beyond_end_of_file) {
  const int fd = OK(open("file", O_RDWR | O_CREAT, 0600));
  OK(ftruncate(fd, 100));
  auto* pages =
      static_cast<char*>(OK(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)));
  CHECK_EQ(pages[4095], 0);
  const siginfo_t info = siginfo_of(SIGBUS, [=] { *static_cast<volatile char*>(pages + 4100); });
  CHECK_EQ(info.si_code, BUS_ADRERR);
  CHECK_EQ(info.si_addr, static_cast<void*>(pages + 4100));
}

TEST(trap_breakpoint_and_single_step) {
  siginfo_t info = siginfo_of(SIGTRAP, [] { asm volatile("int3"); });
  CHECK_EQ(info.si_code, SI_KERNEL);
  info = siginfo_of(SIGTRAP, [] {
    asm volatile(
        "pushf\n\t"
        "orl $0x100, (%rsp)\n\t"
        "popf\n\t"
        "nop\n\t"
        "nop");
  });
  CHECK_EQ(info.si_code, TRAP_TRACE);
}

TEST(blocked_or_ignored_fault_kills) {
  const rlimit no_core = {0, 0};
  OK(setrlimit(RLIMIT_CORE, &no_core));
  CHECK_KILLED(in_child([] {
                 handle(SIGSEGV, count);
                 block({SIGSEGV});
                 *reinterpret_cast<volatile char*>(8) = 1;
               }),
               SIGSEGV);
  CHECK_KILLED(in_child([] {
                 handle(SIGSEGV, SIG_IGN);
                 *reinterpret_cast<volatile char*>(8) = 1;
               }),
               SIGSEGV);
}

TEST(handler_may_repair_the_fault) {
  static char* page =
      static_cast<char*>(OK(mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
  handle(SIGSEGV, [](int) {
    ++handled;
    OK(mprotect(page, 4096, PROT_READ | PROT_WRITE));
  });
  *static_cast<volatile char*>(page) = 5;
  CHECK_EQ(*page, 5);
  CHECK_EQ(handled + 0, 1);
}

TEST(handler_may_change_the_context) {
  handle_info(SIGUSR1, [](int, siginfo_t*, void* context) {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    registers[REG_RAX] = 4711;
    registers[REG_RBX] += 1;
    registers[REG_R15] ^= 0xff;
  });
  long rax = SYS_kill, rbx = 41;
  long r15;
  asm volatile(
      "xor %%r15, %%r15\n\t"
      "syscall\n\t"
      "mov %%r15, %[r15]"
      : "+a"(rax), "+b"(rbx), [r15] "=r"(r15)
      : "D"(getpid()), "S"(SIGUSR1)
      : "rcx", "r11", "r15", "memory");
  CHECK_EQ(rax, 4711);
  CHECK_EQ(rbx, 42);
  CHECK_EQ(r15, 0xff);
}

TEST(context_describes_the_interrupted_code) {
  static ucontext_t seen;
  handle_info(SIGSEGV, [](int, siginfo_t*, void* context) {
    auto* interrupted = static_cast<ucontext_t*>(context);
    seen = *interrupted;
    interrupted->uc_mcontext.gregs[REG_RIP] += 3;
  });
  long result = 0;
  // 48 8b 00: mov (%rax), %rax
  asm volatile(".byte 0x48, 0x8b, 0x00"
               : "+a"(result)
               : "b"(0x11l), "c"(0x22l), "d"(0x33l)
               : "memory");
  CHECK_EQ(seen.uc_mcontext.gregs[REG_RAX], 0);
  CHECK_EQ(seen.uc_mcontext.gregs[REG_RBX], 0x11);
  CHECK_EQ(seen.uc_mcontext.gregs[REG_RCX], 0x22);
  CHECK_EQ(seen.uc_mcontext.gregs[REG_RDX], 0x33);
  CHECK_EQ(seen.uc_mcontext.gregs[REG_TRAPNO], 14);
  CHECK_EQ(seen.uc_mcontext.gregs[REG_ERR], 4);
  CHECK_EQ(seen.uc_mcontext.gregs[REG_CR2], 0);
  CHECK_EQ(seen.uc_mcontext.gregs[REG_CSGSFS] & 0xffff, 0x33);
}

TEST(context_mask_is_restored_and_may_be_changed) {
  handle_info(SIGUSR1, [](int, siginfo_t*, void* context) {
    sigaddset(&static_cast<ucontext_t*>(context)->uc_sigmask, SIGTERM);
  });
  OK(raise(SIGUSR1));
  CHECK(is_blocked(SIGTERM));
  CHECK(!is_blocked(SIGUSR1));
}

TEST(red_zone_is_left_alone) {
  handle(SIGUSR1, [](int) {
    volatile char clobber[512];
    for (volatile char& byte : clobber) byte = 0x5a;
  });
  long result = 0;
  asm volatile(
      "movq $0x77, -8(%%rsp)\n\t"
      "movq $0x88, -128(%%rsp)\n\t"
      "syscall\n\t"
      "movq -8(%%rsp), %0\n\t"
      "addq -128(%%rsp), %0"
      : "=&a"(result)
      : "0"(SYS_kill), "D"(getpid()), "S"(SIGUSR1)
      : "rcx", "r11", "memory");
  CHECK_EQ(result, 0x77 + 0x88);
}

TEST(handler_stack_is_aligned) {
  static uintptr_t frame;
  handle(SIGUSR1, [](int) { frame = reinterpret_cast<uintptr_t>(__builtin_frame_address(0)); });
  for (int i = 0; i < 3; ++i) {
    auto* padding = static_cast<volatile char*>(__builtin_alloca(8 * i + 8));
    padding[0] = 1;
    OK(raise(SIGUSR1));
    CHECK_EQ(frame % 16, 0);
  }
}

TEST(direction_flag_is_clear_in_handlers) {
  static unsigned long flags;
  handle(SIGUSR1, [](int) { flags = __builtin_ia32_readeflags_u64(); });
  long rax = SYS_kill;
  asm volatile("std; syscall; cld"
               : "+a"(rax)
               : "D"(getpid()), "S"(SIGUSR1)
               : "rcx", "r11", "memory", "cc");
  CHECK_EQ(flags & 0x400, 0);
}

TEST(sse_state_survives_handlers) {
  handle(SIGUSR1, [](int) {
    asm volatile("pxor %%xmm0, %%xmm0; pxor %%xmm7, %%xmm7; pxor %%xmm15, %%xmm15" ::
                     : "xmm0", "xmm7", "xmm15");
    ++handled;
  });
  uint64_t x0, x7, x15;
  long rax = SYS_kill;
  asm volatile(
      "movq %[a], %%xmm0\n\t"
      "movq %[b], %%xmm7\n\t"
      "movq %[c], %%xmm15\n\t"
      "syscall\n\t"
      "movq %%xmm0, %[x0]\n\t"
      "movq %%xmm7, %[x7]\n\t"
      "movq %%xmm15, %[x15]"
      : "+a"(rax), [x0] "=&r"(x0), [x7] "=&r"(x7), [x15] "=&r"(x15)
      : "D"(getpid()), "S"(SIGUSR1), [a] "r"(1l), [b] "r"(2l), [c] "r"(3l)
      : "rcx", "r11", "memory", "xmm0", "xmm7", "xmm15");
  CHECK_EQ(handled + 0, 1);
  CHECK_EQ(x0, 1);
  CHECK_EQ(x7, 2);
  CHECK_EQ(x15, 3);
}

__attribute__((target("avx"))) static void check_avx() {
  handle(SIGUSR1, [](int) { asm volatile("vzeroall" ::: "memory"); });
  alignas(32) const double before[4] = {1, 2, 3, 4};
  alignas(32) double after[4] = {};
  long rax = SYS_kill;
  asm volatile(
      "vmovapd %[before], %%ymm9\n\t"
      "syscall\n\t"
      "vmovapd %%ymm9, %[after]"
      : "+a"(rax), [after] "=m"(after)
      : "D"(getpid()), "S"(SIGUSR1), [before] "m"(before)
      : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
        "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
  for (int i = 0; i < 4; ++i) CHECK_EQ(after[i], before[i]);
}

TEST(avx_state_survives_handlers) {
  if (!__builtin_cpu_supports("avx")) skip("the processor has no AVX");
  check_avx();
}

TEST(floating_point_control_survives_handlers) {
  handle(SIGUSR1, [](int) { fesetround(FE_UPWARD); });
  CHECK_EQ(fesetround(FE_DOWNWARD), 0);
  OK(raise(SIGUSR1));
  CHECK_EQ(fegetround(), FE_DOWNWARD);
}

TEST(vector_registers_survive_system_calls) {
  uint64_t x5;
  long rax = SYS_getppid;
  asm volatile("movq %[v], %%xmm5; syscall; movq %%xmm5, %[x5]"
               : "+a"(rax), [x5] "=&r"(x5)
               : [v] "r"(0x123456789abcl)
               : "rcx", "r11", "memory", "xmm5");
  CHECK_EQ(x5, 0x123456789abc);
}

TEST(siglongjmp_restores_the_mask) {
  handle(SIGUSR1, [](int) { siglongjmp(escape, 1); });
  for (static int round = 0; round < 3; ++round) {
    if (sigsetjmp(escape, 1) == 0) {
      raise(SIGUSR1);
      FAIL("raise returned");
    }
    CHECK(!is_blocked(SIGUSR1));
  }
}

TEST(handler_preserves_errno_of_the_call) {
  handle(SIGUSR1, [](int) { errno = 9999; });
  block({SIGUSR1});
  OK(raise(SIGUSR1));
  long rax = SYS_close;
  const sigset_t none = set_of({});
  CHECK_ERRNO(sigsuspend(&none), EINTR);
  asm volatile("syscall" : "+a"(rax) : "D"(-1) : "rcx", "r11", "memory");
  CHECK_EQ(rax, -EBADF);
}

TEST(read_is_interrupted) {
  handle(SIGUSR1, count);
  const Signpost empty;
  const pid_t child = disturb(SIGUSR1);
  char byte;
  CHECK_ERRNO(read(empty.read_end(), &byte, 1), EINTR);
  CHECK_EQ(handled + 0, 1);
  end_disturber(child);
}

TEST(read_is_restarted) {
  static Signpost late;
  handle(
      SIGUSR1,
      [](int) {
        ++handled;
        late.reach('x');
      },
      SA_RESTART);
  const pid_t child = disturb(SIGUSR1);
  char byte;
  CHECK_EQ(read(late.read_end(), &byte, 1), 1);
  CHECK_EQ(byte, 'x');
  CHECK_EQ(handled + 0, 1);
  end_disturber(child);
}

TEST(wait_is_restarted) {
  static pid_t sleeper = in_child([] { pause(); });
  handle(
      SIGUSR1, [](int) { OK(kill(sleeper, SIGKILL)); }, SA_RESTART);
  const pid_t child = disturb(SIGUSR1);
  CHECK_EQ(waitpid(sleeper, nullptr, 0), sleeper);
  end_disturber(child);
}

TEST(ignored_signal_does_not_interrupt) {
  handle(SIGUSR1, SIG_IGN);
  const pid_t parent = getpid();
  const Signpost late;
  const pid_t child = in_child([&] {
    await_state(parent, 'S');
    OK(kill(parent, SIGUSR1));
    late.reach();
  });
  char byte;
  CHECK_EQ(read(late.read_end(), &byte, 1), 1);
  CHECK_EXIT(child, 0);
}

TEST(poll_is_never_restarted) {
  handle(SIGUSR1, count, SA_RESTART);
  const pid_t child = disturb(SIGUSR1);
  CHECK_ERRNO(poll(nullptr, 0, -1), EINTR);
  end_disturber(child);
}

TEST(nanosleep_is_interrupted_with_the_rest) {
  handle(SIGUSR1, count, SA_RESTART);
  const pid_t child = disturb(SIGUSR1);
  const timespec long_time = {1000, 0};
  timespec rest = {};
  CHECK_ERRNO(nanosleep(&long_time, &rest), EINTR);
  CHECK(rest.tv_sec >= 900 && rest.tv_sec < 1000);
  end_disturber(child);
}

TEST(nanosleep_continues_after_stop_and_continue) {
  const pid_t child = in_child([] {
    const timespec time = {0, 300 * 1000 * 1000};
    OK(nanosleep(&time, nullptr));
  });
  await_state(child, 'S');
  OK(kill(child, SIGSTOP));
  CHECK_EQ(waitpid(child, nullptr, WUNTRACED), child);
  OK(kill(child, SIGCONT));
  CHECK_EXIT(child, 0);
}

TEST(futex_wait_is_interrupted_or_restarted) {
  static int word = 0;
  handle(SIGUSR1, count);
  pid_t child = disturb(SIGUSR1);
  CHECK_ERRNO(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr), EINTR);
  end_disturber(child);

  // With SA_RESTART the comparison is made again.
  handle(
      SIGUSR1, [](int) { word = 1; }, SA_RESTART);
  child = disturb(SIGUSR1);
  CHECK_ERRNO(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr), EAGAIN);
  end_disturber(child);
}

TEST(pause_returns_after_a_handler) {
  handle(SIGUSR1, count, SA_RESTART);
  const pid_t child = disturb(SIGUSR1);
  CHECK_ERRNO(pause(), EINTR);
  CHECK_EQ(handled + 0, 1);
  end_disturber(child);
}

TEST(sigsuspend_swaps_the_mask) {
  handle(SIGUSR1, count);
  block({SIGUSR1, SIGUSR2});
  OK(raise(SIGUSR1));
  const sigset_t only_usr2 = set_of({SIGUSR2});
  CHECK_ERRNO(sigsuspend(&only_usr2), EINTR);
  CHECK_EQ(handled + 0, 1);
  CHECK(is_blocked(SIGUSR1));
  CHECK_ERRNO(syscall(SYS_rt_sigsuspend, &only_usr2, 4), EINVAL);
}

TEST(sigtimedwait) {
  block({SIGUSR1, SIGUSR2});
  const sigset_t both = set_of({SIGUSR1, SIGUSR2});
  const timespec zero = {0, 0}, moment = {0, 1000 * 1000}, invalid = {0, 1000 * 1000 * 1000};
  siginfo_t info;
  CHECK_ERRNO(sigtimedwait(&both, &info, &zero), EAGAIN);
  CHECK_ERRNO(sigtimedwait(&both, &info, &moment), EAGAIN);
  CHECK_ERRNO(sigtimedwait(&both, &info, &invalid), EINVAL);
  OK(kill(getpid(), SIGUSR2));
  OK(kill(getpid(), SIGUSR1));
  CHECK_EQ(sigtimedwait(&both, &info, &zero), SIGUSR1);
  CHECK_EQ(info.si_code, SI_USER);
  CHECK_EQ(sigtimedwait(&both, &info, nullptr), SIGUSR2);
  CHECK(!is_pending(SIGUSR2));
  // A signal outside the set interrupts.
  handle(SIGTERM, count);
  const pid_t child = disturb(SIGTERM);
  CHECK_ERRNO(sigwaitinfo(&both, &info), EINTR);
  end_disturber(child);
}

TEST(signalfd_reads_signals) {
  block({SIGUSR1, SIGRTMIN});
  sigset_t set = set_of({SIGUSR1, SIGRTMIN});
  const int fd = OK(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  signalfd_siginfo infos[4];
  CHECK_ERRNO(read(fd, infos, sizeof infos), EAGAIN);
  CHECK_ERRNO(read(fd, infos, sizeof infos[0] - 1), EINVAL);
  pollfd poller = {fd, POLLIN, 0};
  CHECK_EQ(poll(&poller, 1, 0), 0);
  sigval value = {};
  value.sival_int = 17;
  OK(sigqueue(getpid(), SIGRTMIN, value));
  OK(kill(getpid(), SIGUSR1));
  CHECK_EQ(poll(&poller, 1, 0), 1);
  CHECK_EQ(poller.revents, POLLIN);
  CHECK_EQ(read(fd, infos, sizeof infos), 2 * sizeof infos[0]);
  CHECK_EQ(infos[0].ssi_signo, (unsigned)SIGUSR1);
  CHECK_EQ(infos[0].ssi_code, SI_USER);
  CHECK_EQ(infos[0].ssi_pid, (unsigned)getpid());
  CHECK_EQ(infos[1].ssi_signo, (unsigned)SIGRTMIN);
  CHECK_EQ(infos[1].ssi_code, SI_QUEUE);
  CHECK_EQ(infos[1].ssi_int, 17);
  CHECK(!is_pending(SIGUSR1));
  // The set of an existing descriptor is replaced.
  set = set_of({SIGRTMIN});
  CHECK_EQ(signalfd(fd, &set, 0), fd);
  OK(kill(getpid(), SIGUSR1));
  CHECK_ERRNO(read(fd, infos, sizeof infos), EAGAIN);
  CHECK_ERRNO(signalfd(STDOUT_FILENO, &set, 0), EINVAL);
  CHECK_ERRNO(signalfd(-1, &set, 0x10000), EINVAL);
}

TEST(sigpipe) {
  CHECK_KILLED(in_child([] {
                 int ends[2];
                 OK(pipe(ends));
                 OK(close(ends[0]));
                 ssize_t ignored = write(ends[1], "x", 1);
                 (void)ignored;
               }),
               SIGPIPE);
  signal(SIGPIPE, SIG_IGN);
  int ends[2];
  OK(pipe(ends));
  OK(close(ends[0]));
  CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
  // It is sent to the thread that wrote.
  handle_info(SIGPIPE, record);
  CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
  CHECK_EQ(handled + 0, 1);
  CHECK_EQ(last_info.si_code, SI_USER);
}

TEST(kill_targets_and_errors) {
  OK(kill(getpid(), 0));
  CHECK_ERRNO(kill(getpid(), 65), EINVAL);
  CHECK_ERRNO(kill(getpid(), -1), EINVAL);
  CHECK_ERRNO(kill(0x3fffffff, 0), ESRCH);
  CHECK_ERRNO(kill(-0x3fffffff, 0), ESRCH);
  CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 0x3fffffff, 0), ESRCH);
  CHECK_ERRNO(syscall(SYS_tgkill, -1, getpid(), 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_tkill, 0, 0), EINVAL);
}

TEST(kill_process_group) {
  const auto pausing = [] { return in_child([] { pause(); }); };
  const pid_t leader = pausing();
  OK(setpgid(leader, leader));
  const pid_t member = pausing();
  OK(setpgid(member, leader));
  const pid_t outsider = pausing();
  OK(kill(-leader, SIGTERM));
  CHECK_KILLED(leader, SIGTERM);
  CHECK_KILLED(member, SIGTERM);
  CHECK_EQ(waitpid(outsider, nullptr, WNOHANG), 0);
  OK(kill(outsider, SIGKILL));
  CHECK_KILLED(outsider, SIGKILL);
}

TEST(kill_permission) {
  need_root();
  const pid_t victim = in_child([] { pause(); });
  CHECK_EXIT(in_child([&] {
               OK(setresuid(1234, 1234, 1234));
               CHECK_ERRNO(kill(victim, SIGTERM), EPERM);
               CHECK_ERRNO(kill(victim, 0), EPERM);
               CHECK_ERRNO(kill(0x3fffffff, 0), ESRCH);
               // The session may always be told to go on.
               OK(kill(victim, SIGCONT));
             }),
             0);
  const pid_t same_user = in_child([] {
    OK(setresuid(1234, 1234, 1234));
    pause();
  });
  await_state(same_user, 'S');
  CHECK_EXIT(in_child([&] {
               OK(setresuid(1234, 4321, 1234));
               OK(kill(same_user, SIGKILL));
             }),
             0);
  CHECK_KILLED(same_user, SIGKILL);
  OK(kill(victim, SIGKILL));
  CHECK_KILLED(victim, SIGKILL);
}

TEST(pthread_kill_reaches_one_thread) {
  static std::atomic<pid_t> receiver;
  handle(SIGUSR1, [](int) { receiver = syscall(SYS_gettid); });
  static std::atomic<pid_t> thread_id;
  pthread_t thread;
  CHECK_EQ(pthread_create(
               &thread, nullptr,
               [](void*) -> void* {
                 thread_id = syscall(SYS_gettid);
                 pause();
                 return nullptr;
               },
               nullptr),
           0);
  while (thread_id == 0) sched_yield();
  await_state(thread_id, 'S');
  CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
  CHECK_EQ(pthread_join(thread, nullptr), 0);
  CHECK_EQ(receiver + 0, thread_id + 0);
}

TEST(process_signal_goes_to_a_thread_that_wants_it) {
  static std::atomic<pid_t> receiver;
  handle(SIGUSR1, [](int) { receiver = syscall(SYS_gettid); });
  static std::atomic<pid_t> thread_id;
  pthread_t thread;
  CHECK_EQ(pthread_create(
               &thread, nullptr,
               [](void*) -> void* {
                 thread_id = syscall(SYS_gettid);
                 pause();
                 return nullptr;
               },
               nullptr),
           0);
  while (thread_id == 0) sched_yield();
  await_state(thread_id, 'S');
  block({SIGUSR1});
  OK(kill(getpid(), SIGUSR1));
  CHECK_EQ(pthread_join(thread, nullptr), 0);
  CHECK_EQ(receiver + 0, thread_id + 0);
}

TEST(pending_thread_signal_is_private) {
  block({SIGUSR1});
  CHECK_EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
  pthread_t thread;
  CHECK_EQ(pthread_create(
               &thread, nullptr,
               [](void*) -> void* {
                 CHECK(is_blocked(SIGUSR1));
                 CHECK(!is_pending(SIGUSR1));
                 return nullptr;
               },
               nullptr),
           0);
  CHECK_EQ(pthread_join(thread, nullptr), 0);
  CHECK(is_pending(SIGUSR1));
}

TEST(fatal_signal_ends_all_threads) {
  const pid_t child = in_child([] {
    pthread_t thread;
    for (int i = 0; i < 4; ++i) {
      pthread_create(
          &thread, nullptr,
          [](void*) -> void* {
            while (true) sched_yield();
          },
          nullptr);
    }
    kill(getpid(), SIGTERM);
    pause();
  });
  CHECK_KILLED(child, SIGTERM);
}

TEST(running_code_is_interrupted) {
  handle(SIGALRM, count);
  const itimerval timer = {{0, 0}, {0, 1000}};
  OK(setitimer(ITIMER_REAL, &timer, nullptr));
  while (handled == 0) {
  }
}

TEST(continue_clears_pending_stops_and_back) {
  const pid_t child = in_child([] {
    block({SIGTSTP, SIGCONT});
    OK(raise(SIGTSTP));
    CHECK(is_pending(SIGTSTP));
    OK(raise(SIGCONT));
    CHECK(!is_pending(SIGTSTP));
    CHECK(is_pending(SIGCONT));
    OK(raise(SIGTSTP));
    CHECK(!is_pending(SIGCONT));
  });
  CHECK_EXIT(child, 0);
}

TEST(signal_during_exec_is_not_lost) {
  // Pending signals that are blocked survive; a group of senders cannot make exec fail.
  block({SIGUSR1});
  const pid_t child =
      in_child([] { execl(own_path().c_str(), "name", "--helper", "await_usr1", nullptr); });
  OK(kill(child, SIGUSR1));
  CHECK_EXIT(child, 0);
}

HELPER(await_usr1) {
  const sigset_t set = set_of({SIGUSR1});
  siginfo_t info;
  return sigwaitinfo(&set, &info) == SIGUSR1 ? 0 : 1;
}
