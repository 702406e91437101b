// Mounting.
// Man pages: mount(2), umount(2), mount_setattr(2).
#pragma once

#include <cstddef>

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

enum class MountFlag : u64 {
  kMS_RDONLY = 0x1,
  kMS_NOSUID = 0x2,
  kMS_NODEV = 0x4,
  kMS_NOEXEC = 0x8,
  kMS_SYNCHRONOUS = 0x10,
  kMS_REMOUNT = 0x20,
  kMS_MANDLOCK = 0x40,
  kMS_DIRSYNC = 0x80,
  kMS_NOSYMFOLLOW = 0x100,
  kMS_NOATIME = 0x400,
  kMS_NODIRATIME = 0x800,
  kMS_BIND = 0x1000,
  kMS_MOVE = 0x2000,
  kMS_REC = 0x4000,
  kMS_SILENT = 0x8000,
  kMS_POSIXACL = 0x10000,
  kMS_UNBINDABLE = 0x20000,
  kMS_PRIVATE = 0x40000,
  kMS_SLAVE = 0x80000,
  kMS_SHARED = 0x100000,
  kMS_RELATIME = 0x200000,
  kMS_I_VERSION = 0x800000,
  kMS_STRICTATIME = 0x1000000,
  kMS_LAZYTIME = 0x2000000,
};
LXSS_FLAGS(MountFlag)
using MountFlags = Flags<MountFlag>;

inline constexpr u64 kMS_MGC_VAL = 0xc0ed0000;
inline constexpr u64 kMS_MGC_MSK = 0xffff0000;

// umount2(2)
enum class UmountFlag : u32 {
  kMNT_FORCE = 0x1,
  kMNT_DETACH = 0x2,
  kMNT_EXPIRE = 0x4,
  kUMOUNT_NOFOLLOW = 0x8,
};
LXSS_FLAGS(UmountFlag)
using UmountFlags = Flags<UmountFlag>;

// fsopen(2) family
inline constexpr u32 kOPEN_TREE_CLONE = 0x1;
inline constexpr u32 kOPEN_TREE_CLOEXEC = 0x80000;
inline constexpr u32 kFSOPEN_CLOEXEC = 0x1;
inline constexpr u32 kFSMOUNT_CLOEXEC = 0x1;

enum class MountAttrFlag : u64 {
  kMOUNT_ATTR_RDONLY = 0x1,
  kMOUNT_ATTR_NOSUID = 0x2,
  kMOUNT_ATTR_NODEV = 0x4,
  kMOUNT_ATTR_NOEXEC = 0x8,
  kMOUNT_ATTR_NOATIME = 0x10,
  kMOUNT_ATTR_STRICTATIME = 0x20,
  kMOUNT_ATTR_NODIRATIME = 0x80,
  kMOUNT_ATTR_IDMAP = 0x100000,
  kMOUNT_ATTR_NOSYMFOLLOW = 0x200000,
};
LXSS_FLAGS(MountAttrFlag)
using MountAttrFlags = Flags<MountAttrFlag>;

struct MountAttr {
  u64 attr_set;
  u64 attr_clr;
  u64 propagation;
  u64 userns_fd;
};
static_assert(sizeof(MountAttr) == 32);

}  // namespace lxss::abi
