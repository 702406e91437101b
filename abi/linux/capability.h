// Capabilities.
// Man pages: capabilities(7), capget(2).
#pragma once

#include <cstddef>

#include "base/types.h"

namespace lxss::abi {

inline constexpr u32 kCAP_CHOWN = 0;
inline constexpr u32 kCAP_DAC_OVERRIDE = 1;
inline constexpr u32 kCAP_DAC_READ_SEARCH = 2;
inline constexpr u32 kCAP_FOWNER = 3;
inline constexpr u32 kCAP_FSETID = 4;
inline constexpr u32 kCAP_KILL = 5;
inline constexpr u32 kCAP_SETGID = 6;
inline constexpr u32 kCAP_SETUID = 7;
inline constexpr u32 kCAP_SETPCAP = 8;
inline constexpr u32 kCAP_LINUX_IMMUTABLE = 9;
inline constexpr u32 kCAP_NET_BIND_SERVICE = 10;
inline constexpr u32 kCAP_NET_BROADCAST = 11;
inline constexpr u32 kCAP_NET_ADMIN = 12;
inline constexpr u32 kCAP_NET_RAW = 13;
inline constexpr u32 kCAP_IPC_LOCK = 14;
inline constexpr u32 kCAP_IPC_OWNER = 15;
inline constexpr u32 kCAP_SYS_MODULE = 16;
inline constexpr u32 kCAP_SYS_RAWIO = 17;
inline constexpr u32 kCAP_SYS_CHROOT = 18;
inline constexpr u32 kCAP_SYS_PTRACE = 19;
inline constexpr u32 kCAP_SYS_PACCT = 20;
inline constexpr u32 kCAP_SYS_ADMIN = 21;
inline constexpr u32 kCAP_SYS_BOOT = 22;
inline constexpr u32 kCAP_SYS_NICE = 23;
inline constexpr u32 kCAP_SYS_RESOURCE = 24;
inline constexpr u32 kCAP_SYS_TIME = 25;
inline constexpr u32 kCAP_SYS_TTY_CONFIG = 26;
inline constexpr u32 kCAP_MKNOD = 27;
inline constexpr u32 kCAP_LEASE = 28;
inline constexpr u32 kCAP_AUDIT_WRITE = 29;
inline constexpr u32 kCAP_AUDIT_CONTROL = 30;
inline constexpr u32 kCAP_SETFCAP = 31;
inline constexpr u32 kCAP_MAC_OVERRIDE = 32;
inline constexpr u32 kCAP_MAC_ADMIN = 33;
inline constexpr u32 kCAP_SYSLOG = 34;
inline constexpr u32 kCAP_WAKE_ALARM = 35;
inline constexpr u32 kCAP_BLOCK_SUSPEND = 36;
inline constexpr u32 kCAP_AUDIT_READ = 37;
inline constexpr u32 kCAP_PERFMON = 38;
inline constexpr u32 kCAP_BPF = 39;
inline constexpr u32 kCAP_CHECKPOINT_RESTORE = 40;
inline constexpr u32 kCAP_LAST_CAP = kCAP_CHECKPOINT_RESTORE;
inline constexpr u64 kCAP_FULL_SET = (u64{2} << kCAP_LAST_CAP) - 1;
constexpr u64 cap_bit(u32 cap) { return u64{1} << cap; }

struct CapUserHeader {
  u32 version;
  i32 pid;
};
static_assert(sizeof(CapUserHeader) == 8);

// Versions 2 and 3 take two of these: low words first.
struct CapUserData {
  u32 effective;
  u32 permitted;
  u32 inheritable;
};
static_assert(sizeof(CapUserData) == 12);

inline constexpr u32 k_LINUX_CAPABILITY_VERSION_1 = 0x19980330;
inline constexpr u32 k_LINUX_CAPABILITY_VERSION_2 = 0x20071026;
inline constexpr u32 k_LINUX_CAPABILITY_VERSION_3 = 0x20080522;

// The security.capability extended attribute, little endian.
struct VfsCapData {
  u32 magic_etc;
  struct {
    u32 permitted;
    u32 inheritable;
  } data[2];
};
static_assert(sizeof(VfsCapData) == 20);

struct VfsNsCapData {
  u32 magic_etc;
  struct {
    u32 permitted;
    u32 inheritable;
  } data[2];
  u32 rootid;
};
static_assert(sizeof(VfsNsCapData) == 24);
inline constexpr u32 kVFS_CAP_REVISION_MASK = 0xff000000;
inline constexpr u32 kVFS_CAP_FLAGS_EFFECTIVE = 0x1;
inline constexpr u32 kVFS_CAP_REVISION_1 = 0x1000000;
inline constexpr u32 kVFS_CAP_REVISION_2 = 0x2000000;
inline constexpr u32 kVFS_CAP_REVISION_3 = 0x3000000;

// Securebits
inline constexpr u32 kSECBIT_NOROOT = 0x1;
inline constexpr u32 kSECBIT_NOROOT_LOCKED = 0x2;
inline constexpr u32 kSECBIT_NO_SETUID_FIXUP = 0x4;
inline constexpr u32 kSECBIT_NO_SETUID_FIXUP_LOCKED = 0x8;
inline constexpr u32 kSECBIT_KEEP_CAPS = 0x10;
inline constexpr u32 kSECBIT_KEEP_CAPS_LOCKED = 0x20;
inline constexpr u32 kSECBIT_NO_CAP_AMBIENT_RAISE = 0x40;
inline constexpr u32 kSECBIT_NO_CAP_AMBIENT_RAISE_LOCKED = 0x80;

}  // namespace lxss::abi
