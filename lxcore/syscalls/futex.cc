// Futexes: the host's own, on guest memory in the address space of the caller.
#include "host/wait.h"
#include "lxcore/kernel.h"
#include "lxcore/syscalls/futex_pi.h"
#include "lxcore/syscalls/task.h"

namespace lxss::sys {

namespace {

bool is_wait(u32 command) {
  return command == abi::kFUTEX_WAIT || command == abi::kFUTEX_WAIT_BITSET;
}

bool uses_second_word(u32 command) {
  return command == abi::kFUTEX_REQUEUE || command == abi::kFUTEX_CMP_REQUEUE ||
         command == abi::kFUTEX_WAKE_OP;
}

bool is_priority_inheriting(u32 command) {
  return command == abi::kFUTEX_LOCK_PI || command == abi::kFUTEX_LOCK_PI2 ||
         command == abi::kFUTEX_TRYLOCK_PI || command == abi::kFUTEX_UNLOCK_PI;
}

bool is_word(UserAddr address) { return pico::is_user_range(address.value, sizeof(u32)); }

}  // namespace

Result<u64> futex(UnlockedTask task, UserAddr word, i32 operation, u32 value, u64 timeout,
                  UserAddr word2, u32 value3) {
  const u32 command = u32(operation) & abi::kFUTEX_CMD_MASK;
  if (!is_word(word) || (uses_second_word(command) && !is_word(word2))) return Errno::kEFAULT;
  if (is_priority_inheriting(command)) return futex_pi(task, word, operation, timeout);
  if (!is_wait(command)) return host::user_futex(word, operation, value, timeout, word2, value3);

  // A relative timeout becomes a deadline, so that waking up for nothing costs no time.
  abi::Timespec deadline{};
  u64 deadline_at = 0;
  u32 wait_bits = command == abi::kFUTEX_WAIT ? abi::kFUTEX_BITSET_MATCH_ANY : value3;
  u32 flags = u32(operation) & ~abi::kFUTEX_CMD_MASK;
  if (timeout != 0) {
    deadline = TRY(UserIn<abi::Timespec>{UserAddr{timeout}}.read());
    if (deadline.tv_sec < 0 || deadline.tv_nsec < 0 || deadline.tv_nsec >= 1'000'000'000) {
      return Errno::kEINVAL;
    }
    if (command == abi::kFUTEX_WAIT) {
      u64 at = (flags & abi::kFUTEX_CLOCK_REALTIME ? host::realtime_ns() : host::monotonic_ns()) +
               u64(deadline.tv_sec) * 1'000'000'000 + u64(deadline.tv_nsec);
      deadline = {i64(at / 1'000'000'000), i64(at % 1'000'000'000)};
    }
    deadline_at = reinterpret_cast<u64>(&deadline);
  }
  const i32 host_operation = i32(abi::kFUTEX_WAIT_BITSET | flags);
  for (;;) {
    auto result = host::user_futex(word, host_operation, value, deadline_at, UserAddr{}, wait_bits);
    if (!result.is(Errno::kEINTR)) return result;
    if (signals::interrupted(task)) {
      // Linux restarts a wait without timeout after a handler with SA_RESTART, one with a
      // timeout only if no handler runs.
      return timeout == 0 ? Errno::kERESTARTSYS : Errno::kEINTR;
    }
  }
}

}  // namespace lxss::sys
