// Process creation, namespaces and scheduling.
// Man pages: clone(2), unshare(2), setns(2), sched(7), sched_setattr(2),
// sched_setaffinity(2), kcmp(2).
#pragma once

#include <cstddef>

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

enum class CloneFlag : u64 {
  kCLONE_NEWTIME = 0x80,
  kCLONE_VM = 0x100,
  kCLONE_FS = 0x200,
  kCLONE_FILES = 0x400,
  kCLONE_SIGHAND = 0x800,
  kCLONE_PIDFD = 0x1000,
  kCLONE_PTRACE = 0x2000,
  kCLONE_VFORK = 0x4000,
  kCLONE_PARENT = 0x8000,
  kCLONE_THREAD = 0x10000,
  kCLONE_NEWNS = 0x20000,
  kCLONE_SYSVSEM = 0x40000,
  kCLONE_SETTLS = 0x80000,
  kCLONE_PARENT_SETTID = 0x100000,
  kCLONE_CHILD_CLEARTID = 0x200000,
  kCLONE_DETACHED = 0x400000,
  kCLONE_UNTRACED = 0x800000,
  kCLONE_CHILD_SETTID = 0x1000000,
  kCLONE_NEWCGROUP = 0x2000000,
  kCLONE_NEWUTS = 0x4000000,
  kCLONE_NEWIPC = 0x8000000,
  kCLONE_NEWUSER = 0x10000000,
  kCLONE_NEWPID = 0x20000000,
  kCLONE_NEWNET = 0x40000000,
  kCLONE_IO = 0x80000000,
  kCLONE_CLEAR_SIGHAND = 0x100000000,
  kCLONE_INTO_CGROUP = 0x200000000,
};
LXSS_FLAGS(CloneFlag)
using CloneFlags = Flags<CloneFlag>;

// The low byte of clone()'s flags: the signal that the parent gets when the child ends.
inline constexpr u64 kCSIGNAL = 0xff;

struct CloneArgs {
  u64 flags;
  u64 pidfd;
  u64 child_tid;
  u64 parent_tid;
  u64 exit_signal;
  u64 stack;
  u64 stack_size;
  u64 tls;
  u64 set_tid;
  u64 set_tid_size;
  u64 cgroup;
};
static_assert(sizeof(CloneArgs) == 88);
static_assert(offsetof(CloneArgs, tls) == 56);
inline constexpr usize kCLONE_ARGS_SIZE_VER0 = 64;
inline constexpr usize kCLONE_ARGS_SIZE_VER1 = 80;
inline constexpr usize kCLONE_ARGS_SIZE_VER2 = 88;

// Policies
inline constexpr i32 kSCHED_NORMAL = 0x0;
inline constexpr i32 kSCHED_FIFO = 0x1;
inline constexpr i32 kSCHED_RR = 0x2;
inline constexpr i32 kSCHED_BATCH = 0x3;
inline constexpr i32 kSCHED_IDLE = 0x5;
inline constexpr i32 kSCHED_DEADLINE = 0x6;
inline constexpr i32 kSCHED_RESET_ON_FORK = 0x40000000;
inline constexpr i32 kSCHED_OTHER = kSCHED_NORMAL;

struct SchedParam {
  i32 sched_priority;
};
static_assert(sizeof(SchedParam) == 4);

struct SchedAttr {
  u32 size;
  u32 sched_policy;
  u64 sched_flags;
  i32 sched_nice;
  u32 sched_priority;
  u64 sched_runtime;
  u64 sched_deadline;
  u64 sched_period;
  u32 sched_util_min;
  u32 sched_util_max;
};
static_assert(sizeof(SchedAttr) == 56);
inline constexpr usize kSCHED_ATTR_SIZE_VER0 = 48;
inline constexpr usize kSCHED_ATTR_SIZE_VER1 = 56;

enum class SchedFlag : u64 {
  kSCHED_FLAG_RESET_ON_FORK = 0x1,
  kSCHED_FLAG_RECLAIM = 0x2,
  kSCHED_FLAG_DL_OVERRUN = 0x4,
  kSCHED_FLAG_KEEP_POLICY = 0x8,
  kSCHED_FLAG_KEEP_PARAMS = 0x10,
  kSCHED_FLAG_UTIL_CLAMP_MIN = 0x20,
  kSCHED_FLAG_UTIL_CLAMP_MAX = 0x40,
};
LXSS_FLAGS(SchedFlag)
using SchedFlags = Flags<SchedFlag>;

// pidfd_open(2)
enum class PidfdFlag : u32 {
  kPIDFD_NONBLOCK = 04000,
  kPIDFD_THREAD = 0200,
};
LXSS_FLAGS(PidfdFlag)
using PidfdFlags = Flags<PidfdFlag>;

}  // namespace lxss::abi
