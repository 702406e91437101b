// The system call filter, run by a small interpreter: what passes, what ends the process, and
// how many calls lxcore may make at all. The count may grow only for a reason.
#include "pico/direct/filter.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

namespace lxss::pico::direct {
namespace {

constexpr u64 kTextBegin = kImageBegin, kTextEnd = kImageBegin + 0x100000;
constexpr usize kMostCalls = 89;

/// What the host's kernel would answer.
u32 run(std::span<const sock_filter> code, const seccomp_data& data) {
  u32 a = 0;
  for (usize at = 0;; ++at) {
    const sock_filter& op = code[at];
    switch (op.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&a, reinterpret_cast<const char*>(&data) + op.k, sizeof a);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        a &= op.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        at += a == op.k ? op.jt : op.jf;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        at += a >= op.k ? op.jt : op.jf;
        break;
      case BPF_RET | BPF_K:
        return op.k;
      default:
        ADD_FAILURE() << "unknown instruction " << op.code;
        return 0;
    }
  }
}

u32 verdict(long number, std::array<u64, 6> arguments = {}, u64 from = kTextBegin + 2,
            u32 arch = AUDIT_ARCH_X86_64) {
  static Filter filter(kTextBegin, kTextEnd);
  seccomp_data data{static_cast<int>(number), arch, from, {}};
  std::copy(arguments.begin(), arguments.end(), data.args);
  return run(filter.code(), data);
}

bool passes(long number, std::array<u64, 6> arguments = {}) {
  return verdict(number, arguments) == SECCOMP_RET_ALLOW;
}

TEST(Filter, CallsOutsideKernelTextTrap) {
  for (u64 from : {u64{0x401000}, kTextBegin - 1, kTextEnd, kTextEnd + 5, u64{0x7fff'ffff'e000},
                   kTextBegin - (u64{1} << 32), kTextBegin + (u64{1} << 32)}) {
    EXPECT_EQ(verdict(SYS_futex, {}, from), SECCOMP_RET_TRAP) << std::hex << from;
  }
  EXPECT_EQ(verdict(SYS_futex, {}, kTextBegin, AUDIT_ARCH_I386), SECCOMP_RET_TRAP);
}

TEST(Filter, ListedCallsPassAndNoOthers) {
  std::set<long> listed(std::begin(kHotCalls), std::end(kHotCalls));
  listed.insert(std::begin(kCalls), std::end(kCalls));
  EXPECT_EQ(listed.size(), std::size(kHotCalls) + std::size(kCalls)) << "listed twice";
  for (const ArgumentRule& rule : kArgumentRules) {
    EXPECT_TRUE(listed.contains(rule.call));
    for (u32 hot : kHotCalls) EXPECT_NE(rule.call, hot) << "the rule would never be looked at";
  }
  for (long number = -1; number < 1024; ++number) {
    std::array<u64, 6> arguments{};
    for (const ArgumentRule& rule : kArgumentRules) {
      if (rule.call != number) continue;
      arguments[rule.half / 2] |= u64{rule.values[0]} << (rule.half % 2 * 32);
    }
    const u32 expected = listed.contains(number) ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_PROCESS;
    EXPECT_EQ(verdict(number, arguments), expected) << number;
  }
  std::printf("%zu calls are allowed inside kernel text, %zu of them by their arguments too\n",
              listed.size(), [] {
                std::set<long> calls;
                for (const ArgumentRule& rule : kArgumentRules) calls.insert(rule.call);
                return calls.size();
              }());
  EXPECT_LE(listed.size(), kMostCalls);
  EXPECT_FALSE(passes(SYS_futex | 0x4000'0000)) << "an x32 call";
}

TEST(Filter, WhatNoKernelNeedsEndsIt) {
  // clang-format off
  constexpr u16 kRefused[] = {
      SYS_execve, SYS_execveat, SYS_ptrace, SYS_mount, SYS_bpf, SYS_keyctl, SYS_perf_event_open,
      SYS_io_uring_setup, SYS_kill, SYS_tkill, SYS_rt_sigaction, SYS_unshare, SYS_setns,
      SYS_clone3, SYS_fork, SYS_vfork, SYS_seccomp, SYS_userfaultfd, SYS_open_by_handle_at,
      SYS_pidfd_getfd, SYS_modify_ldt, SYS_setuid, SYS_chroot, SYS_prlimit64, SYS_fcntl, SYS_dup,
      SYS_getpid, SYS_chmod, SYS_fchmodat, SYS_fchownat, SYS_setxattr};
  // clang-format on
  for (u32 number : kRefused) {
    EXPECT_EQ(verdict(number), SECCOMP_RET_KILL_PROCESS) << number;
  }
}

TEST(Filter, ArgumentsAreChecked) {
  EXPECT_TRUE(passes(SYS_clone, {CLONE_FILES | CLONE_PARENT | SIGCHLD}));
  EXPECT_FALSE(passes(SYS_clone, {CLONE_NEWUSER | SIGCHLD}));
  EXPECT_FALSE(passes(SYS_clone, {CLONE_PTRACE | SIGCHLD}));
  EXPECT_TRUE(passes(SYS_tgkill, {1, 1, kInterruptSignal}));
  EXPECT_FALSE(passes(SYS_tgkill, {1, 1, SIGTERM}));
  EXPECT_TRUE(passes(SYS_clock_gettime, {11}));
  EXPECT_TRUE(passes(SYS_clock_gettime, {u64(~1234) << 3 | 6}));
  EXPECT_FALSE(passes(SYS_clock_gettime, {u64(~5) << 3 | 3})) << "a descriptor's clock";
  EXPECT_TRUE(passes(SYS_socket, {AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK}));
  EXPECT_FALSE(passes(SYS_socket, {AF_INET, SOCK_RAW}));
  EXPECT_FALSE(passes(SYS_socket, {AF_UNIX, SOCK_STREAM}));
  EXPECT_FALSE(passes(SYS_socket, {AF_NETLINK, SOCK_DGRAM}));
  EXPECT_TRUE(passes(SYS_ioctl, {0, abi::kSIOCGIFADDR}));
  EXPECT_FALSE(passes(SYS_ioctl, {0, 0x8916})) << "SIOCSIFADDR";
  EXPECT_FALSE(passes(SYS_ioctl, {0, 0x8946})) << "SIOCETHTOOL";
  EXPECT_FALSE(passes(SYS_ioctl, {0, 0x5412})) << "TIOCSTI";
  EXPECT_FALSE(passes(SYS_prctl, {PR_SET_DUMPABLE, 1}));
  EXPECT_FALSE(passes(SYS_sched_setaffinity, {1}));
  EXPECT_FALSE(passes(SYS_memfd_create, {0, 0}));
  EXPECT_TRUE(passes(SYS_waitid, {P_ALL}));
  EXPECT_TRUE(passes(SYS_waitid, {P_PID, 1234})) << "has_ended()";
  EXPECT_FALSE(passes(SYS_waitid, {P_PIDFD, 3}));
  EXPECT_TRUE(passes(SYS_utimensat, {5, 0}));
  EXPECT_FALSE(passes(SYS_utimensat, {5, 0x1000})) << "a path";
  EXPECT_FALSE(passes(SYS_utimensat, {5, u64{1} << 32})) << "a path";
}

}  // namespace
}  // namespace lxss::pico::direct
