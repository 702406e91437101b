// The word holds the owner's id and whether others wait, as user space expects. Waiting itself
// is an ordinary futex wait on that word: who was woken sets the mark of waiters again, since it
// cannot know whether there are more.
#include "lxcore/syscalls/futex_pi.h"

#include "abi/linux/futex.h"
#include "host/wait.h"
#include "lxcore/kernel.h"
#include "lxcore/task/lifecycle.h"

namespace lxss::sys {

namespace {

/// Takes the lock if nobody owns it: the word as found, whose owner is then 0. EDEADLK, EFAULT.
Result<u32> try_lock(UserAddr word, u32 self, bool others_wait) {
  for (;;) {
    const u32 old = TRY(UserIn<u32>{word}.read());
    const u32 owner = old & abi::kFUTEX_TID_MASK;
    if (owner == self) return Errno::kEDEADLK;
    u32 next = old | abi::kFUTEX_WAITERS;
    if (owner == 0) next = self | old | (others_wait ? abi::kFUTEX_WAITERS : 0);
    if (next == old || TRY(pico::compare_exchange_user(word.value, old, next)) == old) return old;
  }
}

/// As try_lock(), but leaves no mark of a waiter.
Result<u64> lock_if_free(UserAddr word, u32 self) {
  for (;;) {
    const u32 old = TRY(UserIn<u32>{word}.read());
    const u32 owner = old & abi::kFUTEX_TID_MASK;
    if (owner == self) return Errno::kEDEADLK;
    if (owner != 0) return Errno::kEAGAIN;
    if (TRY(pico::compare_exchange_user(word.value, old, old | self)) == old) return u64{0};
  }
}

Result<u64> unlock(UserAddr word, u32 self, u32 sharing) {
  for (;;) {
    const u32 old = TRY(UserIn<u32>{word}.read());
    if ((old & abi::kFUTEX_TID_MASK) != self) return Errno::kEPERM;
    if (TRY(pico::compare_exchange_user(word.value, old, 0)) == old) break;
  }
  TRY(host::user_futex(word, i32(abi::kFUTEX_WAKE | sharing), 1, 0, UserAddr{}, 0));
  return u64{0};
}

bool has_ended(u32 owner) {
  KernelLock::Held held;
  return !kernel().tasks.contains(Pid{i32(owner)});
}

}  // namespace

Result<u64> futex_pi(UnlockedTask task, UserAddr word, i32 operation, u64 deadline) {
  const u32 command = u32(operation) & abi::kFUTEX_CMD_MASK;
  const u32 sharing = u32(operation) & abi::kFUTEX_PRIVATE_FLAG;
  const u32 self = u32(task->tid.value);
  if (word.value % sizeof(u32)) return Errno::kEINVAL;
  if (command == abi::kFUTEX_UNLOCK_PI) return unlock(word, self, sharing);
  if (command == abi::kFUTEX_TRYLOCK_PI) return lock_if_free(word, self);

  abi::Timespec until{};
  if (deadline != 0) {
    until = TRY(UserIn<abi::Timespec>{UserAddr{deadline}}.read());
    if (until.tv_sec < 0 || until.tv_nsec < 0 || until.tv_nsec >= 1'000'000'000) {
      return Errno::kEINVAL;
    }
  }
  // The older command knows only the real-time clock.
  const u32 clock = command == abi::kFUTEX_LOCK_PI ? abi::kFUTEX_CLOCK_REALTIME
                                                   : u32(operation) & abi::kFUTEX_CLOCK_REALTIME;
  const i32 wait = i32(abi::kFUTEX_WAIT_BITSET | sharing | clock);
  bool has_waited = false;
  for (;;) {
    const u32 found = TRY(try_lock(word, self, has_waited));
    const u32 owner = found & abi::kFUTEX_TID_MASK;
    if (owner == 0) return u64{0};
    if (has_ended(owner)) return Errno::kESRCH;
    auto waited = host::user_futex(word, wait, found | abi::kFUTEX_WAITERS,
                                   deadline ? reinterpret_cast<u64>(&until) : 0, UserAddr{},
                                   abi::kFUTEX_BITSET_MATCH_ANY);
    has_waited = true;
    if (waited.ok() || waited.is(Errno::kEAGAIN)) continue;
    if (!waited.is(Errno::kEINTR)) return waited;
    if (signals::interrupted(task)) return Errno::kERESTARTNOINTR;
  }
}

}  // namespace lxss::sys
