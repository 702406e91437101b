// System call filtering.
// Man pages: seccomp(2), seccomp_unotify(2), bpf(4).
#pragma once

#include <cstddef>

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

inline constexpr u32 kSECCOMP_MODE_DISABLED = 0;
inline constexpr u32 kSECCOMP_MODE_STRICT = 1;
inline constexpr u32 kSECCOMP_MODE_FILTER = 2;
inline constexpr u32 kSECCOMP_SET_MODE_STRICT = 0;
inline constexpr u32 kSECCOMP_SET_MODE_FILTER = 1;
inline constexpr u32 kSECCOMP_GET_ACTION_AVAIL = 2;
inline constexpr u32 kSECCOMP_GET_NOTIF_SIZES = 3;

enum class SeccompFlag : u32 {
  kSECCOMP_FILTER_FLAG_TSYNC = 0x1,
  kSECCOMP_FILTER_FLAG_LOG = 0x2,
  kSECCOMP_FILTER_FLAG_SPEC_ALLOW = 0x4,
  kSECCOMP_FILTER_FLAG_NEW_LISTENER = 0x8,
  kSECCOMP_FILTER_FLAG_TSYNC_ESRCH = 0x10,
  kSECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 0x20,
};
LXSS_FLAGS(SeccompFlag)
using SeccompFlags = Flags<SeccompFlag>;

inline constexpr u32 kSECCOMP_RET_KILL_PROCESS = 0x80000000;
inline constexpr u32 kSECCOMP_RET_KILL_THREAD = 0x0;
inline constexpr u32 kSECCOMP_RET_TRAP = 0x30000;
inline constexpr u32 kSECCOMP_RET_ERRNO = 0x50000;
inline constexpr u32 kSECCOMP_RET_USER_NOTIF = 0x7fc00000;
inline constexpr u32 kSECCOMP_RET_TRACE = 0x7ff00000;
inline constexpr u32 kSECCOMP_RET_LOG = 0x7ffc0000;
inline constexpr u32 kSECCOMP_RET_ALLOW = 0x7fff0000;
inline constexpr u32 kSECCOMP_RET_ACTION_FULL = 0xffff0000;
inline constexpr u32 kSECCOMP_RET_DATA = 0xffff;
inline constexpr u32 kAUDIT_ARCH_X86_64 = 0xc000003e;

struct SeccompData {
  i32 nr;
  u32 arch;
  u64 instruction_pointer;
  u64 args[6];
};
static_assert(sizeof(SeccompData) == 64);

// Classic BPF
struct SockFilter {
  u16 code;
  u8 jt;
  u8 jf;
  u32 k;
};
static_assert(sizeof(SockFilter) == 8);

struct SockFprog {
  u16 len;
  u16 pad0[3];
  u64 filter;  // user address
};
static_assert(sizeof(SockFprog) == 16);
inline constexpr u32 kBPF_MAXINSNS = 4096;
inline constexpr u16 kBPF_LD = 0x0;
inline constexpr u16 kBPF_LDX = 0x1;
inline constexpr u16 kBPF_ST = 0x2;
inline constexpr u16 kBPF_STX = 0x3;
inline constexpr u16 kBPF_ALU = 0x4;
inline constexpr u16 kBPF_JMP = 0x5;
inline constexpr u16 kBPF_RET = 0x6;
inline constexpr u16 kBPF_MISC = 0x7;
inline constexpr u16 kBPF_W = 0x0;
inline constexpr u16 kBPF_H = 0x8;
inline constexpr u16 kBPF_B = 0x10;
inline constexpr u16 kBPF_IMM = 0x0;
inline constexpr u16 kBPF_ABS = 0x20;
inline constexpr u16 kBPF_IND = 0x40;
inline constexpr u16 kBPF_MEM = 0x60;
inline constexpr u16 kBPF_LEN = 0x80;
inline constexpr u16 kBPF_MSH = 0xa0;
inline constexpr u16 kBPF_ADD = 0x0;
inline constexpr u16 kBPF_SUB = 0x10;
inline constexpr u16 kBPF_MUL = 0x20;
inline constexpr u16 kBPF_DIV = 0x30;
inline constexpr u16 kBPF_OR = 0x40;
inline constexpr u16 kBPF_AND = 0x50;
inline constexpr u16 kBPF_LSH = 0x60;
inline constexpr u16 kBPF_RSH = 0x70;
inline constexpr u16 kBPF_NEG = 0x80;
inline constexpr u16 kBPF_MOD = 0x90;
inline constexpr u16 kBPF_XOR = 0xa0;
inline constexpr u16 kBPF_JA = 0x0;
inline constexpr u16 kBPF_JEQ = 0x10;
inline constexpr u16 kBPF_JGT = 0x20;
inline constexpr u16 kBPF_JGE = 0x30;
inline constexpr u16 kBPF_JSET = 0x40;
inline constexpr u16 kBPF_K = 0x0;
inline constexpr u16 kBPF_X = 0x8;
inline constexpr u16 kBPF_A = 0x10;
inline constexpr u16 kBPF_TAX = 0x0;
inline constexpr u16 kBPF_TXA = 0x80;

}  // namespace lxss::abi
