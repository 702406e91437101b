// Confinement of an instance: no_new_privs, capabilities, Landlock, seccomp (filter.h).
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "host/linux/syscall.h"
#include "pico/direct/filter.h"

namespace lxss::pico {

using host::sys::call;

namespace {

/// Gives up every capability that files on drives, the network and mlock do not need.
void drop_capabilities() {
  constexpr u32 kKept = 1u << 0 /* CHOWN */ | 1u << 1 /* DAC_OVERRIDE */ |
                        1u << 2 /* DAC_READ_SEARCH */ | 1u << 3 /* FOWNER */ |
                        1u << 4 /* FSETID */ | 1u << 10 /* NET_BIND_SERVICE */ |
                        1u << 14 /* IPC_LOCK */;
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

/// Bits of Confinement; 0 if this host has no Landlock.
u32 enter_landlock(std::span<const host::Fd> directories) {
  i64 version = call(SYS_landlock_create_ruleset, nullptr, 0, 1);
  if (version < 1) return 0;
  const u64 all_rights = version >= 5   ? 0xffff
                         : version >= 3 ? 0x7fff
                         : version >= 2 ? 0x3fff
                                        : 0x1fff;
  LandlockRuleset rules{all_rights, 0, 0};
  usize rules_size = version >= 4 ? 16 : 8;
  u32 bits = Confinement::kLandlockFiles;
  if (version >= 6) {
    rules.scoped = kScopeAbstractSockets | kScopeSignals;
    rules_size = sizeof rules;
    bits |= Confinement::kLandlockScope;
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
  if (!(bits & Confinement::kLandlockFiles)) {
    return {0,
            "This host's kernel has no Landlock; Linux 5.13 or newer with it enabled is needed."};
  }
  direct::Filter filter(reinterpret_cast<u64>(direct::lxss_text_begin),
                        reinterpret_cast<u64>(direct::lxss_text_end));
  const sock_fprog program{static_cast<unsigned short>(filter.code().size()), filter.code().data()};
  if (call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
    return {0,
            "This host's kernel refuses a seccomp filter; a kernel with CONFIG_SECCOMP_FILTER is "
            "needed."};
  }
  return {bits | Confinement::kSeccomp, nullptr};
}

}  // namespace lxss::pico
