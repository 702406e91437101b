// Memory mapping.
// Man pages: mmap(2), mprotect(2), msync(2), madvise(2), mremap(2), mlock(2), memfd_create(2),
// mincore(2), membarrier(2), pkey_alloc(2).
#pragma once

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

enum class ProtFlag : u32 {
  kPROT_NONE = 0x0,
  kPROT_READ = 0x1,
  kPROT_WRITE = 0x2,
  kPROT_EXEC = 0x4,
  kPROT_SEM = 0x8,
  kPROT_GROWSDOWN = 0x1000000,
  kPROT_GROWSUP = 0x2000000,
};
LXSS_FLAGS(ProtFlag)
using ProtFlags = Flags<ProtFlag>;

// kMAP_SHARED, kMAP_PRIVATE and kMAP_SHARED_VALIDATE are values under kMAP_TYPE, not single bits.
enum class MapFlag : u32 {
  kMAP_SHARED = 0x1,
  kMAP_PRIVATE = 0x2,
  kMAP_SHARED_VALIDATE = 0x3,
  kMAP_FIXED = 0x10,
  kMAP_ANONYMOUS = 0x20,
  kMAP_32BIT = 0x40,
  kMAP_GROWSDOWN = 0x100,
  kMAP_DENYWRITE = 0x800,
  kMAP_EXECUTABLE = 0x1000,
  kMAP_LOCKED = 0x2000,
  kMAP_NORESERVE = 0x4000,
  kMAP_POPULATE = 0x8000,
  kMAP_NONBLOCK = 0x10000,
  kMAP_STACK = 0x20000,
  kMAP_HUGETLB = 0x40000,
  kMAP_SYNC = 0x80000,
  kMAP_FIXED_NOREPLACE = 0x100000,
  kMAP_UNINITIALIZED = 0x4000000,
};
LXSS_FLAGS(MapFlag)
using MapFlags = Flags<MapFlag>;

inline constexpr u32 kMAP_TYPE = 0xf;
inline constexpr u32 kMAP_HUGE_SHIFT = 0x1a;
inline constexpr u32 kMAP_HUGE_MASK = 0x3f;
inline constexpr u32 kMAP_HUGE_2MB = 0x54000000;
inline constexpr u32 kMAP_HUGE_1GB = 0x78000000;

enum class MsyncFlag : u32 {
  kMS_ASYNC = 0x1,
  kMS_INVALIDATE = 0x2,
  kMS_SYNC = 0x4,
};
LXSS_FLAGS(MsyncFlag)
using MsyncFlags = Flags<MsyncFlag>;

inline constexpr i32 kMADV_NORMAL = 0;
inline constexpr i32 kMADV_RANDOM = 1;
inline constexpr i32 kMADV_SEQUENTIAL = 2;
inline constexpr i32 kMADV_WILLNEED = 3;
inline constexpr i32 kMADV_DONTNEED = 4;
inline constexpr i32 kMADV_FREE = 8;
inline constexpr i32 kMADV_REMOVE = 9;
inline constexpr i32 kMADV_DONTFORK = 10;
inline constexpr i32 kMADV_DOFORK = 11;
inline constexpr i32 kMADV_MERGEABLE = 12;
inline constexpr i32 kMADV_UNMERGEABLE = 13;
inline constexpr i32 kMADV_HUGEPAGE = 14;
inline constexpr i32 kMADV_NOHUGEPAGE = 15;
inline constexpr i32 kMADV_DONTDUMP = 16;
inline constexpr i32 kMADV_DODUMP = 17;
inline constexpr i32 kMADV_WIPEONFORK = 18;
inline constexpr i32 kMADV_KEEPONFORK = 19;
inline constexpr i32 kMADV_COLD = 20;
inline constexpr i32 kMADV_PAGEOUT = 21;
inline constexpr i32 kMADV_POPULATE_READ = 22;
inline constexpr i32 kMADV_POPULATE_WRITE = 23;
inline constexpr i32 kMADV_DONTNEED_LOCKED = 24;
inline constexpr i32 kMADV_COLLAPSE = 25;
inline constexpr i32 kMADV_HWPOISON = 100;
inline constexpr i32 kMADV_SOFT_OFFLINE = 101;

enum class MremapFlag : u32 {
  kMREMAP_MAYMOVE = 0x1,
  kMREMAP_FIXED = 0x2,
  kMREMAP_DONTUNMAP = 0x4,
};
LXSS_FLAGS(MremapFlag)
using MremapFlags = Flags<MremapFlag>;

enum class MlockallFlag : u32 {
  kMCL_CURRENT = 0x1,
  kMCL_FUTURE = 0x2,
  kMCL_ONFAULT = 0x4,
};
LXSS_FLAGS(MlockallFlag)
using MlockallFlags = Flags<MlockallFlag>;

enum class Mlock2Flag : u32 {
  kMLOCK_ONFAULT = 0x1,
};
LXSS_FLAGS(Mlock2Flag)
using Mlock2Flags = Flags<Mlock2Flag>;

enum class MemfdFlag : u32 {
  kMFD_CLOEXEC = 0x1,
  kMFD_ALLOW_SEALING = 0x2,
  kMFD_HUGETLB = 0x4,
  kMFD_NOEXEC_SEAL = 0x8,
  kMFD_EXEC = 0x10,
};
LXSS_FLAGS(MemfdFlag)
using MemfdFlags = Flags<MemfdFlag>;

inline constexpr u32 kPKEY_DISABLE_ACCESS = 0x1;
inline constexpr u32 kPKEY_DISABLE_WRITE = 0x2;

// membarrier(2) commands
inline constexpr i32 kMEMBARRIER_CMD_QUERY = 0;
inline constexpr i32 kMEMBARRIER_CMD_GLOBAL = 1;
inline constexpr i32 kMEMBARRIER_CMD_GLOBAL_EXPEDITED = 2;
inline constexpr i32 kMEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED = 4;
inline constexpr i32 kMEMBARRIER_CMD_PRIVATE_EXPEDITED = 8;
inline constexpr i32 kMEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED = 16;
inline constexpr i32 kMEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE = 32;
inline constexpr i32 kMEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE = 64;
inline constexpr i32 kMEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ = 128;
inline constexpr i32 kMEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ = 256;
inline constexpr i32 kMEMBARRIER_CMD_GET_REGISTRATIONS = 512;
inline constexpr u32 kMEMBARRIER_CMD_FLAG_CPU = 0x1;

}  // namespace lxss::abi
