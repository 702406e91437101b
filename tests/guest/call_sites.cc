// System call instructions met in unusual ways: code that jumps to them, steps through them, reads,
// changes, moves or copies them, and what calls leave of the processor's state.
#include <asm/prctl.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>

#include <atomic>

#include "check.h"

// As the C libraries have them. `enter_at_syscall` comes to the instruction with a number of its
// own, `read_as_libraries_do` has the comparison that decides about an error.
asm(R"(
  .pushsection .text
  .balign 4096
  .globl sites_begin
sites_begin:
  .globl call_getpid
call_getpid:
  mov $39, %eax
  syscall
  ret
  .globl enter_at_syscall
enter_at_syscall:
  mov %edi, %eax
  jmp 1f
  mov $39, %eax
1: syscall
  ret
  .globl read_as_libraries_do
read_as_libraries_do:
  nop
  nop
  nop
  nop
  xor %eax, %eax
  syscall
  cmp $-4096, %rax
  ja 2f
  ret
2: neg %eax
  neg %rax
  ret
  .globl nanosleep_site
nanosleep_site:
  mov $35, %eax
  syscall
  ret
  # Flags given and got back; bytes of the state that a call keeps are filled by the caller.
  .globl flags_around_call
flags_around_call:
  push %rdi
  popfq
  mov $39, %eax
  syscall
  pushfq
  pop %rax
  cld
  ret
  .globl registers_behind_call
registers_behind_call:
  mov $39, %eax
  syscall
3: mov %rcx, (%rdi)
  mov %r11, 8(%rdi)
  lea 3b(%rip), %rax
  ret
  .globl keep_vectors
keep_vectors:
  movups (%rdi), %xmm0
  movups 16(%rdi), %xmm7
  movups 32(%rdi), %xmm15
  mov $39, %eax
  syscall
  movups %xmm0, (%rdi)
  movups %xmm7, 16(%rdi)
  movups %xmm15, 32(%rdi)
  ret
  .balign 4096
  .globl sites_end
sites_end:

  # As other libraries and languages have them. Each is called with the number of a system call and
  # three arguments. A kernel that rewrites them finds room nearby in some, none in others.
  .macro form name
  .globl \name, \name\()_call, \name\()_end
\name:
  mov %rdi, %rax
  mov %rsi, %rdi
  mov %rdx, %rsi
  mov %rcx, %rdx
  .endm
  .macro end_of_form name
  ret
\name\()_end:
  .rept 140
  lea 1(%rax), %eax
  .endr
  .endm

  .globl forms_begin
forms_begin:
  end_of_form before_all
form as_go_does
as_go_does_call:
  syscall
  cmp $-4095, %rax
  jbe 1f
  nop
1: ret
  .fill 16, 1, 0xcc
  end_of_form as_go_does
form with_a_little_room
with_a_little_room_call:
  syscall
  ret
  .byte 0x0f, 0x1f, 0x44, 0, 0  # nop
  end_of_form with_a_little_room
form as_musl_does
  mov %rax, %r11
  mov %r11, -8(%rsp)
as_musl_does_call:
  syscall
  jmp 1f
1:
  end_of_form as_musl_does
form behind_a_few
  mov $0x12345678, %r10d
  inc %r10d
  mov %r10d, %r9d
behind_a_few_call:
  syscall
  jmp 1f
1: cmp %r9d, %r10d
  jne 2f
  cmp $0x12345679, %r10d
  jne 2f
  end_of_form behind_a_few
form with_an_address
  lea with_an_address(%rip), %r10
with_an_address_call:
  syscall
  jmp 1f
1: lea with_an_address(%rip), %r9
  cmp %r9, %r10
  jne 2f
  end_of_form with_an_address
form before_a_comparison
before_a_comparison_call:
  syscall
  cmp $-4096, %rax
  ja 1f
  nop
1:
  end_of_form before_a_comparison
form before_a_move
before_a_move_call:
  syscall
  mov %rcx, %r8
  lea before_a_move_call + 2(%rip), %r9
  cmp %r8, %r9
  jne 2f
  end_of_form before_a_move
form jumped_to
  jmp jumped_to_call
  mov $1, %eax
jumped_to_call:
  syscall
  jmp 1f
1:
  end_of_form jumped_to
form seems_jumped_into
  mov $0x02eb02eb, %r10d
  cmp $0x07eb, %r10d
seems_jumped_into_call:
  syscall
  jmp 1f
1:
  end_of_form seems_jumped_into
2: hlt
  .balign 4096, 0xcc
  .fill 8192, 1, 0xcc
  .globl room_of_forms_end
room_of_forms_end:
  .popsection
)");
extern "C" {
extern char sites_begin[], sites_end[];
long call_getpid();
long enter_at_syscall(long number);
long read_as_libraries_do(int fd, void* to, size_t size);
long nanosleep_site(const timespec* time, timespec* left);
long flags_around_call(long flags);
char* registers_behind_call(long (&rcx_r11)[2]);
void keep_vectors(unsigned char (&values)[48]);

using Form = long(long number, long first, const void* second, long third);
extern const char forms_begin[], room_of_forms_end[];
// clang-format off
#define FORMS(X)                                                                 \
  X(as_go_does) X(with_a_little_room) X(as_musl_does) X(behind_a_few)            \
  X(with_an_address) X(before_a_comparison) X(before_a_move) X(jumped_to)        \
  X(seems_jumped_into)
// clang-format on
#define DECLARE(name) \
  Form name;          \
  extern const char name##_call[], name##_end[];
FORMS(DECLARE)
#undef DECLARE
}

namespace {

const struct {
  Form* call;
  const char *instruction, *end;

  bool contains(const char* at) const {
    return at >= reinterpret_cast<const char*>(call) && at < end;
  }
} kForms[] = {
#define ROW(name) {name, name##_call, name##_end},
    FORMS(ROW)
#undef ROW
};

/// True unless it is in what lies between the forms.
bool is_of_a_form(const char* at) {
  if (at < forms_begin || at >= room_of_forms_end) return true;
  for (const auto& form : kForms) {
    if (form.contains(at)) return true;
  }
  return false;
}

/// Calls from this file so often that a kernel that does something about it has done it.
void warm_up() {
  for (int i = 0; i < 200; ++i) {
    for (const auto& form : kForms) CHECK_EQ(form.call(SYS_getppid, 0, nullptr, 0), getppid());
  }
}

}  // namespace

namespace {

volatile sig_atomic_t signals_seen;

void handle(int signal, void (*handler)(int, siginfo_t*, void*), int flags = 0) {
  struct sigaction action = {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  OK(sigaction(signal, &action, nullptr));
}

void count(int, siginfo_t*, void*) { signals_seen = signals_seen + 1; }

size_t sites_size() { return size_t(sites_end - sites_begin); }

/// A mapping of the program's own page of sites, from its file.
char* map_sites_again(int protection) {
  FILE* maps = fopen("/proc/self/maps", "r");
  char line[512];
  unsigned long begin, end, offset;
  while (fgets(line, sizeof line, maps)) {
    if (sscanf(line, "%lx-%lx %*s %lx", &begin, &end, &offset) == 3 &&
        begin <= reinterpret_cast<unsigned long>(sites_begin) &&
        end > reinterpret_cast<unsigned long>(sites_begin)) {
      fclose(maps);
      const int file = OK(open("/proc/self/exe", O_RDONLY));
      void* at = OK(mmap(nullptr, sites_size(), protection, MAP_PRIVATE, file,
                         long(offset + reinterpret_cast<unsigned long>(sites_begin) - begin)));
      close(file);
      return static_cast<char*>(at);
    }
  }
  check::fail(__FILE__, __LINE__, "the page is not in /proc/self/maps");
}

template <typename Function>
Function* in_copy(char* copy, Function* function) {
  return reinterpret_cast<Function*>(copy + (reinterpret_cast<char*>(function) - sites_begin));
}

}  // namespace

TEST(plain_call) {
  CHECK_EQ(call_getpid(), getpid());
  CHECK_EQ(call_getpid(), getpid());
}

TEST(jump_to_the_instruction) {
  CHECK_EQ(enter_at_syscall(SYS_getppid), getppid());
  CHECK_EQ(enter_at_syscall(SYS_getpid), getpid());
  CHECK_EQ(enter_at_syscall(1000), -ENOSYS);
}

TEST(read_and_its_error) {
  int ends[2];
  OK(pipe(ends));
  OK(write(ends[1], "abc", 3));
  char text[4] = {};
  CHECK_EQ(read_as_libraries_do(ends[0], text, 3), 3);
  CHECK_EQ(std::string(text), "abc");
  CHECK_EQ(read_as_libraries_do(-1, text, 3), -EBADF);
  // Positions above 2^31 come back whole.
  close(ends[1]);
  CHECK_EQ(read_as_libraries_do(ends[0], text, 3), 0);
}

namespace {
int pipe_ends[2];
}

TEST(read_goes_on_after_a_signal) {
  OK(pipe(pipe_ends));
  for (const int flags : {SA_RESTART, 0}) {
    handle(
        SIGUSR1,
        [](int, siginfo_t*, void*) {
          signals_seen = signals_seen + 1;
          if (signals_seen == 1) (void)!write(pipe_ends[1], "x", 1);
        },
        flags);
    signals_seen = flags ? 0 : 1;
    const pid_t child = in_child([] {
      await_state(getppid(), 'S');
      OK(kill(getppid(), SIGUSR1));
    });
    char byte = 0;
    const long got = read_as_libraries_do(pipe_ends[0], &byte, 1);
    CHECK_EQ(got, flags ? 1 : -EINTR);
    CHECK_EQ(signals_seen, flags ? 1 : 2);
    CHECK_EXIT(child, 0);
  }
}

TEST(sleep_goes_on_after_a_stop) {
  const pid_t child = in_child([] {
    const timespec time = {0, 300'000'000};
    _exit(nanosleep_site(&time, nullptr) == 0 ? 0 : 1);
  });
  await_state(child, 'S');
  OK(kill(child, SIGSTOP));
  int status;
  CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
  OK(kill(child, SIGCONT));
  CHECK_EXIT(child, 0);
}

TEST(flags_stay) {
  constexpr long kStatus = 0x8d5, kDirection = 0x400;
  for (long flags : {0x0L, 0x1L, 0x4L, 0x10L, 0x40L, 0x80L, 0x800L, kStatus, kDirection}) {
    CHECK_EQ(flags_around_call(flags | 0x202) & (kStatus | kDirection), flags);
  }
}

TEST(rcx_and_r11_tell_where_from) {
  long values[2] = {};
  const char* behind = registers_behind_call(values);
  CHECK_EQ(values[0], reinterpret_cast<long>(behind));
  CHECK_EQ(values[1] & 0x202, 0x202);
}

TEST(vector_registers_stay) {
  unsigned char values[48], expected[48];
  for (int i = 0; i < 48; ++i) values[i] = expected[i] = static_cast<unsigned char>(i * 5 + 1);
  keep_vectors(values);
  CHECK(memcmp(values, expected, sizeof values) == 0);
}

TEST(forms_of_other_libraries) {
  int ends[2];
  OK(pipe(ends));
  for (int i = 0; i < 300; ++i) {
    for (const auto& form : kForms) {
      CHECK_EQ(form.call(SYS_getpid, 0, nullptr, 0), getpid());
      CHECK_EQ(form.call(SYS_close, -1, nullptr, 0), -EBADF);
      CHECK_EQ(form.call(1000, 0, nullptr, 0), -ENOSYS);
      CHECK_EQ(form.call(SYS_write, ends[1], "ab", 2), 2);
      char text[3] = {};
      CHECK_EQ(form.call(SYS_read, ends[0], text, 3), 2);
      CHECK_EQ(text[1], 'b');
    }
  }
  for (const auto& form : kForms) {
    CHECK_EXIT(in_child([&] { _exit(form.call(SYS_getppid, 0, nullptr, 0) == getppid() ? 0 : 1); }),
               0);
    const pid_t child = pid_t(form.call(SYS_fork, 0, nullptr, 0));
    if (child == 0) form.call(SYS_exit_group, 3, nullptr, 0);
    CHECK_EXIT(child, 3);
  }
}

TEST(signals_interrupt_forms) {
  warm_up();
  static const char* expected;
  handle(SIGALRM, [](int, siginfo_t*, void* context) {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    if (reinterpret_cast<const char*>(registers[REG_RIP]) != expected + 2) _exit(3);
    if (registers[REG_RAX] != -EINTR) _exit(4);
    signals_seen = signals_seen + 1;
    if (signals_seen == 1) {  // the instruction again
      registers[REG_RIP] -= 2;
      registers[REG_RAX] = SYS_getppid;
    }
  });
  for (const auto& form : kForms) {
    for (signals_seen = 0; signals_seen < 2;) {
      const bool repeats = signals_seen == 0;
      expected = form.instruction;
      const itimerval timer = {{0, 0}, {0, 20000}};
      OK(setitimer(ITIMER_REAL, &timer, nullptr));
      const timespec time = {10, 0};
      CHECK_EQ(form.call(SYS_nanosleep, reinterpret_cast<long>(&time), nullptr, 0),
               repeats ? getppid() : -EINTR);
    }
  }
}

TEST(forms_are_restarted) {
  warm_up();
  OK(pipe(pipe_ends));
  handle(
      SIGUSR1,
      [](int, siginfo_t*, void*) {
        signals_seen = signals_seen + 1;
        (void)!write(pipe_ends[1], "x", 1);
      },
      SA_RESTART);
  for (const auto& form : kForms) {
    signals_seen = 0;
    const pid_t child = in_child([] {
      await_state(getppid(), 'S');
      OK(kill(getppid(), SIGUSR1));
    });
    char byte = 0;
    CHECK_EQ(form.call(SYS_read, pipe_ends[0], &byte, 1), 1);
    CHECK_EQ(byte, 'x');
    CHECK_EQ(signals_seen, 1);
    CHECK_EXIT(child, 0);
  }
}

TEST(signals_find_only_code_of_the_program) {
  warm_up();
  handle(SIGALRM, [](int, siginfo_t*, void* context) {
    const auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    if (!is_of_a_form(reinterpret_cast<const char*>(registers[REG_RIP]))) _exit(3);
    signals_seen = signals_seen + 1;
  });
  signals_seen = 0;
  const itimerval timer = {{0, 100}, {0, 100}};
  OK(setitimer(ITIMER_REAL, &timer, nullptr));
  while (signals_seen < 500) {
    for (const auto& form : kForms) CHECK_EQ(form.call(SYS_close, -1, nullptr, 0), -EBADF);
  }
}

namespace {

volatile long steps_outside;

void step(int, siginfo_t* info, void* context) {
  const auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
  const auto at = static_cast<unsigned long>(machine.gregs[REG_RIP]);
  signals_seen = signals_seen + 1;
  if (info->si_code != TRAP_TRACE || reinterpret_cast<unsigned long>(info->si_addr) != at ||
      (at >= 0x6c0000000000 && at < 0x700000000000)) {
    steps_outside = steps_outside + 1;
  }
}

}  // namespace

TEST(single_steps) {
  handle(SIGTRAP, step);
  int ends[2];
  OK(pipe(ends));
  OK(write(ends[1], "ab", 2));
  char text[2] = {};
  signals_seen = 0;
  asm volatile("sub $128, %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tadd $128, %%rsp"
               :
               :
               : "memory", "cc");
  const long mine = call_getpid();
  const long got = read_as_libraries_do(ends[0], text, 2);
  asm volatile("sub $128, %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\tadd $128, %%rsp"
               :
               :
               : "memory", "cc");
  CHECK_EQ(mine, getpid());
  CHECK_EQ(got, 2);
  CHECK_EQ(text[1], 'b');
  CHECK(signals_seen > 10);
  CHECK_EQ(steps_outside, 0);
}

TEST(single_steps_through_forms) {
  warm_up();
  static const char* expected;
  static bool came_by, went_astray;
  handle(SIGTRAP, [](int, siginfo_t* info, void* context) {
    const auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const auto* at = reinterpret_cast<const char*>(registers[REG_RIP]);
    signals_seen = signals_seen + 1;
    came_by |= at == expected;
    went_astray |= !is_of_a_form(at) || info->si_code != TRAP_TRACE || info->si_addr != at;
  });
  for (const auto& form : kForms) {
    expected = form.instruction;
    came_by = went_astray = false;
    signals_seen = 0;
    asm volatile("sub $128, %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tadd $128, %%rsp"
                 :
                 :
                 : "memory", "cc");
    const long result = form.call(SYS_close, -1, nullptr, 0);
    asm volatile("sub $128, %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\tadd $128, %%rsp"
                 :
                 :
                 : "memory", "cc");
    CHECK_EQ(result, -EBADF);
    CHECK(came_by);
    CHECK(!went_astray);
    CHECK(signals_seen > 8);
  }
}

TEST(gs_belongs_to_the_program) {
  static long storage[2] = {0x1234, 0x5678};
  OK(syscall(SYS_arch_prctl, ARCH_SET_GS, storage));
  long value = 0;
  asm volatile("mov %%gs:8, %0" : "=r"(value));
  CHECK_EQ(value, 0x5678);
  for (int i = 0; i < 5; ++i) CHECK_EQ(call_getpid(), getpid());
  CHECK_EQ(flags_around_call(0x8d5 | 0x202) & 0x8d5, 0x8d5);
  int ends[2];
  OK(pipe(ends));
  OK(write(ends[1], "abc", 3));
  char text[4] = {};
  CHECK_EQ(read_as_libraries_do(ends[0], text, 3), 3);
  CHECK_EQ(read_as_libraries_do(-1, text, 3), -EBADF);
  const pid_t child = in_child([] {
    long value = 0;
    asm volatile("mov %%gs:0, %0" : "=r"(value));
    _exit(value == 0x1234 && call_getpid() == getpid() ? 0 : 1);
  });
  CHECK_EXIT(child, 0);
  unsigned long base = 0;
  OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
  CHECK_EQ(base, reinterpret_cast<unsigned long>(storage));
  OK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0));
  OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
  CHECK_EQ(base, 0ul);
  CHECK_EQ(call_getpid(), getpid());
}

TEST(gs_set_by_the_instruction) {
  constexpr unsigned long kHasFsGsBase = 2;
  if (!(getauxval(AT_HWCAP2) & kHasFsGsBase)) check::skip("wrgsbase is not for programs here");
  static long storage[2] = {0x1234, 0x5678};
  asm volatile("wrgsbase %0" : : "r"(storage));
  long value = 0;
  asm volatile("mov %%gs:8, %0" : "=r"(value));
  CHECK_EQ(value, 0x5678);
  CHECK_EQ(call_getpid(), getpid());
}

TEST(second_mapping_of_the_code) {
  char* first = map_sites_again(PROT_READ | PROT_EXEC);
  char* second = map_sites_again(PROT_READ | PROT_EXEC);
  for (int i = 0; i < 3; ++i) {
    CHECK_EQ(in_copy(first, call_getpid)(), getpid());
    CHECK_EQ(in_copy(second, call_getpid)(), getpid());
    CHECK_EQ(in_copy(first, enter_at_syscall)(SYS_getppid), getppid());
    CHECK_EQ(in_copy(second, read_as_libraries_do)(-1, nullptr, 0), -EBADF);
  }
  long values[2] = {};
  const char* behind = in_copy(second, registers_behind_call)(values);
  CHECK_EQ(values[0], reinterpret_cast<long>(behind));
  OK(munmap(first, sites_size()));
  char* third = map_sites_again(PROT_READ | PROT_EXEC);
  CHECK_EQ(in_copy(third, call_getpid)(), getpid());
}

TEST(code_that_is_moved) {
  char* code = sites_begin;
  for (int i = 0; i < 400; ++i) CHECK_EQ(call_getpid(), getpid());
  char* place = static_cast<char*>(
      OK(mmap(nullptr, sites_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
  OK(mremap(code, sites_size(), sites_size(), MREMAP_MAYMOVE | MREMAP_FIXED, place));
  long values[2] = {};
  const char* behind = in_copy(place, registers_behind_call)(values);
  CHECK_EQ(values[0], reinterpret_cast<long>(behind));
  CHECK_EQ(in_copy(place, call_getpid)(), getpid());
}

TEST(code_that_is_made_writable) {
  const unsigned char original[] = {0xb8, 39, 0, 0, 0, 0x0f, 0x05};
  OK(mprotect(sites_begin, sites_size(), PROT_READ | PROT_WRITE | PROT_EXEC));
  auto* bytes = reinterpret_cast<unsigned char*>(call_getpid);
  CHECK(memcmp(bytes, original, sizeof original) == 0);
  CHECK_EQ(call_getpid(), getpid());
  bytes[1] = SYS_getppid;
  OK(mprotect(sites_begin, sites_size(), PROT_READ | PROT_EXEC));
  CHECK_EQ(call_getpid(), getppid());
  CHECK_EXIT(in_child([parent = getpid()] { _exit(call_getpid() == parent ? 0 : 1); }), 0);
}

TEST(file_of_code_is_overwritten) {
  std::string code(4096, '\x90');
  const auto put_call = [&](unsigned char number) {
    const char call[] = {'\xb8', static_cast<char>(number), 0, 0, 0, '\x0f', '\x05', '\xc3'};
    code.replace(64, sizeof call, call, sizeof call);
    const int file = OK(open("code", O_WRONLY | O_CREAT, 0700));
    CHECK_EQ(write(file, code.data(), code.size()), 4096);
    close(file);
  };
  const auto run = [] {
    const int file = OK(open("code", O_RDONLY));
    char* at =
        static_cast<char*>(OK(mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0)));
    close(file);
    long result = 0;
    // Often, so that a kernel that does something about it has done it.
    for (int i = 0; i < 400; ++i) result = reinterpret_cast<long (*)()>(at + 64)();
    OK(munmap(at, 4096));
    return result;
  };
  put_call(SYS_getpid);
  for (int i = 0; i < 3; ++i) CHECK_EQ(run(), getpid());
  put_call(SYS_getppid);
  for (int i = 0; i < 3; ++i) CHECK_EQ(run(), getppid());
  code.replace(64, 4096 - 64, 4096 - 64, '\0');
  put_call(SYS_getpid);
  OK(truncate("code", 4096));
  CHECK_EQ(run(), getpid());
}

TEST(signals_arrive_during_short_calls) {
  constexpr int kSignals = 20000;
  handle(SIGUSR1, count);
  signals_seen = 0;
  static pid_t process, target;
  process = getpid();
  target = gettid();
  static std::atomic<int> sent;
  sent = 0;
  pthread_t sender;
  CHECK_EQ(pthread_create(
               &sender, nullptr,
               [](void*) -> void* {
                 for (int i = 1; i <= kSignals; ++i) {
                   while (signals_seen < i - 1) {
                   }
                   sent = i;
                   OK(syscall(SYS_tgkill, process, target, SIGUSR1));
                 }
                 return nullptr;
               },
               nullptr),
           0);
  char byte;
  while (signals_seen < kSignals) {
    CHECK_EQ(call_getpid(), process);
    CHECK_EQ(read_as_libraries_do(-1, &byte, 1), -EBADF);
    CHECK_EQ(enter_at_syscall(SYS_getpid), process);
  }
  CHECK_EQ(pthread_join(sender, nullptr), 0);
  CHECK_EQ(signals_seen, sent.load());
}

TEST(much_code_in_many_files) {
  // Each file has functions that get the process id, and one that reads.
  constexpr int kFiles = 80, kFunctions = 40, kStride = 64, kReader = kFunctions * kStride;
  const std::string call("\xb8\x27\0\0\0\x0f\x05\xc3", 8);
  const std::string read_call("\x31\xc0\x0f\x05\x48\x3d\0\xf0\xff\xff\xc3", 11);
  std::string code(4096, '\x90');
  for (int i = 0; i < kFunctions; ++i) code.replace(size_t(i * kStride + 16), 8, call);
  code.replace(kReader, 11, read_call);
  std::vector<char*> mappings;
  for (int i = 0; i < kFiles; ++i) {
    const std::string name = "code" + std::to_string(i);
    write_file(name, code, 0755);
    const int file = OK(open(name.c_str(), O_RDONLY));
    mappings.push_back(
        static_cast<char*>(OK(mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0))));
    close(file);
  }
  const auto call_all = [&] {
    char byte;
    for (char* mapping : mappings) {
      for (int i = 0; i < kFunctions; ++i) {
        CHECK_EQ(reinterpret_cast<long (*)()>(mapping + i * kStride + 16)(), getpid());
      }
      const auto read_here = reinterpret_cast<decltype(&read_as_libraries_do)>(mapping + kReader);
      CHECK_EQ(read_here(-1, &byte, 1), -EBADF);
    }
  };
  for (int i = 0; i < 10; ++i) call_all();
  for (int i = 0; i < kFiles; i += 2) {
    OK(munmap(mappings[size_t(i)], 4096));
    const int file = OK(open(("code" + std::to_string(i)).c_str(), O_RDONLY));
    mappings[size_t(i)] =
        static_cast<char*>(OK(mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0)));
    close(file);
  }
  call_all();
  CHECK_EXIT(in_child([&] { call_all(); }), 0);
}

// So often that a kernel that does something about it does so while both are in the middle.
TEST(threads_make_many_calls) {
  const auto call_often = [](void*) -> void* {
    char byte;
    for (int i = 0; i < 20000; ++i) {
      CHECK_EQ(call_getpid(), getpid());
      CHECK_EQ(read_as_libraries_do(-1, &byte, 1), -EBADF);
      CHECK_EQ(enter_at_syscall(SYS_getppid), getppid());
      CHECK_EQ(flags_around_call(0x8d5 | 0x202) & 0x8d5, 0x8d5);
    }
    return nullptr;
  };
  pthread_t threads[3];
  for (pthread_t& thread : threads) {
    CHECK_EQ(pthread_create(&thread, nullptr, call_often, nullptr), 0);
  }
  for (pthread_t thread : threads) CHECK_EQ(pthread_join(thread, nullptr), 0);
}

TEST(handler_finds_the_call) {
  // What a handler sees of an interrupted call is behind the instruction, and going back to the
  // instruction repeats the call.
  handle(SIGALRM, [](int, siginfo_t*, void* context) {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const auto* behind = reinterpret_cast<const char*>(registers[REG_RIP]);
    if (behind != reinterpret_cast<const char*>(nanosleep_site) + 7) _exit(3);
    if (registers[REG_RAX] != -EINTR) _exit(4);
    signals_seen = signals_seen + 1;
    if (signals_seen == 1) {
      registers[REG_RIP] -= 2;
      registers[REG_RAX] = SYS_getppid;
    }
  });
  signals_seen = 0;
  itimerval timer = {{0, 0}, {0, 20000}};
  OK(setitimer(ITIMER_REAL, &timer, nullptr));
  const timespec time = {10, 0};
  CHECK_EQ(nanosleep_site(&time, nullptr), getppid());
  CHECK_EQ(signals_seen, 1);
}
