// User and group ids, capabilities (man 7 credentials, man 7 capabilities).
#include <algorithm>

#include "lxcore/kernel.h"
#include "lxcore/syscalls/task.h"
#include "lxcore/task/lifecycle.h"

namespace lxss::sys {

namespace {

constexpr u32 kUnchanged = ~u32{0};

/// man 7 capabilities, "Effect of user ID changes on capabilities".
void adjust_capabilities(const Credentials& old, Credentials& next) {
  constexpr u32 kNoSetuidFixup = 1 << 2;
  constexpr u32 kKeepCaps = 1 << 4;
  if (next.securebits & kNoSetuidFixup) return;
  const bool had_root = old.uid == 0 || old.euid == 0 || old.suid == 0;
  const bool has_root = next.uid == 0 || next.euid == 0 || next.suid == 0;
  if (had_root && !has_root) {
    if (!(next.securebits & kKeepCaps)) next.permitted = 0;
    next.effective = 0;
    next.ambient = 0;
  } else if (old.euid == 0 && next.euid != 0) {
    next.effective = 0;
  } else if (old.euid != 0 && next.euid == 0) {
    next.effective = next.permitted;
  }
}

/// Others read a task's credentials under the kernel lock; the old ones go without it.
void become(Task& task, RefPtr<Credentials> next) {
  KernelLock::Held held;
  if (task.credentials->uid != next->uid) {
    kernel().users.remove_task(task.credentials->uid);
    kernel().users.add_task(next->uid);
  }
  std::swap(task.credentials, next);
}

void install(Task& task, RefPtr<Credentials> next) {
  const Credentials& old = *task.credentials;
  adjust_capabilities(old, *next);
  if (old.euid != next->euid || old.egid != next->egid) {
    KernelLock::Held held;
    task.process->dumpable = false;
    task.process->parent_death_signal = 0;
  }
  become(task, std::move(next));
}

bool may_be(u32 id, u32 a, u32 b, u32 c) {
  return id == kUnchanged || id == a || id == b || id == c;
}

}  // namespace

Result<u32> getuid(UnlockedTask task) { return task->credentials->uid; }
Result<u32> geteuid(UnlockedTask task) { return task->credentials->euid; }
Result<u32> getgid(UnlockedTask task) { return task->credentials->gid; }
Result<u32> getegid(UnlockedTask task) { return task->credentials->egid; }

Result<> setuid(UnlockedTask task, u32 uid) {
  if (uid == kUnchanged) return Errno::kEINVAL;
  const Credentials& old = *task->credentials;
  RefPtr<Credentials> next = old.copy();
  if (old.has_capability(abi::kCAP_SETUID)) {
    next->uid = next->suid = uid;
  } else if (uid != old.uid && uid != old.suid) {
    return Errno::kEPERM;
  }
  next->euid = next->fsuid = uid;
  install(task, std::move(next));
  return {};
}

Result<> setgid(UnlockedTask task, u32 gid) {
  if (gid == kUnchanged) return Errno::kEINVAL;
  const Credentials& old = *task->credentials;
  RefPtr<Credentials> next = old.copy();
  if (old.has_capability(abi::kCAP_SETGID)) {
    next->gid = next->sgid = gid;
  } else if (gid != old.gid && gid != old.sgid) {
    return Errno::kEPERM;
  }
  next->egid = next->fsgid = gid;
  install(task, std::move(next));
  return {};
}

Result<> setreuid(UnlockedTask task, u32 real, u32 effective) {
  const Credentials& old = *task->credentials;
  if (!old.has_capability(abi::kCAP_SETUID) && (!may_be(real, old.uid, old.euid, old.uid) ||
                                                !may_be(effective, old.uid, old.euid, old.suid))) {
    return Errno::kEPERM;
  }
  RefPtr<Credentials> next = old.copy();
  if (real != kUnchanged) next->uid = real;
  if (effective != kUnchanged) next->euid = effective;
  if (real != kUnchanged || (effective != kUnchanged && effective != old.uid)) {
    next->suid = next->euid;
  }
  next->fsuid = next->euid;
  install(task, std::move(next));
  return {};
}

Result<> setregid(UnlockedTask task, u32 real, u32 effective) {
  const Credentials& old = *task->credentials;
  if (!old.has_capability(abi::kCAP_SETGID) && (!may_be(real, old.gid, old.egid, old.gid) ||
                                                !may_be(effective, old.gid, old.egid, old.sgid))) {
    return Errno::kEPERM;
  }
  RefPtr<Credentials> next = old.copy();
  if (real != kUnchanged) next->gid = real;
  if (effective != kUnchanged) next->egid = effective;
  if (real != kUnchanged || (effective != kUnchanged && effective != old.gid)) {
    next->sgid = next->egid;
  }
  next->fsgid = next->egid;
  install(task, std::move(next));
  return {};
}

Result<> setresuid(UnlockedTask task, u32 real, u32 effective, u32 saved) {
  const Credentials& old = *task->credentials;
  if (!old.has_capability(abi::kCAP_SETUID)) {
    for (u32 id : {real, effective, saved}) {
      if (!may_be(id, old.uid, old.euid, old.suid)) return Errno::kEPERM;
    }
  }
  RefPtr<Credentials> next = old.copy();
  if (real != kUnchanged) next->uid = real;
  if (effective != kUnchanged) next->euid = effective;
  if (saved != kUnchanged) next->suid = saved;
  next->fsuid = next->euid;
  install(task, std::move(next));
  return {};
}

Result<> setresgid(UnlockedTask task, u32 real, u32 effective, u32 saved) {
  const Credentials& old = *task->credentials;
  if (!old.has_capability(abi::kCAP_SETGID)) {
    for (u32 id : {real, effective, saved}) {
      if (!may_be(id, old.gid, old.egid, old.sgid)) return Errno::kEPERM;
    }
  }
  RefPtr<Credentials> next = old.copy();
  if (real != kUnchanged) next->gid = real;
  if (effective != kUnchanged) next->egid = effective;
  if (saved != kUnchanged) next->sgid = saved;
  next->fsgid = next->egid;
  install(task, std::move(next));
  return {};
}

Result<> getresuid(UnlockedTask task, UserOut<u32> real, UserOut<u32> effective,
                   UserOut<u32> saved) {
  TRY(real.write(task->credentials->uid));
  TRY(effective.write(task->credentials->euid));
  return saved.write(task->credentials->suid);
}

Result<> getresgid(UnlockedTask task, UserOut<u32> real, UserOut<u32> effective,
                   UserOut<u32> saved) {
  TRY(real.write(task->credentials->gid));
  TRY(effective.write(task->credentials->egid));
  return saved.write(task->credentials->sgid);
}

// Linux: setfsuid and setfsgid report the old id and never an error.
Result<u32> setfsuid(UnlockedTask task, u32 uid) {
  const Credentials& old = *task->credentials;
  const u32 before = old.fsuid;
  if (uid == kUnchanged) return before;
  if (old.has_capability(abi::kCAP_SETUID) || uid == old.uid || uid == old.euid ||
      uid == old.suid || uid == old.fsuid) {
    RefPtr<Credentials> next = old.copy();
    next->fsuid = uid;
    become(task, std::move(next));
  }
  return before;
}

Result<u32> setfsgid(UnlockedTask task, u32 gid) {
  const Credentials& old = *task->credentials;
  const u32 before = old.fsgid;
  if (gid == kUnchanged) return before;
  if (old.has_capability(abi::kCAP_SETGID) || gid == old.gid || gid == old.egid ||
      gid == old.sgid || gid == old.fsgid) {
    RefPtr<Credentials> next = old.copy();
    next->fsgid = gid;
    become(task, std::move(next));
  }
  return before;
}

Result<usize> getgroups(UnlockedTask task, i32 count, UserAddr list) {
  const auto& groups = task->credentials->groups;
  if (count < 0) return Errno::kEINVAL;
  if (count == 0) return groups.size();
  if (usize(count) < groups.size()) return Errno::kEINVAL;
  TRY(copy_out(list, groups.data(), groups.size() * sizeof(u32)));
  return groups.size();
}

Result<> setgroups(UnlockedTask task, i32 count, UserAddr list) {
  if (!task->has_capability(abi::kCAP_SETGID)) return Errno::kEPERM;
  if (count < 0 || usize(count) > Credentials::kMaxGroups) return Errno::kEINVAL;
  std::vector<u32> groups;
  groups.resize(usize(count));
  TRY(copy_in(groups.data(), list, groups.size() * sizeof(u32)));
  std::sort(groups.begin(), groups.end());
  RefPtr<Credentials> next = task->credentials->copy();
  next->groups = std::move(groups);
  become(task, std::move(next));
  return {};
}

namespace {

/// 32-bit words per set for a header version; EINVAL, and the preferred version is written.
Result<usize> capability_words(UserInOut<abi::CapUserHeader> header, abi::CapUserHeader& value) {
  value = TRY(header.read());
  switch (value.version) {
    case abi::k_LINUX_CAPABILITY_VERSION_1:
      return usize{1};
    case abi::k_LINUX_CAPABILITY_VERSION_2:
    case abi::k_LINUX_CAPABILITY_VERSION_3:
      return usize{2};
    default: {
      abi::CapUserHeader preferred = value;
      preferred.version = abi::k_LINUX_CAPABILITY_VERSION_3;
      TRY(header.write(preferred));
      return Errno::kEINVAL;
    }
  }
}

/// 0: the caller's own. Null if there is no such task.
RefPtr<Credentials> credentials_of(Task& task, Pid pid) {
  if (pid.value == 0) return task.credentials;
  KernelLock::Held held;
  const RefPtr<Task> target = lifecycle::find_task(pid);
  return target ? target->credentials : nullptr;
}

}  // namespace

Result<> capget(UnlockedTask task, UserInOut<abi::CapUserHeader> header, UserAddr data) {
  abi::CapUserHeader value;
  auto words = capability_words(header, value);
  if (!words) return words.is(Errno::kEINVAL) && !data ? Result<>() : Result<>(words.error());
  if (value.pid < 0) return Errno::kEINVAL;
  const RefPtr<Credentials> of = credentials_of(task, Pid{value.pid});
  if (!of) return Errno::kESRCH;
  if (!data) return {};
  const Credentials& who = *of;
  for (usize i = 0; i < *words; ++i) {
    const u32 shift = u32(32 * i);
    abi::CapUserData set{u32(who.effective >> shift), u32(who.permitted >> shift),
                         u32(who.inheritable >> shift)};
    TRY(UserOut<abi::CapUserData>{data}.write(set, i));
  }
  return {};
}

Result<> capset(UnlockedTask task, UserInOut<abi::CapUserHeader> header, UserAddr data) {
  abi::CapUserHeader value;
  usize words = TRY(capability_words(header, value));
  if (value.pid != 0 && value.pid != task->tid.value) return Errno::kEPERM;
  u64 effective = 0, permitted = 0, inheritable = 0;
  for (usize i = 0; i < words; ++i) {
    auto set = TRY(UserIn<abi::CapUserData>{data}.read(i));
    effective |= u64{set.effective} << (32 * i);
    permitted |= u64{set.permitted} << (32 * i);
    inheritable |= u64{set.inheritable} << (32 * i);
  }
  const Credentials& old = *task->credentials;
  effective &= abi::kCAP_FULL_SET;
  permitted &= abi::kCAP_FULL_SET;
  inheritable &= abi::kCAP_FULL_SET;
  if (permitted & ~old.permitted || effective & ~permitted) return Errno::kEPERM;
  u64 may_inherit =
      old.inheritable | (old.has_capability(abi::kCAP_SETPCAP) ? old.bounding : old.permitted);
  if (inheritable & ~may_inherit) return Errno::kEPERM;
  RefPtr<Credentials> next = old.copy();
  next->effective = effective;
  next->permitted = permitted;
  next->inheritable = inheritable;
  next->ambient &= permitted & inheritable;
  become(task, std::move(next));
  return {};
}

}  // namespace lxss::sys
