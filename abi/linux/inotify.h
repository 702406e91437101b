// File system events.
// Man pages: inotify(7), inotify_init(2), inotify_add_watch(2).
#pragma once

#include <cstddef>

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

struct InotifyEvent {
  i32 wd;
  u32 mask;
  u32 cookie;
  u32 len;
  // len bytes of name follow, padded with NULs.
};
static_assert(sizeof(InotifyEvent) == 16);

enum class InotifyFlag : u32 {
  kIN_ACCESS = 0x1,
  kIN_MODIFY = 0x2,
  kIN_ATTRIB = 0x4,
  kIN_CLOSE_WRITE = 0x8,
  kIN_CLOSE_NOWRITE = 0x10,
  kIN_OPEN = 0x20,
  kIN_MOVED_FROM = 0x40,
  kIN_MOVED_TO = 0x80,
  kIN_CREATE = 0x100,
  kIN_DELETE = 0x200,
  kIN_DELETE_SELF = 0x400,
  kIN_MOVE_SELF = 0x800,
  kIN_UNMOUNT = 0x2000,
  kIN_Q_OVERFLOW = 0x4000,
  kIN_IGNORED = 0x8000,
  kIN_CLOSE = 0x18,
  kIN_MOVE = 0xc0,
  kIN_ALL_EVENTS = 0xfff,
  kIN_ONLYDIR = 0x1000000,
  kIN_DONT_FOLLOW = 0x2000000,
  kIN_EXCL_UNLINK = 0x4000000,
  kIN_MASK_CREATE = 0x10000000,
  kIN_MASK_ADD = 0x20000000,
  kIN_ISDIR = 0x40000000,
  kIN_ONESHOT = 0x80000000,
};
LXSS_FLAGS(InotifyFlag)
using InotifyFlags = Flags<InotifyFlag>;

enum class InotifyInitFlag : u32 {
  kIN_CLOEXEC = 02000000,
  kIN_NONBLOCK = 04000,
};
LXSS_FLAGS(InotifyInitFlag)
using InotifyInitFlags = Flags<InotifyInitFlag>;

}  // namespace lxss::abi
