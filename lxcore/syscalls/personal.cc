// prctl and its relatives: what a task sets of itself.
#include "abi/linux/prctl.h"
#include "lxcore/kernel.h"
#include "lxcore/syscalls/misc.h"

namespace lxss::sys {

namespace {

constexpr u32 kSecurebitsKeepCaps = 1 << 4;

template <typename Change>
void change_credentials(Task& task, Change change) {
  RefPtr<Credentials> next = task.credentials->copy();
  change(*next);
  KernelLock::Held held;
  std::swap(task.credentials, next);
}

Result<i64> ambient(Task& task, u64 operation, u64 capability) {
  const Credentials& who = *task.credentials;
  if (operation == u64(abi::kPR_CAP_AMBIENT_CLEAR_ALL)) {
    if (capability != 0) return Errno::kEINVAL;
    change_credentials(task, [](Credentials& c) { c.ambient = 0; });
    return 0;
  }
  if (capability > abi::kCAP_LAST_CAP) return Errno::kEINVAL;
  const u64 bit = abi::cap_bit(u32(capability));
  switch (operation) {
    case abi::kPR_CAP_AMBIENT_IS_SET:
      return (who.ambient & bit) != 0;
    case abi::kPR_CAP_AMBIENT_RAISE:
      if (!(who.permitted & bit) || !(who.inheritable & bit)) return Errno::kEPERM;
      change_credentials(task, [bit](Credentials& c) { c.ambient |= bit; });
      return 0;
    case abi::kPR_CAP_AMBIENT_LOWER:
      change_credentials(task, [bit](Credentials& c) { c.ambient &= ~bit; });
      return 0;
    default:
      return Errno::kEINVAL;
  }
}

/// Fields of a process, which the kernel lock guards.
template <typename T>
T get(const T& field) {
  KernelLock::Held held;
  return field;
}
template <typename T>
void set(T& field, T value) {
  KernelLock::Held held;
  field = value;
}

Result<> set_name(Task& task, u64 address) {
  char name[16] = {};
  // The name may end just before unmapped memory.
  for (usize i = 0; i + 1 < sizeof name; ++i) {
    name[i] = char(TRY(UserIn<u8>{UserAddr{address + i}}.read()));
    if (!name[i]) break;
  }
  {
    KernelLock::Held held;
    __builtin_memcpy(task.comm.data(), name, sizeof name);
  }
  pico::set_host_name(name);
  return {};
}

}  // namespace

Result<i64> prctl(UnlockedTask task, i32 option, u64 a, u64 b, u64 c, u64 d) {
  Process& process = *task->process;
  const Credentials& who = *task->credentials;
  switch (option) {
    case abi::kPR_SET_NAME:
      TRY(set_name(task, a));
      return 0;
    case abi::kPR_GET_NAME:
      TRY(copy_out(UserAddr{a}, task->comm.data(), task->comm.size()));
      return 0;
    case abi::kPR_SET_PDEATHSIG:
      if (a > u64(kSignalCount)) return Errno::kEINVAL;
      set(process.parent_death_signal, i32(a));
      return 0;
    case abi::kPR_GET_PDEATHSIG:
      TRY(UserOut<i32>{UserAddr{a}}.write(get(process.parent_death_signal)));
      return 0;
    case abi::kPR_GET_DUMPABLE:
      return get(process.dumpable);
    case abi::kPR_SET_DUMPABLE:
      if (a > 1) return Errno::kEINVAL;
      set(process.dumpable, a != 0);
      return 0;
    case abi::kPR_GET_KEEPCAPS:
      return (who.securebits & kSecurebitsKeepCaps) != 0;
    case abi::kPR_SET_KEEPCAPS:
      if (a > 1) return Errno::kEINVAL;
      change_credentials(task, [a](Credentials& next) {
        next.securebits = (next.securebits & ~kSecurebitsKeepCaps) | (a ? kSecurebitsKeepCaps : 0);
      });
      return 0;
    case abi::kPR_GET_SECUREBITS:
      return who.securebits;
    case abi::kPR_SET_SECUREBITS:
      if (!who.has_capability(abi::kCAP_SETPCAP)) return Errno::kEPERM;
      change_credentials(task, [a](Credentials& next) { next.securebits = u32(a); });
      return 0;
    case abi::kPR_CAPBSET_READ:
      if (a > abi::kCAP_LAST_CAP) return Errno::kEINVAL;
      return (who.bounding & abi::cap_bit(u32(a))) != 0;
    case abi::kPR_CAPBSET_DROP:
      if (!who.has_capability(abi::kCAP_SETPCAP)) return Errno::kEPERM;
      if (a > abi::kCAP_LAST_CAP) return Errno::kEINVAL;
      change_credentials(task, [a](Credentials& next) { next.bounding &= ~abi::cap_bit(u32(a)); });
      return 0;
    case abi::kPR_CAP_AMBIENT:
      if (c != 0 || d != 0) return Errno::kEINVAL;
      return ambient(task, a, b);
    case abi::kPR_SET_NO_NEW_PRIVS:
      if (a != 1 || b != 0 || c != 0 || d != 0) return Errno::kEINVAL;
      change_credentials(task, [](Credentials& next) { next.no_new_privileges = true; });
      return 0;
    case abi::kPR_GET_NO_NEW_PRIVS:
      if (a != 0 || b != 0 || c != 0 || d != 0) return Errno::kEINVAL;
      return who.no_new_privileges;
    case abi::kPR_SET_CHILD_SUBREAPER:
      set(process.child_subreaper, a != 0);
      return 0;
    case abi::kPR_GET_CHILD_SUBREAPER:
      TRY(UserOut<i32>{UserAddr{a}}.write(get(process.child_subreaper)));
      return 0;
    case abi::kPR_SET_TIMERSLACK: {
      constexpr u64 kDefaultSlack = 50000;
      set(process.timer_slack_ns, a ? a : kDefaultSlack);
      return 0;
    }
    case abi::kPR_GET_TIMERSLACK:
      return i64(get(process.timer_slack_ns));
    case abi::kPR_GET_TID_ADDRESS:
      TRY(UserOut<u64>{UserAddr{a}}.write(task->clear_child_tid.value));
      return 0;
    case abi::kPR_GET_THP_DISABLE:
      if (a != 0 || b != 0 || c != 0 || d != 0) return Errno::kEINVAL;
      return 0;
    default:
      return Errno::kEINVAL;
  }
}

Result<> arch_prctl(UnlockedTask, u32 code, u64 address) {
  const bool sets = code == abi::kARCH_SET_FS || code == abi::kARCH_SET_GS;
  // Linux: a base beyond user space is EPERM. The kernel window counts as beyond.
  if (sets && !pico::is_user_range(address, 1) && address >= pico::kUserBegin) return Errno::kEPERM;
  switch (code) {
    case abi::kARCH_SET_FS:
      pico::set_fs_base(address);
      return {};
    case abi::kARCH_SET_GS:
      pico::set_gs_base(address);
      return {};
    case abi::kARCH_GET_FS:
      return UserOut<u64>{UserAddr{address}}.write(pico::fs_base());
    case abi::kARCH_GET_GS:
      return UserOut<u64>{UserAddr{address}}.write(pico::gs_base());
    default:
      return Errno::kEINVAL;
  }
}

Result<u32> personality(UnlockedTask task, u32 persona) {
  constexpr u32 kQuery = 0xffffffff;
  const u32 before = task->process->personality;
  // Only PER_LINUX, with ADDR_NO_RANDOMIZE and the like remembered for uname -m and setarch.
  if (persona != kQuery) {
    if ((persona & 0xff) != 0) return Errno::kEINVAL;
    task->process->personality = persona;
  }
  return before;
}

}  // namespace lxss::sys
