// The system call filter of an instance, as data: what lxcore may ask of its host.
//
// A call from outside kernel text traps (SIGSYS). A call from kernel text passes if it is in
// kHotCalls or kCalls and every rule about it holds; anything else ends the process. The lists
// are what host/linux and this folder use, and nothing more; a unit test runs the filter and
// prints how many calls it lets through.
#pragma once

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <array>
#include <span>

#include "base/assert.h"
#include "base/types.h"
#include "host/linux/controls.h"
#include "pico/direct/direct.h"

namespace lxss::pico::direct {

/// Tested first, in this order, and without a look at the arguments.
inline constexpr u16 kHotCalls[] = {SYS_pread64, SYS_pwrite64, SYS_rt_sigreturn,   SYS_futex,
                                    SYS_preadv,  SYS_pwritev,  SYS_rt_sigprocmask, SYS_ppoll,
                                    SYS_mmap,    SYS_munmap,   SYS_mprotect,       SYS_openat,
                                    SYS_close,   SYS_fstat,    SYS_newfstatat,     SYS_fgetxattr,
                                    SYS_readv,   SYS_writev,   SYS_recvfrom,       SYS_sendto};

inline constexpr u16 kCalls[] = {
    // Memory and threads.
    SYS_clone, SYS_arch_prctl, SYS_tgkill, SYS_exit, SYS_exit_group, SYS_getppid, SYS_waitid,
    SYS_prctl, SYS_sigaltstack, SYS_mremap, SYS_madvise, SYS_msync, SYS_mlock2, SYS_munlock,
    SYS_mincore, SYS_memfd_create, SYS_membarrier, SYS_process_vm_readv, SYS_process_vm_writev,
    // Time and processors.
    SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_getrusage, SYS_getrandom,
    SYS_getcpu, SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_setaffinity,
    // Files.
    SYS_ioctl, SYS_getdents64, SYS_lseek, SYS_unlinkat, SYS_renameat2, SYS_mkdirat, SYS_linkat,
    SYS_symlinkat, SYS_readlinkat, SYS_ftruncate, SYS_utimensat, SYS_fchmod, SYS_fchown,
    SYS_fstatfs, SYS_fallocate, SYS_fsync, SYS_fdatasync, SYS_syncfs, SYS_fadvise64,
    SYS_copy_file_range, SYS_pwritev2, SYS_flock, SYS_fsetxattr, SYS_flistxattr, SYS_fremovexattr,
    464 /* getxattrat */,
    // Sockets and readiness.
    SYS_socket, SYS_sendmsg, SYS_recvmsg, SYS_bind, SYS_connect, SYS_listen, SYS_accept4,
    SYS_getsockname, SYS_getpeername, SYS_setsockopt, SYS_getsockopt, SYS_shutdown,
    SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait};

/// Half of an argument under the mask must be one of the values.
struct ArgumentRule {
  u16 call;
  u8 half;  ///< low() or high() of the argument's number
  u32 mask;
  std::span<const u32> values;
};

namespace rules {

constexpr u8 low(u8 argument) { return u8(2 * argument); }
constexpr u8 high(u8 argument) { return u8(2 * argument + 1); }

inline constexpr u32 kZero[] = {0};
inline constexpr u32 kCloneFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
                                   CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT |
                                   CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
inline constexpr u32 kBases[] = {0x1001, 0x1002, 0x1003, 0x1004};  // ARCH_{SET,GET}_{GS,FS}
inline constexpr u32 kSignals[] = {kInterruptSignal, SIGKILL};
inline constexpr u32 kChildren[] = {P_ALL, P_PID};
inline constexpr u32 kThreadSettings[] = {PR_SET_NAME, PR_SET_PDEATHSIG, PR_SET_PTRACER};
inline constexpr u32 kMemoryObjects[] = {MFD_CLOEXEC};
/// Of a clock's number: its sign, and the bits that tell a CPU clock from a descriptor's.
inline constexpr u32 kClockKind = 0x8000'0003;
inline constexpr u32 kClocks[] = {0, 1, 2, 3, 0x8000'0000, 0x8000'0001, 0x8000'0002};
inline constexpr u32 kOwnUsage[] = {RUSAGE_SELF, RUSAGE_THREAD};
inline constexpr u32 kLocks[] = {LOCK_EX | LOCK_NB};
inline constexpr u32 kWrites[] = {RWF_APPEND};
inline constexpr u32 kFamilies[] = {AF_INET, AF_INET6};
inline constexpr u32 kSocketTypeBits = 0xf;
inline constexpr u32 kSocketTypes[] = {SOCK_STREAM, SOCK_DGRAM};
inline constexpr u32 kInterfaceList[] = {host::kInterfaceListControl};

template <usize... kSizes>
constexpr auto join(const u32 (&... lists)[kSizes]) {
  std::array<u32, (kSizes + ...)> all{};
  usize size = 0;
  auto append = [&](std::span<const u32> list) {
    for (u32 value : list) all[size++] = value;
  };
  (append(lists), ...);
  return all;
}
inline constexpr auto kControls =
    join(host::kStreamControls, host::kSocketControls, host::kInterfaceControls, kInterfaceList);

}  // namespace rules

inline constexpr ArgumentRule kArgumentRules[] = {
    {SYS_clock_gettime, rules::low(0), rules::kClockKind, rules::kClocks},
    {SYS_arch_prctl, rules::low(0), ~0u, rules::kBases},
    {SYS_tgkill, rules::low(2), ~0u, rules::kSignals},
    {SYS_clone, rules::low(0), ~rules::kCloneFlags, rules::kZero},
    {SYS_prctl, rules::low(0), ~0u, rules::kThreadSettings},
    {SYS_waitid, rules::low(0), ~0u, rules::kChildren},
    {SYS_ioctl, rules::low(1), ~0u, rules::kControls},
    {SYS_socket, rules::low(0), ~0u, rules::kFamilies},
    {SYS_socket, rules::low(1), rules::kSocketTypeBits, rules::kSocketTypes},
    {SYS_memfd_create, rules::low(1), ~0u, rules::kMemoryObjects},
    {SYS_sched_setaffinity, rules::low(0), ~0u, rules::kZero},
    {SYS_getrusage, rules::low(0), ~0u, rules::kOwnUsage},
    {SYS_flock, rules::low(1), ~0u, rules::kLocks},
    // Attributes change through descriptors only: Landlock has no right for a path's.
    {SYS_utimensat, rules::low(1), ~0u, rules::kZero},
    {SYS_utimensat, rules::high(1), ~0u, rules::kZero},
    {SYS_pwritev2, rules::low(5), ~0u, rules::kWrites},
};

/// The filter's program for kernel text at [text_begin, text_end), which has one upper half.
class Filter {
 public:
  Filter(u64 text_begin, u64 text_end) {
    load(offsetof(seccomp_data, arch));
    trap_unless(BPF_JEQ, AUDIT_ARCH_X86_64);
    load(offsetof(seccomp_data, instruction_pointer) + 4);
    trap_unless(BPF_JEQ, u32(text_begin >> 32));
    load(offsetof(seccomp_data, instruction_pointer));
    trap_unless(BPF_JGE, u32(text_begin));
    jump(BPF_JGE, u32(text_end), 0, 1);
    finish(SECCOMP_RET_TRAP);
    load(kNumber);
    for (u32 number : kHotCalls) allow(number);
    for (const ArgumentRule& rule : kArgumentRules) check(rule);
    for (u32 number : kCalls) allow(number);
    finish(SECCOMP_RET_KILL_PROCESS);
  }

  std::span<sock_filter> code() { return {code_.data(), size_}; }

 private:
  static constexpr u32 kNumber = offsetof(seccomp_data, nr);

  void add(sock_filter instruction) {
    LXSS_ASSERT(size_ < code_.size());
    code_[size_++] = instruction;
  }
  void load(u32 offset) { add(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)); }
  void finish(u32 action) { add(BPF_STMT(BPF_RET | BPF_K, action)); }
  void jump(u16 comparison, u32 value, usize if_true, usize if_false) {
    add(BPF_JUMP(u16(BPF_JMP | comparison | BPF_K), value, u8(if_true), u8(if_false)));
  }
  void trap_unless(u16 comparison, u32 value) {
    jump(comparison, value, 1, 0);
    finish(SECCOMP_RET_TRAP);
  }
  void allow(u32 number) {
    jump(BPF_JEQ, number, 0, 1);
    finish(SECCOMP_RET_ALLOW);
  }
  /// Ends the process if the rule is broken; leaves the call's number loaded if not.
  void check(const ArgumentRule& rule) {
    const usize values = rule.values.size();
    jump(BPF_JEQ, rule.call, 0, values + 4);
    load(offsetof(seccomp_data, args) + 4u * rule.half);
    add(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, rule.mask));
    for (usize i = 0; i < values; ++i) jump(BPF_JEQ, rule.values[i], values - i, 0);
    finish(SECCOMP_RET_KILL_PROCESS);
    load(kNumber);
  }

  std::array<sock_filter, 400> code_{};
  usize size_ = 0;
};

}  // namespace lxss::pico::direct
