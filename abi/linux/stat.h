// File attributes and file system statistics.
// Man pages: stat(2), statx(2), statfs(2), inode(7), makedev(3), umask(2), utimensat(2).
#pragma once

#include <cstddef>

#include "abi/linux/time.h"
#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

struct Stat {
  u64 st_dev;
  u64 st_ino;
  u64 st_nlink;
  u32 st_mode;
  u32 st_uid;
  u32 st_gid;
  u32 pad0;
  u64 st_rdev;
  i64 st_size;
  i64 st_blksize;
  i64 st_blocks;  // in units of 512 bytes
  Timespec st_atim;
  Timespec st_mtim;
  Timespec st_ctim;
  i64 pad1[3];
};
static_assert(sizeof(Stat) == 144);
static_assert(offsetof(Stat, st_mode) == 24);
static_assert(offsetof(Stat, st_rdev) == 40);
static_assert(offsetof(Stat, st_atim) == 72);
static_assert(offsetof(Stat, st_ctim) == 104);

struct StatxTimestamp {
  i64 tv_sec;
  u32 tv_nsec;
  i32 pad0;
};
static_assert(sizeof(StatxTimestamp) == 16);

struct Statx {
  u32 stx_mask;
  u32 stx_blksize;
  u64 stx_attributes;
  u32 stx_nlink;
  u32 stx_uid;
  u32 stx_gid;
  u16 stx_mode;
  u16 pad0;
  u64 stx_ino;
  u64 stx_size;
  u64 stx_blocks;
  u64 stx_attributes_mask;
  StatxTimestamp stx_atime;
  StatxTimestamp stx_btime;
  StatxTimestamp stx_ctime;
  StatxTimestamp stx_mtime;
  u32 stx_rdev_major;
  u32 stx_rdev_minor;
  u32 stx_dev_major;
  u32 stx_dev_minor;
  u64 stx_mnt_id;
  u32 stx_dio_mem_align;
  u32 stx_dio_offset_align;
  u64 stx_subvol;
  u32 stx_atomic_write_unit_min;
  u32 stx_atomic_write_unit_max;
  u32 stx_atomic_write_segments_max;
  u32 pad1;
  u64 pad2[9];
};
static_assert(sizeof(Statx) == 256);
static_assert(offsetof(Statx, stx_ino) == 0x20);
static_assert(offsetof(Statx, stx_atime) == 0x40);
static_assert(offsetof(Statx, stx_rdev_major) == 0x80);
static_assert(offsetof(Statx, stx_mnt_id) == 0x90);
static_assert(offsetof(Statx, stx_subvol) == 0xa0);

enum class StatxMask : u32 {
  kSTATX_TYPE = 0x1,
  kSTATX_MODE = 0x2,
  kSTATX_NLINK = 0x4,
  kSTATX_UID = 0x8,
  kSTATX_GID = 0x10,
  kSTATX_ATIME = 0x20,
  kSTATX_MTIME = 0x40,
  kSTATX_CTIME = 0x80,
  kSTATX_INO = 0x100,
  kSTATX_SIZE = 0x200,
  kSTATX_BLOCKS = 0x400,
  kSTATX_BASIC_STATS = 0x7ff,
  kSTATX_BTIME = 0x800,
  kSTATX_MNT_ID = 0x1000,
  kSTATX_DIOALIGN = 0x2000,
  kSTATX_MNT_ID_UNIQUE = 0x4000,
  kSTATX_SUBVOL = 0x8000,
  kSTATX_WRITE_ATOMIC = 0x10000,
  kSTATX__RESERVED = 0x80000000,
};
LXSS_FLAGS(StatxMask)
using StatxMasks = Flags<StatxMask>;

inline constexpr u64 kSTATX_ATTR_COMPRESSED = 0x4;
inline constexpr u64 kSTATX_ATTR_IMMUTABLE = 0x10;
inline constexpr u64 kSTATX_ATTR_APPEND = 0x20;
inline constexpr u64 kSTATX_ATTR_NODUMP = 0x40;
inline constexpr u64 kSTATX_ATTR_ENCRYPTED = 0x800;
inline constexpr u64 kSTATX_ATTR_AUTOMOUNT = 0x1000;
inline constexpr u64 kSTATX_ATTR_MOUNT_ROOT = 0x2000;
inline constexpr u64 kSTATX_ATTR_VERITY = 0x100000;
inline constexpr u64 kSTATX_ATTR_DAX = 0x200000;
inline constexpr u64 kSTATX_ATTR_WRITE_ATOMIC = 0x400000;

// File types and permission bits (st_mode).
inline constexpr u32 kS_IFMT = 0170000;
inline constexpr u32 kS_IFSOCK = 0140000;
inline constexpr u32 kS_IFLNK = 0120000;
inline constexpr u32 kS_IFREG = 0100000;
inline constexpr u32 kS_IFBLK = 060000;
inline constexpr u32 kS_IFDIR = 040000;
inline constexpr u32 kS_IFCHR = 020000;
inline constexpr u32 kS_IFIFO = 010000;
inline constexpr u32 kS_ISUID = 04000;
inline constexpr u32 kS_ISGID = 02000;
inline constexpr u32 kS_ISVTX = 01000;
inline constexpr u32 kS_IRWXU = 0700;
inline constexpr u32 kS_IRUSR = 0400;
inline constexpr u32 kS_IWUSR = 0200;
inline constexpr u32 kS_IXUSR = 0100;
inline constexpr u32 kS_IRWXG = 070;
inline constexpr u32 kS_IRGRP = 040;
inline constexpr u32 kS_IWGRP = 020;
inline constexpr u32 kS_IXGRP = 010;
inline constexpr u32 kS_IRWXO = 07;
inline constexpr u32 kS_IROTH = 04;
inline constexpr u32 kS_IWOTH = 02;
inline constexpr u32 kS_IXOTH = 01;
inline constexpr u32 kS_IRWXUGO = kS_IRWXU | kS_IRWXG | kS_IRWXO;
inline constexpr u32 kS_IALLUGO = kS_ISUID | kS_ISGID | kS_ISVTX | kS_IRWXUGO;

constexpr bool is_regular(u32 mode) { return (mode & kS_IFMT) == kS_IFREG; }
constexpr bool is_directory(u32 mode) { return (mode & kS_IFMT) == kS_IFDIR; }
constexpr bool is_symlink(u32 mode) { return (mode & kS_IFMT) == kS_IFLNK; }
constexpr bool is_char_device(u32 mode) { return (mode & kS_IFMT) == kS_IFCHR; }
constexpr bool is_block_device(u32 mode) { return (mode & kS_IFMT) == kS_IFBLK; }
constexpr bool is_fifo(u32 mode) { return (mode & kS_IFMT) == kS_IFIFO; }
constexpr bool is_socket(u32 mode) { return (mode & kS_IFMT) == kS_IFSOCK; }

// utimensat(2)
inline constexpr i64 kUTIME_NOW = 0x3fffffff;
inline constexpr i64 kUTIME_OMIT = 0x3ffffffe;

// Device numbers as stat(2) and mknod(2) carry them: 12 bits of major, 20 of minor in 32 bits.
// (Not major() and minor(): the C library defines those as macros.)
constexpr u64 make_dev(u32 major_number, u32 minor_number) {
  return (static_cast<u64>(minor_number & 0xff)) | (static_cast<u64>(major_number & 0xfff) << 8) |
         (static_cast<u64>(minor_number & ~0xffu) << 12) |
         (static_cast<u64>(major_number & ~0xfffu) << 32);
}
constexpr u32 dev_major(u64 dev) {
  return static_cast<u32>((dev >> 8) & 0xfff) | (static_cast<u32>(dev >> 32) & ~0xfffu);
}
constexpr u32 dev_minor(u64 dev) {
  return static_cast<u32>(dev & 0xff) | (static_cast<u32>(dev >> 12) & ~0xffu);
}
static_assert(make_dev(1, 3) == 0x103);
static_assert(dev_major(make_dev(259, 70000)) == 259 && dev_minor(make_dev(259, 70000)) == 70000);

struct FsId {
  i32 val[2];
};
static_assert(sizeof(FsId) == 8);

struct Statfs {
  i64 f_type;
  i64 f_bsize;
  u64 f_blocks;
  u64 f_bfree;
  u64 f_bavail;
  u64 f_files;
  u64 f_ffree;
  FsId f_fsid;
  i64 f_namelen;
  i64 f_frsize;
  i64 f_flags;
  i64 f_spare[4];
};
static_assert(sizeof(Statfs) == 120);
static_assert(offsetof(Statfs, f_fsid) == 56);

// Statfs::f_flags; kST_VALID says that the kernel filled the member.
inline constexpr i64 kST_RDONLY = 0x1;
inline constexpr i64 kST_NOSUID = 0x2;
inline constexpr i64 kST_NODEV = 0x4;
inline constexpr i64 kST_NOEXEC = 0x8;
inline constexpr i64 kST_SYNCHRONOUS = 0x10;
inline constexpr i64 kST_VALID = 0x20;
inline constexpr i64 kST_MANDLOCK = 0x40;
inline constexpr i64 kST_NOATIME = 0x400;
inline constexpr i64 kST_NODIRATIME = 0x800;
inline constexpr i64 kST_RELATIME = 0x1000;
inline constexpr i64 kST_NOSYMFOLLOW = 0x2000;

inline constexpr usize kPATH_MAX = 4096;
inline constexpr usize kNAME_MAX = 255;
inline constexpr u32 kMAXSYMLINKS = 40;

}  // namespace lxss::abi
