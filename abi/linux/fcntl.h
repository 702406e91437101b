// File opening, descriptor commands, locks, leases and the *at() flags.
// Man pages: open(2), openat2(2), fcntl(2), flock(2), rename(2), fallocate(2), splice(2),
// close_range(2), access(2), lseek(2), posix_fadvise(2), sync_file_range(2).
#pragma once

#include <cstddef>

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

// open(2). kO_RDONLY is the absence of the two access bits; compare `raw() & kO_ACCMODE`.
enum class OpenFlag : u32 {
  kO_RDONLY = 0,
  kO_WRONLY = 01,
  kO_RDWR = 02,
  kO_CREAT = 0100,
  kO_EXCL = 0200,
  kO_NOCTTY = 0400,
  kO_TRUNC = 01000,
  kO_APPEND = 02000,
  kO_NONBLOCK = 04000,
  kO_DSYNC = 010000,
  kFASYNC = 020000,
  kO_DIRECT = 040000,
  kO_LARGEFILE = 0100000,
  kO_DIRECTORY = 0200000,
  kO_NOFOLLOW = 0400000,
  kO_NOATIME = 01000000,
  kO_CLOEXEC = 02000000,
  k__O_SYNC = 04000000,
  kO_SYNC = 04010000,
  kO_PATH = 010000000,
  k__O_TMPFILE = 020000000,
  kO_TMPFILE = 020200000,
};
LXSS_FLAGS(OpenFlag)
using OpenFlags = Flags<OpenFlag>;

inline constexpr u32 kO_ACCMODE = 03;
inline constexpr OpenFlag kO_ASYNC = OpenFlag::kFASYNC;

inline constexpr i32 kAT_FDCWD = -100;

enum class AtFlag : u32 {
  kAT_SYMLINK_NOFOLLOW = 0x100,
  kAT_REMOVEDIR = 0x200,
  kAT_SYMLINK_FOLLOW = 0x400,
  kAT_NO_AUTOMOUNT = 0x800,
  kAT_EMPTY_PATH = 0x1000,
  kAT_STATX_FORCE_SYNC = 0x2000,
  kAT_STATX_DONT_SYNC = 0x4000,
  kAT_RECURSIVE = 0x8000,
  kAT_EACCESS = 0x200,
};
LXSS_FLAGS(AtFlag)
using AtFlags = Flags<AtFlag>;

inline constexpr u32 kAT_STATX_SYNC_TYPE = 0x6000;
inline constexpr u32 kAT_STATX_SYNC_AS_STAT = 0x0;

// access(2)
inline constexpr i32 kF_OK = 0;
inline constexpr i32 kX_OK = 1;
inline constexpr i32 kW_OK = 2;
inline constexpr i32 kR_OK = 4;

// lseek(2)
inline constexpr i32 kSEEK_SET = 0;
inline constexpr i32 kSEEK_CUR = 1;
inline constexpr i32 kSEEK_END = 2;
inline constexpr i32 kSEEK_DATA = 3;
inline constexpr i32 kSEEK_HOLE = 4;

// openat2(2)
struct OpenHow {
  u64 flags;
  u64 mode;
  u64 resolve;
};
static_assert(sizeof(OpenHow) == 24);

enum class ResolveFlag : u64 {
  kRESOLVE_NO_XDEV = 0x1,
  kRESOLVE_NO_MAGICLINKS = 0x2,
  kRESOLVE_NO_SYMLINKS = 0x4,
  kRESOLVE_BENEATH = 0x8,
  kRESOLVE_IN_ROOT = 0x10,
  kRESOLVE_CACHED = 0x20,
};
LXSS_FLAGS(ResolveFlag)
using ResolveFlags = Flags<ResolveFlag>;

// fcntl(2) commands
inline constexpr i32 kF_DUPFD = 0;
inline constexpr i32 kF_GETFD = 1;
inline constexpr i32 kF_SETFD = 2;
inline constexpr i32 kF_GETFL = 3;
inline constexpr i32 kF_SETFL = 4;
inline constexpr i32 kF_GETLK = 5;
inline constexpr i32 kF_SETLK = 6;
inline constexpr i32 kF_SETLKW = 7;
inline constexpr i32 kF_SETOWN = 8;
inline constexpr i32 kF_GETOWN = 9;
inline constexpr i32 kF_SETSIG = 10;
inline constexpr i32 kF_GETSIG = 11;
inline constexpr i32 kF_SETOWN_EX = 15;
inline constexpr i32 kF_GETOWN_EX = 16;
inline constexpr i32 kF_GETOWNER_UIDS = 17;
inline constexpr i32 kF_OFD_GETLK = 36;
inline constexpr i32 kF_OFD_SETLK = 37;
inline constexpr i32 kF_OFD_SETLKW = 38;
inline constexpr i32 kF_SETLEASE = 1024;
inline constexpr i32 kF_GETLEASE = 1025;
inline constexpr i32 kF_NOTIFY = 1026;
inline constexpr i32 kF_CANCELLK = 1029;
inline constexpr i32 kF_DUPFD_CLOEXEC = 1030;
inline constexpr i32 kF_SETPIPE_SZ = 1031;
inline constexpr i32 kF_GETPIPE_SZ = 1032;
inline constexpr i32 kF_ADD_SEALS = 1033;
inline constexpr i32 kF_GET_SEALS = 1034;
inline constexpr i32 kF_GET_RW_HINT = 1035;
inline constexpr i32 kF_SET_RW_HINT = 1036;
inline constexpr i32 kF_GET_FILE_RW_HINT = 1037;
inline constexpr i32 kF_SET_FILE_RW_HINT = 1038;
inline constexpr i32 kFD_CLOEXEC = 1;

// F_SETOWN_EX
inline constexpr i32 kF_OWNER_TID = 0;
inline constexpr i32 kF_OWNER_PID = 1;
inline constexpr i32 kF_OWNER_PGRP = 2;
struct FOwnerEx {
  i32 type;
  i32 pid;
};
static_assert(sizeof(FOwnerEx) == 8);

// F_SETLK and the open file description forms
inline constexpr i16 kF_RDLCK = 0;
inline constexpr i16 kF_WRLCK = 1;
inline constexpr i16 kF_UNLCK = 2;
struct Flock {
  i16 l_type;
  i16 l_whence;
  u32 pad0;
  i64 l_start;
  i64 l_len;
  i32 l_pid;
  u32 pad1;
};
static_assert(sizeof(Flock) == 32);
static_assert(offsetof(Flock, l_start) == 8);
static_assert(offsetof(Flock, l_pid) == 24);

// flock(2)
enum class LockOp : u32 {
  kLOCK_SH = 1,
  kLOCK_EX = 2,
  kLOCK_NB = 4,
  kLOCK_UN = 8,
};
LXSS_FLAGS(LockOp)
using LockOps = Flags<LockOp>;

// F_ADD_SEALS
enum class SealFlag : u32 {
  kF_SEAL_SEAL = 0x1,
  kF_SEAL_SHRINK = 0x2,
  kF_SEAL_GROW = 0x4,
  kF_SEAL_WRITE = 0x8,
  kF_SEAL_FUTURE_WRITE = 0x10,
  kF_SEAL_EXEC = 0x20,
};
LXSS_FLAGS(SealFlag)
using SealFlags = Flags<SealFlag>;

// F_NOTIFY
inline constexpr u32 kDN_ACCESS = 0x1;
inline constexpr u32 kDN_MODIFY = 0x2;
inline constexpr u32 kDN_CREATE = 0x4;
inline constexpr u32 kDN_DELETE = 0x8;
inline constexpr u32 kDN_RENAME = 0x10;
inline constexpr u32 kDN_ATTRIB = 0x20;
inline constexpr u32 kDN_MULTISHOT = 0x80000000;

// renameat2(2)
enum class RenameFlag : u32 {
  kRENAME_NOREPLACE = 0x1,
  kRENAME_EXCHANGE = 0x2,
  kRENAME_WHITEOUT = 0x4,
};
LXSS_FLAGS(RenameFlag)
using RenameFlags = Flags<RenameFlag>;

// fallocate(2)
enum class FallocateFlag : u32 {
  kFALLOC_FL_KEEP_SIZE = 0x1,
  kFALLOC_FL_PUNCH_HOLE = 0x2,
  kFALLOC_FL_NO_HIDE_STALE = 0x4,
  kFALLOC_FL_COLLAPSE_RANGE = 0x8,
  kFALLOC_FL_ZERO_RANGE = 0x10,
  kFALLOC_FL_INSERT_RANGE = 0x20,
  kFALLOC_FL_UNSHARE_RANGE = 0x40,
};
LXSS_FLAGS(FallocateFlag)
using FallocateFlags = Flags<FallocateFlag>;

// splice(2), tee(2), vmsplice(2)
enum class SpliceFlag : u32 {
  kSPLICE_F_MOVE = 0x1,
  kSPLICE_F_NONBLOCK = 0x2,
  kSPLICE_F_MORE = 0x4,
  kSPLICE_F_GIFT = 0x8,
};
LXSS_FLAGS(SpliceFlag)
using SpliceFlags = Flags<SpliceFlag>;

// close_range(2)
enum class CloseRangeFlag : u32 {
  kCLOSE_RANGE_UNSHARE = 0x2,
  kCLOSE_RANGE_CLOEXEC = 0x4,
};
LXSS_FLAGS(CloseRangeFlag)
using CloseRangeFlags = Flags<CloseRangeFlag>;

// posix_fadvise(2)
inline constexpr i32 kPOSIX_FADV_NORMAL = 0;
inline constexpr i32 kPOSIX_FADV_RANDOM = 1;
inline constexpr i32 kPOSIX_FADV_SEQUENTIAL = 2;
inline constexpr i32 kPOSIX_FADV_WILLNEED = 3;
inline constexpr i32 kPOSIX_FADV_DONTNEED = 4;
inline constexpr i32 kPOSIX_FADV_NOREUSE = 5;

// sync_file_range(2)
enum class SyncFileRangeFlag : u32 {
  kSYNC_FILE_RANGE_WAIT_BEFORE = 0x1,
  kSYNC_FILE_RANGE_WRITE = 0x2,
  kSYNC_FILE_RANGE_WAIT_AFTER = 0x4,
};
LXSS_FLAGS(SyncFileRangeFlag)
using SyncFileRangeFlags = Flags<SyncFileRangeFlag>;

// name_to_handle_at(2)
inline constexpr u32 kMAX_HANDLE_SZ = 128;
struct FileHandle {
  u32 handle_bytes;
  i32 handle_type;
  // handle_bytes bytes follow.
};
static_assert(sizeof(FileHandle) == 8);

}  // namespace lxss::abi
