// Restartable sequences.
// Man pages: none; the structure is part of the published user interface.
#pragma once

#include <cstddef>

#include "base/types.h"

namespace lxss::abi {

struct Rseq {
  u32 cpu_id_start;
  u32 cpu_id;
  u64 rseq_cs;  // user address of RseqCs, 0 outside a critical section
  u32 flags;
  u32 node_id;
  u32 mm_cid;
  u32 pad0;
};
static_assert(sizeof(Rseq) == 32);
static_assert(offsetof(Rseq, rseq_cs) == 8);
static_assert(offsetof(Rseq, flags) == 16);

struct RseqCs {
  u32 version;
  u32 flags;
  u64 start_ip;
  u64 post_commit_offset;
  u64 abort_ip;
};
static_assert(sizeof(RseqCs) == 32);

inline constexpr u32 kRSEQ_FLAG_UNREGISTER = 1;
inline constexpr u32 kRSEQ_CPU_ID_UNINITIALIZED = 0xffffffff;
inline constexpr u32 kRSEQ_CPU_ID_REGISTRATION_FAILED = 0xfffffffe;
inline constexpr usize kRSEQ_ORIG_SIZE = 32;
inline constexpr usize kRSEQ_ALIGN = 32;

}  // namespace lxss::abi
