// Fast user-space locks.
// Man pages: futex(2), get_robust_list(2), set_tid_address(2).
#pragma once

#include <cstddef>

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

// Commands (the operation with kFUTEX_CMD_MASK applied)
inline constexpr u32 kFUTEX_WAIT = 0;
inline constexpr u32 kFUTEX_WAKE = 1;
inline constexpr u32 kFUTEX_FD = 2;
inline constexpr u32 kFUTEX_REQUEUE = 3;
inline constexpr u32 kFUTEX_CMP_REQUEUE = 4;
inline constexpr u32 kFUTEX_WAKE_OP = 5;
inline constexpr u32 kFUTEX_LOCK_PI = 6;
inline constexpr u32 kFUTEX_UNLOCK_PI = 7;
inline constexpr u32 kFUTEX_TRYLOCK_PI = 8;
inline constexpr u32 kFUTEX_WAIT_BITSET = 9;
inline constexpr u32 kFUTEX_WAKE_BITSET = 10;
inline constexpr u32 kFUTEX_WAIT_REQUEUE_PI = 11;
inline constexpr u32 kFUTEX_CMP_REQUEUE_PI = 12;
inline constexpr u32 kFUTEX_LOCK_PI2 = 13;
inline constexpr u32 kFUTEX_PRIVATE_FLAG = 0x80;
inline constexpr u32 kFUTEX_CLOCK_REALTIME = 0x100;
inline constexpr u32 kFUTEX_CMD_MASK = 0xfffffe7f;
inline constexpr u32 kFUTEX_BITSET_MATCH_ANY = 0xffffffff;

// The futex word of a robust or priority-inheriting lock
inline constexpr u32 kFUTEX_WAITERS = 0x80000000;
inline constexpr u32 kFUTEX_OWNER_DIED = 0x40000000;
inline constexpr u32 kFUTEX_TID_MASK = 0x3fffffff;

// FUTEX_WAKE_OP's third argument
inline constexpr u32 kFUTEX_OP_CMP_EQ = 0;
inline constexpr u32 kFUTEX_OP_SET = 0;
inline constexpr u32 kFUTEX_OP_ADD = 1;
inline constexpr u32 kFUTEX_OP_CMP_NE = 1;
inline constexpr u32 kFUTEX_OP_CMP_LT = 2;
inline constexpr u32 kFUTEX_OP_OR = 2;
inline constexpr u32 kFUTEX_OP_ANDN = 3;
inline constexpr u32 kFUTEX_OP_CMP_LE = 3;
inline constexpr u32 kFUTEX_OP_CMP_GT = 4;
inline constexpr u32 kFUTEX_OP_XOR = 4;
inline constexpr u32 kFUTEX_OP_CMP_GE = 5;
inline constexpr u32 kFUTEX_OP_OPARG_SHIFT = 8;

// futex_waitv(2)
struct FutexWaitv {
  u64 val;
  u64 uaddr;
  u32 flags;
  u32 reserved;
};
static_assert(sizeof(FutexWaitv) == 24);
inline constexpr u32 kFUTEX_WAITV_MAX = 128;
inline constexpr u32 kFUTEX_32 = 2;
inline constexpr u32 kFUTEX2_SIZE_U8 = 0;
inline constexpr u32 kFUTEX2_SIZE_U16 = 1;
inline constexpr u32 kFUTEX2_SIZE_U32 = 2;
inline constexpr u32 kFUTEX2_SIZE_U64 = 3;
inline constexpr u32 kFUTEX2_PRIVATE = 128;

// User addresses; the low bit of a next pointer marks a priority-inheriting lock.
struct RobustListHead {
  u64 list_next;
  i64 futex_offset;
  u64 list_op_pending;
};
static_assert(sizeof(RobustListHead) == 24);
inline constexpr u32 kROBUST_LIST_LIMIT = 2048;

}  // namespace lxss::abi
