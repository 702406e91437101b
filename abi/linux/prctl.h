// Operations on the calling process and thread.
// Man pages: prctl(2), arch_prctl(2), personality(2), kcmp(2).
#pragma once

#include <cstddef>

#include "base/types.h"

namespace lxss::abi {

inline constexpr i32 kPR_SET_PDEATHSIG = 1;
inline constexpr i32 kPR_GET_PDEATHSIG = 2;
inline constexpr i32 kPR_GET_DUMPABLE = 3;
inline constexpr i32 kPR_SET_DUMPABLE = 4;
inline constexpr i32 kPR_GET_UNALIGN = 5;
inline constexpr i32 kPR_SET_UNALIGN = 6;
inline constexpr i32 kPR_GET_KEEPCAPS = 7;
inline constexpr i32 kPR_SET_KEEPCAPS = 8;
inline constexpr i32 kPR_GET_TIMING = 13;
inline constexpr i32 kPR_SET_TIMING = 14;
inline constexpr i32 kPR_SET_NAME = 15;
inline constexpr i32 kPR_GET_NAME = 16;
inline constexpr i32 kPR_GET_ENDIAN = 19;
inline constexpr i32 kPR_SET_ENDIAN = 20;
inline constexpr i32 kPR_GET_SECCOMP = 21;
inline constexpr i32 kPR_SET_SECCOMP = 22;
inline constexpr i32 kPR_CAPBSET_READ = 23;
inline constexpr i32 kPR_CAPBSET_DROP = 24;
inline constexpr i32 kPR_GET_TSC = 25;
inline constexpr i32 kPR_SET_TSC = 26;
inline constexpr i32 kPR_GET_SECUREBITS = 27;
inline constexpr i32 kPR_SET_SECUREBITS = 28;
inline constexpr i32 kPR_SET_TIMERSLACK = 29;
inline constexpr i32 kPR_GET_TIMERSLACK = 30;
inline constexpr i32 kPR_TASK_PERF_EVENTS_DISABLE = 31;
inline constexpr i32 kPR_TASK_PERF_EVENTS_ENABLE = 32;
inline constexpr i32 kPR_MCE_KILL = 33;
inline constexpr i32 kPR_MCE_KILL_GET = 34;
inline constexpr i32 kPR_SET_MM = 35;
inline constexpr i32 kPR_SET_CHILD_SUBREAPER = 36;
inline constexpr i32 kPR_GET_CHILD_SUBREAPER = 37;
inline constexpr i32 kPR_SET_NO_NEW_PRIVS = 38;
inline constexpr i32 kPR_GET_NO_NEW_PRIVS = 39;
inline constexpr i32 kPR_GET_TID_ADDRESS = 40;
inline constexpr i32 kPR_SET_THP_DISABLE = 41;
inline constexpr i32 kPR_GET_THP_DISABLE = 42;
inline constexpr i32 kPR_CAP_AMBIENT = 47;
inline constexpr i32 kPR_GET_SPECULATION_CTRL = 52;
inline constexpr i32 kPR_SET_SPECULATION_CTRL = 53;
inline constexpr i32 kPR_SET_IO_FLUSHER = 57;
inline constexpr i32 kPR_GET_IO_FLUSHER = 58;
inline constexpr i32 kPR_SET_SYSCALL_USER_DISPATCH = 59;
inline constexpr i32 kPR_SCHED_CORE = 62;
inline constexpr i32 kPR_SET_MDWE = 65;
inline constexpr i32 kPR_GET_MDWE = 66;
inline constexpr i32 kPR_SET_MEMORY_MERGE = 67;
inline constexpr i32 kPR_GET_MEMORY_MERGE = 68;
inline constexpr u32 kPR_SET_VMA = 0x53564d41;
inline constexpr u32 kPR_SET_PTRACER = 0x59616d61;
inline constexpr u64 kPR_SET_PTRACER_ANY = ~u64{0};
inline constexpr u64 kPR_SET_VMA_ANON_NAME = 0;

// PR_SET_MM
inline constexpr i32 kPR_SET_MM_START_CODE = 1;
inline constexpr i32 kPR_SET_MM_END_CODE = 2;
inline constexpr i32 kPR_SET_MM_START_DATA = 3;
inline constexpr i32 kPR_SET_MM_END_DATA = 4;
inline constexpr i32 kPR_SET_MM_START_STACK = 5;
inline constexpr i32 kPR_SET_MM_START_BRK = 6;
inline constexpr i32 kPR_SET_MM_BRK = 7;
inline constexpr i32 kPR_SET_MM_ARG_START = 8;
inline constexpr i32 kPR_SET_MM_ARG_END = 9;
inline constexpr i32 kPR_SET_MM_ENV_START = 10;
inline constexpr i32 kPR_SET_MM_ENV_END = 11;
inline constexpr i32 kPR_SET_MM_AUXV = 12;
inline constexpr i32 kPR_SET_MM_EXE_FILE = 13;
inline constexpr i32 kPR_SET_MM_MAP = 14;
inline constexpr i32 kPR_SET_MM_MAP_SIZE = 15;
// PR_CAP_AMBIENT
inline constexpr i32 kPR_CAP_AMBIENT_IS_SET = 1;
inline constexpr i32 kPR_CAP_AMBIENT_RAISE = 2;
inline constexpr i32 kPR_CAP_AMBIENT_LOWER = 3;
inline constexpr i32 kPR_CAP_AMBIENT_CLEAR_ALL = 4;
// PR_SET_TSC
inline constexpr i32 kPR_TSC_ENABLE = 1;
inline constexpr i32 kPR_TSC_SIGSEGV = 2;
// PR_GET_SPECULATION_CTRL
inline constexpr u32 kPR_SPEC_STORE_BYPASS = 0x0;
inline constexpr u32 kPR_SPEC_INDIRECT_BRANCH = 0x1;
inline constexpr u32 kPR_SPEC_NOT_AFFECTED = 0x0;
inline constexpr u32 kPR_SPEC_PRCTL = 0x1;
inline constexpr u32 kPR_SPEC_ENABLE = 0x2;
inline constexpr u32 kPR_SPEC_DISABLE = 0x4;
inline constexpr u32 kPR_SPEC_FORCE_DISABLE = 0x8;
// PR_SET_NAME: with the NUL
inline constexpr usize kTASK_COMM_LEN = 16;

// arch_prctl(2)
inline constexpr u32 kARCH_SET_GS = 0x1001;
inline constexpr u32 kARCH_SET_FS = 0x1002;
inline constexpr u32 kARCH_GET_FS = 0x1003;
inline constexpr u32 kARCH_GET_GS = 0x1004;
inline constexpr u32 kARCH_GET_CPUID = 0x1011;
inline constexpr u32 kARCH_SET_CPUID = 0x1012;
inline constexpr u32 kARCH_GET_XCOMP_SUPP = 0x1021;
inline constexpr u32 kARCH_GET_XCOMP_PERM = 0x1022;
inline constexpr u32 kARCH_REQ_XCOMP_PERM = 0x1023;
inline constexpr u32 kARCH_SHSTK_ENABLE = 0x5001;
inline constexpr u32 kARCH_SHSTK_DISABLE = 0x5002;
inline constexpr u32 kARCH_SHSTK_STATUS = 0x5005;

// personality(2)
inline constexpr u32 kPER_LINUX = 0x0;
inline constexpr u32 kPER_LINUX32 = 0x8;
inline constexpr u32 kUNAME26 = 0x20000;
inline constexpr u32 kADDR_NO_RANDOMIZE = 0x40000;
inline constexpr u32 kFDPIC_FUNCPTRS = 0x80000;
inline constexpr u32 kMMAP_PAGE_ZERO = 0x100000;
inline constexpr u32 kADDR_COMPAT_LAYOUT = 0x200000;
inline constexpr u32 kREAD_IMPLIES_EXEC = 0x400000;
inline constexpr u32 kADDR_LIMIT_32BIT = 0x800000;
inline constexpr u32 kSHORT_INODE = 0x1000000;
inline constexpr u32 kWHOLE_SECONDS = 0x2000000;
inline constexpr u32 kSTICKY_TIMEOUTS = 0x4000000;
inline constexpr u32 kADDR_LIMIT_3GB = 0x8000000;

// kcmp(2)
inline constexpr i32 kKCMP_FILE = 0;
inline constexpr i32 kKCMP_VM = 1;
inline constexpr i32 kKCMP_FILES = 2;
inline constexpr i32 kKCMP_FS = 3;
inline constexpr i32 kKCMP_SIGHAND = 4;
inline constexpr i32 kKCMP_IO = 5;
inline constexpr i32 kKCMP_SYSVSEM = 6;
inline constexpr i32 kKCMP_EPOLL_TFD = 7;

}  // namespace lxss::abi
