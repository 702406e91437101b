// From the host's exec to lxcore on a kernel stack in a clean address space.
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <new>

#include "host/linux/syscall.h"
#include "pico/direct/direct.h"

asm(R"(
  .pushsection .text
  .globl _start
_start:
  xor %ebp, %ebp
  mov %rsp, %rdi
  and $-16, %rsp
  call lxss_boot
  hlt
  .popsection
)");

namespace lxss::pico::direct {

using host::sys::call;

namespace {

[[noreturn]] void fail(const char* sentence) {
  call(SYS_write, upcall::log_file().value, sentence, __builtin_strlen(sentence));
  upcall::cannot_boot(sentence);
  for (;;) call(SYS_exit_group, 1);
}

MachineInfo read_auxiliary_vector(const u64* stack) {
  const u64* at = stack + 1 + stack[0] + 1;  // argc, argv, NULL
  while (*at) ++at;                          // environment
  MachineInfo machine;
  for (++at; at[0] != AT_NULL; at += 2) {
    switch (at[0]) {
      case AT_SYSINFO_EHDR:
        machine.vdso = at[1];
        break;
      case AT_HWCAP:
        machine.hwcap = at[1];
        break;
      case AT_HWCAP2:
        machine.hwcap2 = at[1];
        break;
      case 51 /* AT_MINSIGSTKSZ */:
        machine.minimum_signal_stack = at[1];
        break;
    }
  }
  return machine;
}

void map_arena() {
  i64 fd = call(SYS_memfd_create, "lxss-arena", MFD_CLOEXEC);
  if (fd < 0 || call(SYS_ftruncate, fd, kArenaSize) < 0)
    fail("The host refuses a memory object for the kernel's arena.");
  i64 at = call(SYS_mmap, kArenaBegin, kArenaSize, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, fd, 0);
  if (at != static_cast<i64>(kArenaBegin))
    fail("The host has no room for the kernel's arena of 8 GiB of addresses.");
  call(SYS_close, fd);
}

/// Guests may not grow into the window from below, and the lowest guest page above it may be a
/// stack that the host lets grow downwards.
void map_window_edges() {
  for (u64 edge : {kWindowBegin, kWindowEnd - kPageSize}) {
    i64 at = call(SYS_mmap, edge, kPageSize, PROT_NONE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (at < 0) fail("The host has no room for the edges of the kernel's addresses.");
  }
}

/// Puts the image on a huge page of the process's own, which fork copies with one entry: file
/// pages would cost every new process a fault for each sixteen of them. What is left of the room
/// goes with the other leftovers.
void move_image_to_huge_page() {
  const u64 used = reinterpret_cast<u64>(lxss_image_end) - kImageBegin;
  const u64 size = align_up(used, kHugePageSize);
  i64 got = call(SYS_mmap, nullptr, size + kHugePageSize, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (got < 0) return;
  const u64 copy = align_up(static_cast<u64>(got), kHugePageSize);
  if (call(SYS_madvise, copy, size, MADV_HUGEPAGE) == 0) {
    __builtin_memcpy(reinterpret_cast<void*>(copy), reinterpret_cast<const void*>(kImageBegin),
                     used);
    if (call(SYS_mprotect, copy, size, PROT_READ | PROT_EXEC) == 0) {
      call(SYS_mremap, copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, kImageBegin);
    }
  }
}

u64 parse_hex(const char*& at) {
  u64 value = 0;
  for (;; ++at) {
    char c = *at;
    if (c >= '0' && c <= '9') {
      value = value * 16 + u64(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = value * 16 + u64(c - 'a' + 10);
    } else {
      return value;
    }
  }
}

/// Unmaps what the host's exec made (stack, heap), so that the guest begins in an
/// empty space. The kernel window and the vDSO with its data stay.
void unmap_leftovers(MachineInfo& machine) {
  i64 fd = call(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY, 0);
  if (fd < 0) fail("/proc is not mounted on this host.");
  char text[6000];
  usize size = 0;
  for (i64 got; (got = call(SYS_read, fd, text + size, sizeof text - 1 - size)) > 0;) {
    size += static_cast<usize>(got);
  }
  call(SYS_close, fd);
  text[size] = 0;
  const char* at = text;
  usize kept = 0;
  while (*at) {
    u64 begin = parse_hex(at);
    ++at;
    u64 end = parse_hex(at);
    const char* line_end = at;
    while (*line_end && *line_end != '\n') ++line_end;
    // "[vdso]", "[vvar]", "[vvar_vclock]"
    const char* name = line_end;
    while (name > at && name[-1] != '[' && name[-1] != ' ') --name;
    const bool is_host_page = name[-1] == '[' && *name == 'v';
    if (is_user_range(begin, end - begin)) {
      if (!is_host_page) {
        call(SYS_munmap, begin, end - begin);
      } else if (kept < MachineInfo::kMaxPages) {
        machine.pages[kept++] = {begin, end, begin == machine.vdso};
      }
    }
    at = *line_end ? line_end + 1 : line_end;
  }
}

/// Guests have limits of lxcore's; the host's shall not come before them.
void raise_limits() {
  for (int resource : {RLIMIT_NOFILE, RLIMIT_MEMLOCK}) {
    rlimit limit{};
    call(SYS_prlimit64, 0, resource, nullptr, &limit);
    limit.rlim_cur = limit.rlim_max;
    call(SYS_prlimit64, 0, resource, &limit, nullptr);
  }
  rlimit no_core{};
  call(SYS_prlimit64, 0, RLIMIT_CORE, &no_core, nullptr);
}

void read_oom_score() {
  i64 fd = call(SYS_openat, AT_FDCWD, "/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC, 0);
  char text[8];
  i64 size = fd < 0 ? -1 : call(SYS_pread64, fd, text, sizeof text, 0);
  if (size < 0) return;
  const bool negative = text[0] == '-';
  i32 score = 0;
  std::from_chars(text + negative, text + size, score);
  boot_info().oom_score_fd = static_cast<i32>(fd);
  boot_info().oom_score = negative ? -score : score;
}

/// On kernel stack 0, in the first process.
extern "C" [[noreturn]] void lxss_boot_on_kernel_stack() {
  enable_direct_calls();
  use_stack_slot(0);
  unmap_leftovers(boot_info().machine);
  upcall::boot();
}

}  // namespace

void set_oom_score(i32 score) {
  if (boot_info().oom_score_fd < 0) return;
  char text[8];
  char* end = std::to_chars(text, std::end(text), score).ptr;
  call(SYS_pwrite64, boot_info().oom_score_fd, text, end - text, 0);
}

extern "C" [[noreturn]] void lxss_boot(const u64* stack) {
  raise_limits();
  map_arena();
  map_window_edges();
  move_image_to_huge_page();
  BootInfo& info = *new (reinterpret_cast<void*>(kArenaBegin)) BootInfo;
  info.machine = read_auxiliary_vector(stack);
  info.monitor_process = static_cast<i32>(call(SYS_getpid));
  info.log_fd = upcall::log_file().value;
  read_oom_score();
  upcall::arena_made(kArenaBegin + kPageSize, kArenaSize - kPageSize);

  call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  call(SYS_prctl, PR_SET_NAME, "lxss-init", 0, 0, 0);
  call(SYS_prctl, PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
  u64 blocked = u64{1} << (kInterruptSignal - 1);
  call(SYS_rt_sigprocmask, SIG_BLOCK, &blocked, nullptr, 8);
  install_trap_handlers();
  ignore_host_signals();
  call(SYS_umask, 0);

  auto* thread = new Thread;
  thread->host_process = thread->host_thread = info.monitor_process;
  thread->in_kernel = 1;
  thread->space = new Space;
  thread->space->slots.claim(0);
  if (!map_stack_slot(*thread->space, 0)) fail("The host has no memory for a kernel stack.");
  slot_header(0) = {.thread = thread};
  asm volatile(
      "mov %0, %%rsp\n\t"
      "xor %%ebp, %%ebp\n\t"
      "call lxss_boot_on_kernel_stack\n\t"
      "hlt"
      :
      : "r"(slot_stack(0)));
  __builtin_unreachable();
}

}  // namespace lxss::pico::direct
