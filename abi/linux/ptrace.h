// Tracing.
// Man pages: ptrace(2).
#pragma once

#include <cstddef>

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

inline constexpr i32 kPTRACE_TRACEME = 0x0;
inline constexpr i32 kPTRACE_PEEKTEXT = 0x1;
inline constexpr i32 kPTRACE_PEEKDATA = 0x2;
inline constexpr i32 kPTRACE_PEEKUSR = 0x3;
inline constexpr i32 kPTRACE_POKETEXT = 0x4;
inline constexpr i32 kPTRACE_POKEDATA = 0x5;
inline constexpr i32 kPTRACE_POKEUSR = 0x6;
inline constexpr i32 kPTRACE_CONT = 0x7;
inline constexpr i32 kPTRACE_KILL = 0x8;
inline constexpr i32 kPTRACE_SINGLESTEP = 0x9;
inline constexpr i32 kPTRACE_GETREGS = 0xc;
inline constexpr i32 kPTRACE_SETREGS = 0xd;
inline constexpr i32 kPTRACE_GETFPREGS = 0xe;
inline constexpr i32 kPTRACE_SETFPREGS = 0xf;
inline constexpr i32 kPTRACE_ATTACH = 0x10;
inline constexpr i32 kPTRACE_DETACH = 0x11;
inline constexpr i32 kPTRACE_SYSCALL = 0x18;
inline constexpr i32 kPTRACE_ARCH_PRCTL = 0x1e;
inline constexpr i32 kPTRACE_SYSEMU = 0x1f;
inline constexpr i32 kPTRACE_SYSEMU_SINGLESTEP = 0x20;
inline constexpr i32 kPTRACE_SETOPTIONS = 0x4200;
inline constexpr i32 kPTRACE_GETEVENTMSG = 0x4201;
inline constexpr i32 kPTRACE_GETSIGINFO = 0x4202;
inline constexpr i32 kPTRACE_SETSIGINFO = 0x4203;
inline constexpr i32 kPTRACE_GETREGSET = 0x4204;
inline constexpr i32 kPTRACE_SETREGSET = 0x4205;
inline constexpr i32 kPTRACE_SEIZE = 0x4206;
inline constexpr i32 kPTRACE_INTERRUPT = 0x4207;
inline constexpr i32 kPTRACE_LISTEN = 0x4208;
inline constexpr i32 kPTRACE_PEEKSIGINFO = 0x4209;
inline constexpr i32 kPTRACE_GETSIGMASK = 0x420a;
inline constexpr i32 kPTRACE_SETSIGMASK = 0x420b;
inline constexpr i32 kPTRACE_GET_SYSCALL_INFO = 0x420e;
inline constexpr i32 kPTRACE_GET_RSEQ_CONFIGURATION = 0x420f;

enum class PtraceOption : u32 {
  kPTRACE_O_TRACESYSGOOD = 0x1,
  kPTRACE_O_TRACEFORK = 0x2,
  kPTRACE_O_TRACEVFORK = 0x4,
  kPTRACE_O_TRACECLONE = 0x8,
  kPTRACE_O_TRACEEXEC = 0x10,
  kPTRACE_O_TRACEVFORKDONE = 0x20,
  kPTRACE_O_TRACEEXIT = 0x40,
  kPTRACE_O_TRACESECCOMP = 0x80,
  kPTRACE_O_EXITKILL = 0x100000,
  kPTRACE_O_SUSPEND_SECCOMP = 0x200000,
};
LXSS_FLAGS(PtraceOption)
using PtraceOptions = Flags<PtraceOption>;

inline constexpr i32 kPTRACE_EVENT_FORK = 1;
inline constexpr i32 kPTRACE_EVENT_VFORK = 2;
inline constexpr i32 kPTRACE_EVENT_CLONE = 3;
inline constexpr i32 kPTRACE_EVENT_EXEC = 4;
inline constexpr i32 kPTRACE_EVENT_VFORK_DONE = 5;
inline constexpr i32 kPTRACE_EVENT_EXIT = 6;
inline constexpr i32 kPTRACE_EVENT_SECCOMP = 7;
inline constexpr i32 kPTRACE_EVENT_STOP = 128;

inline constexpr i32 kPTRACE_SYSCALL_INFO_NONE = 0;
inline constexpr i32 kPTRACE_SYSCALL_INFO_ENTRY = 1;
inline constexpr i32 kPTRACE_SYSCALL_INFO_EXIT = 2;
inline constexpr i32 kPTRACE_SYSCALL_INFO_SECCOMP = 3;
inline constexpr i32 kPTRACE_EVENTMSG_SYSCALL_ENTRY = 1;
inline constexpr i32 kPTRACE_EVENTMSG_SYSCALL_EXIT = 2;

// PTRACE_GETREGS, NT_PRSTATUS
struct UserRegs {
  u64 r15;
  u64 r14;
  u64 r13;
  u64 r12;
  u64 rbp;
  u64 rbx;
  u64 r11;
  u64 r10;
  u64 r9;
  u64 r8;
  u64 rax;
  u64 rcx;
  u64 rdx;
  u64 rsi;
  u64 rdi;
  u64 orig_rax;
  u64 rip;
  u64 cs;
  u64 eflags;
  u64 rsp;
  u64 ss;
  u64 fs_base;
  u64 gs_base;
  u64 ds;
  u64 es;
  u64 fs;
  u64 gs;
};
static_assert(sizeof(UserRegs) == 216);
static_assert(offsetof(UserRegs, orig_rax) == 120);

// PTRACE_GETFPREGS, NT_PRFPREG: the FXSAVE image.
struct UserFpRegs {
  u16 cwd;
  u16 swd;
  u16 ftw;
  u16 fop;
  u64 rip;
  u64 rdp;
  u32 mxcsr;
  u32 mxcr_mask;
  u32 st_space[32];
  u32 xmm_space[64];
  u32 padding[24];
};
static_assert(sizeof(UserFpRegs) == 512);

// PTRACE_PEEKUSER addresses this.
struct User {
  UserRegs regs;
  i32 u_fpvalid;
  u32 pad0;
  UserFpRegs i387;
  u64 u_tsize;
  u64 u_dsize;
  u64 u_ssize;
  u64 start_code;
  u64 start_stack;
  i64 signal;
  i32 reserved;
  u32 pad1;
  u64 u_ar0;
  u64 u_fpstate;
  u64 magic;
  char u_comm[32];
  u64 u_debugreg[8];
};
static_assert(sizeof(User) == 912);
static_assert(offsetof(User, u_debugreg) == 848);

struct PtraceSyscallInfo {
  u8 op;
  u8 pad0[3];
  u32 arch;
  u64 instruction_pointer;
  u64 stack_pointer;
  union {
    struct {
      u64 nr;
      u64 args[6];
    } entry;
    struct {
      i64 rval;
      u8 is_error;
      u8 pad0[7];
    } exit;
    struct {
      u64 nr;
      u64 args[6];
      u32 ret_data;
      u32 pad0;
    } seccomp;
  };
};
static_assert(sizeof(PtraceSyscallInfo) == 88);

struct PtracePeeksiginfoArgs {
  u64 off;
  u32 flags;
  i32 nr;
};
static_assert(sizeof(PtracePeeksiginfoArgs) == 16);

}  // namespace lxss::abi
