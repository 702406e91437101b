// Confinement of an instance: no_new_privs, capabilities, Landlock, seccomp.
//
// What is allowed inside kernel text is what host/linux and this folder use, and
// nothing else; a test counts the entries. Everything outside kernel text traps.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>

#include "host/linux/syscall.h"
#include "lxcore/control/protocol.h"
#include "pico/direct/direct.h"

namespace lxss::pico {

using host::sys::call;

namespace {

// Hot calls first: the filter tests them in this order.
constexpr u16 kAllowed[] = {
    SYS_rt_sigreturn, SYS_futex, SYS_preadv, SYS_pwritev, SYS_rt_sigprocmask, SYS_ppoll, SYS_mmap,
    SYS_munmap, SYS_mprotect, SYS_openat, SYS_close, SYS_fstat, SYS_fgetxattr, SYS_readv,
    SYS_writev, SYS_arch_prctl, SYS_exit_group, SYS_exit, SYS_getppid, SYS_tgkill, SYS_mremap,
    SYS_madvise, SYS_getdents64, SYS_newfstatat, SYS_fsetxattr, SYS_lseek, SYS_unlinkat,
    SYS_renameat2, SYS_mkdirat, SYS_linkat, SYS_symlinkat, SYS_readlinkat, SYS_ftruncate,
    SYS_utimensat, SYS_fchmod, SYS_fchown, SYS_fstatfs, SYS_fallocate, SYS_fsync, SYS_fdatasync,
    SYS_syncfs, SYS_fadvise64, SYS_copy_file_range, SYS_flistxattr, SYS_fremovexattr,
    SYS_flock, SYS_msync, SYS_mlock2, SYS_munlock, SYS_mincore, SYS_memfd_create,
    SYS_process_vm_readv, SYS_process_vm_writev, SYS_sigaltstack, SYS_clock_gettime,
    SYS_clock_getres, SYS_clock_nanosleep, SYS_sched_yield, SYS_sched_getaffinity,
    SYS_sched_setaffinity, SYS_getcpu, SYS_getrandom, SYS_sendmsg, SYS_recvmsg, SYS_bind,
    SYS_connect, SYS_listen, SYS_accept4, SYS_getsockname, SYS_getpeername, SYS_setsockopt,
    SYS_getsockopt, SYS_shutdown, SYS_waitid, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_pwritev2, SYS_fchmodat, SYS_getrusage, SYS_membarrier, 464 /* getxattrat */,
};

// Calls whose arguments the filter checks too.
constexpr u32 kForbiddenCloneFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                     0x80 /* CLONE_NEWTIME */ | CLONE_PTRACE;
constexpr u32 kAllowedControls[] = {FIONREAD, TIOCGWINSZ, TCGETS, TIOCOUTQ, 0x8905 /* SIOCATMARK */};
constexpr u32 kFirstInterfaceQuery = 0x8910;  // SIOCGIF*
constexpr u32 kLastInterfaceQuery = 0x8970;

constexpr u32 kLoadArg0 = offsetof(seccomp_data, args[0]);
constexpr u32 kLoadArg1 = offsetof(seccomp_data, args[1]);

class FilterBuilder {
 public:
  void load(u32 offset) { add(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)); }
  void finish(u32 action) { add(BPF_STMT(BPF_RET | BPF_K, action)); }
  /// Skips the next `count` instructions unless the comparison holds.
  void unless(u16 comparison, u32 value, u8 count) {
    add(BPF_JUMP(u16(BPF_JMP | comparison | BPF_K), value, 0, count));
  }
  void when(u16 comparison, u32 value, u8 count) {
    add(BPF_JUMP(u16(BPF_JMP | comparison | BPF_K), value, count, 0));
  }
  void allow_if_equal(u32 value) {
    unless(BPF_JEQ, value, 1);
    finish(SECCOMP_RET_ALLOW);
  }
  sock_fprog program() { return {static_cast<unsigned short>(size_), code_.data()}; }

 private:
  void add(sock_filter instruction) {
    LXSS_ASSERT(size_ < code_.size());
    code_[size_++] = instruction;
  }
  std::array<sock_filter, 320> code_{};
  usize size_ = 0;
};

void build_filter(FilterBuilder& filter) {
  const u64 begin = reinterpret_cast<u64>(direct::lxss_text_begin);
  const u64 end = reinterpret_cast<u64>(direct::lxss_text_end);
  filter.load(offsetof(seccomp_data, arch));
  filter.when(BPF_JEQ, AUDIT_ARCH_X86_64, 1);
  filter.finish(SECCOMP_RET_TRAP);
  filter.load(offsetof(seccomp_data, instruction_pointer) + 4);
  filter.when(BPF_JEQ, u32(begin >> 32), 1);
  filter.finish(SECCOMP_RET_TRAP);
  filter.load(offsetof(seccomp_data, instruction_pointer));
  filter.when(BPF_JGE, u32(begin), 1);
  filter.finish(SECCOMP_RET_TRAP);
  filter.unless(BPF_JGE, u32(end), 1);
  filter.finish(SECCOMP_RET_TRAP);

  filter.load(offsetof(seccomp_data, nr));
  for (u32 number : kAllowed) filter.allow_if_equal(number);

  // Each block below leaves the number loaded when it does not match.
  filter.unless(BPF_JEQ, SYS_clone, 4);
  filter.load(kLoadArg0);
  filter.when(BPF_JSET, kForbiddenCloneFlags, 1);
  filter.finish(SECCOMP_RET_ALLOW);
  filter.finish(SECCOMP_RET_KILL_PROCESS);

  filter.unless(BPF_JEQ, SYS_prctl, 6);
  filter.load(kLoadArg0);
  filter.allow_if_equal(PR_SET_NAME);
  filter.allow_if_equal(PR_SET_PDEATHSIG);
  filter.finish(SECCOMP_RET_KILL_PROCESS);

  filter.unless(BPF_JEQ, SYS_socket, 6);
  filter.load(kLoadArg0);
  filter.allow_if_equal(AF_INET);
  filter.allow_if_equal(AF_INET6);
  filter.finish(SECCOMP_RET_KILL_PROCESS);

  filter.unless(BPF_JEQ, SYS_ioctl, 5 + 2 * std::size(kAllowedControls));
  filter.load(kLoadArg1);
  for (u32 request : kAllowedControls) filter.allow_if_equal(request);
  filter.unless(BPF_JGE, kFirstInterfaceQuery, 2);
  filter.when(BPF_JGT, kLastInterfaceQuery, 1);
  filter.finish(SECCOMP_RET_ALLOW);
  filter.finish(SECCOMP_RET_KILL_PROCESS);
  filter.finish(SECCOMP_RET_KILL_PROCESS);
}

/// Gives up every capability that files on drives and the network do not need.
void drop_capabilities() {
  constexpr u32 kKept = 1u << 0 /* CHOWN */ | 1u << 1 /* DAC_OVERRIDE */ |
                        1u << 2 /* DAC_READ_SEARCH */ | 1u << 3 /* FOWNER */ |
                        1u << 4 /* FSETID */ | 1u << 10 /* NET_BIND_SERVICE */ |
                        1u << 13 /* NET_RAW */;
  struct {
    u32 version = 0x20080522;
    i32 pid = 0;
  } header;
  struct {
    u32 effective, permitted, inheritable;
  } sets[2] = {};
  if (call(SYS_capget, &header, sets) < 0) return;
  for (u32 capability = 0; capability < 64; ++capability) {
    if (capability >= 32 || !(kKept & 1u << capability)) {
      call(SYS_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0);
    }
  }
  sets[0] = {sets[0].permitted & kKept, sets[0].permitted & kKept, 0};
  sets[1] = {};
  call(SYS_capset, &header, sets);
}

// Landlock (man 7 landlock), written out because older headers lack the newer parts.
struct LandlockRuleset {
  u64 handled_files;
  u64 handled_network;
  u64 scoped;
};
struct [[gnu::packed]] LandlockPathRule {
  u64 allowed;
  i32 directory;
};
constexpr u64 kLandlockWriteFile = 1 << 1, kLandlockReadFile = 1 << 2, kLandlockReadDir = 1 << 3,
              kLandlockRemoveDir = 1 << 4, kLandlockRemoveFile = 1 << 5, kLandlockMakeDir = 1 << 7,
              kLandlockMakeReg = 1 << 8, kLandlockMakeSym = 1 << 12, kLandlockRefer = 1 << 13,
              kLandlockTruncate = 1 << 14;
constexpr u64 kLandlockNeeded = kLandlockWriteFile | kLandlockReadFile | kLandlockReadDir |
                                kLandlockRemoveDir | kLandlockRemoveFile | kLandlockMakeDir |
                                kLandlockMakeReg | kLandlockMakeSym | kLandlockRefer |
                                kLandlockTruncate;
constexpr u64 kScopeAbstractSockets = 1, kScopeSignals = 2;

/// Bits of control::Confinement; 0 if this host has no Landlock.
u32 enter_landlock(std::span<const host::Fd> directories) {
  i64 version = call(SYS_landlock_create_ruleset, nullptr, 0, 1);
  if (version < 1) return 0;
  const u64 all_rights = version >= 5   ? 0xffff
                         : version >= 3 ? 0x7fff
                         : version >= 2 ? 0x3fff
                                        : 0x1fff;
  LandlockRuleset rules{all_rights, 0, 0};
  usize rules_size = version >= 4 ? 16 : 8;
  u32 bits = control::kLandlockFiles;
  if (version >= 6) {
    rules.scoped = kScopeAbstractSockets | kScopeSignals;
    rules_size = sizeof rules;
    bits |= control::kLandlockScope;
  }
  i64 ruleset = call(SYS_landlock_create_ruleset, &rules, rules_size, 0);
  if (ruleset < 0) return 0;
  for (host::Fd directory : directories) {
    LandlockPathRule rule{kLandlockNeeded & all_rights, directory.value};
    constexpr int kRulePathBeneath = 1;
    if (call(SYS_landlock_add_rule, ruleset, kRulePathBeneath, &rule, 0) < 0) return 0;
  }
  i64 result = call(SYS_landlock_restrict_self, ruleset, 0);
  call(SYS_close, ruleset);
  return result < 0 ? 0 : bits;
}

}  // namespace

Confinement confine(std::span<const host::Fd> directories) {
  if (call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
    return {0, "This host's kernel cannot set no_new_privs; Linux 5.13 or newer is needed."};
  }
  drop_capabilities();
  u32 bits = enter_landlock(directories);
  if (!(bits & control::kLandlockFiles)) {
    return {0, "This host's kernel has no Landlock; Linux 5.13 or newer with it enabled is needed."};
  }
  FilterBuilder filter;
  build_filter(filter);
  sock_fprog program = filter.program();
  if (call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
    return {0, "This host's kernel refuses a seccomp filter; a kernel with CONFIG_SECCOMP_FILTER is needed."};
  }
  return {bits | control::kSeccomp, nullptr};
}

}  // namespace lxss::pico
