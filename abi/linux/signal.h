// Signals: numbers, sets, actions, signal information and the frame that a handler sees.
// Man pages: signal(7), sigaction(2), sigprocmask(2), sigaltstack(2), sigreturn(2),
// rt_sigqueueinfo(2), sigevent(3type), signalfd(2), getcontext(3).
#pragma once

#include <cstddef>

#include "base/flags.h"
#include "base/types.h"

namespace lxss::abi {

inline constexpr i32 kSIGHUP = 1;
inline constexpr i32 kSIGINT = 2;
inline constexpr i32 kSIGQUIT = 3;
inline constexpr i32 kSIGILL = 4;
inline constexpr i32 kSIGTRAP = 5;
inline constexpr i32 kSIGABRT = 6;
inline constexpr i32 kSIGIOT = 6;
inline constexpr i32 kSIGBUS = 7;
inline constexpr i32 kSIGFPE = 8;
inline constexpr i32 kSIGKILL = 9;
inline constexpr i32 kSIGUSR1 = 10;
inline constexpr i32 kSIGSEGV = 11;
inline constexpr i32 kSIGUSR2 = 12;
inline constexpr i32 kSIGPIPE = 13;
inline constexpr i32 kSIGALRM = 14;
inline constexpr i32 kSIGTERM = 15;
inline constexpr i32 kSIGSTKFLT = 16;
inline constexpr i32 kSIGCHLD = 17;
inline constexpr i32 kSIGCONT = 18;
inline constexpr i32 kSIGSTOP = 19;
inline constexpr i32 kSIGTSTP = 20;
inline constexpr i32 kSIGTTIN = 21;
inline constexpr i32 kSIGTTOU = 22;
inline constexpr i32 kSIGURG = 23;
inline constexpr i32 kSIGXCPU = 24;
inline constexpr i32 kSIGXFSZ = 25;
inline constexpr i32 kSIGVTALRM = 26;
inline constexpr i32 kSIGPROF = 27;
inline constexpr i32 kSIGWINCH = 28;
inline constexpr i32 kSIGIO = 29;
inline constexpr i32 kSIGPOLL = 29;
inline constexpr i32 kSIGPWR = 30;
inline constexpr i32 kSIGSYS = 31;
inline constexpr i32 kSIGRTMIN = 32;
inline constexpr i32 kSIGRTMAX = 64;
inline constexpr i32 kNSIG = 64;  // signals are 1..kNSIG

// The kernel's sigset_t: bit n-1 is signal n.
struct SigSet {
  u64 bits = 0;

  static constexpr u64 bit(i32 sig) { return u64{1} << (sig - 1); }
  static constexpr SigSet empty_set() { return SigSet{}; }
  static constexpr SigSet full_set() { return SigSet{~u64{0}}; }
  static constexpr SigSet of(i32 sig) { return SigSet{bit(sig)}; }

  constexpr void add(i32 sig) { bits |= bit(sig); }
  constexpr void del(i32 sig) { bits &= ~bit(sig); }
  constexpr bool has(i32 sig) const { return (bits & bit(sig)) != 0; }
  constexpr bool empty() const { return bits == 0; }
  constexpr bool any(SigSet other) const { return (bits & other.bits) != 0; }
  /// The lowest signal in the set, 0 if there is none.
  constexpr i32 first() const { return bits == 0 ? 0 : __builtin_ctzll(bits) + 1; }

  constexpr SigSet operator|(SigSet other) const { return SigSet{bits | other.bits}; }
  constexpr SigSet operator&(SigSet other) const { return SigSet{bits & other.bits}; }
  constexpr SigSet operator~() const { return SigSet{~bits}; }
  constexpr SigSet without(SigSet other) const { return SigSet{bits & ~other.bits}; }
  constexpr SigSet& operator|=(SigSet other) {
    bits |= other.bits;
    return *this;
  }
  constexpr SigSet& operator&=(SigSet other) {
    bits &= other.bits;
    return *this;
  }
  constexpr bool operator==(const SigSet&) const = default;
};
static_assert(sizeof(SigSet) == 8);

// The two that no process can block, catch or ignore.
inline constexpr SigSet kUnblockableSignals{SigSet::bit(kSIGKILL) | SigSet::bit(kSIGSTOP)};

// sigprocmask(2)
inline constexpr i32 kSIG_BLOCK = 0;
inline constexpr i32 kSIG_UNBLOCK = 1;
inline constexpr i32 kSIG_SETMASK = 2;

// SigAction::handler
inline constexpr u64 kSIG_DFL = 0;
inline constexpr u64 kSIG_IGN = 1;
inline constexpr u64 kSIG_ERR = ~u64{0};

enum class SaFlag : u64 {
  kSA_NOCLDSTOP = 0x1,
  kSA_NOCLDWAIT = 0x2,
  kSA_SIGINFO = 0x4,
  kSA_UNSUPPORTED = 0x400,
  kSA_EXPOSE_TAGBITS = 0x800,
  kSA_RESTORER = 0x4000000,
  kSA_ONSTACK = 0x8000000,
  kSA_RESTART = 0x10000000,
  kSA_NODEFER = 0x40000000,
  kSA_RESETHAND = 0x80000000,
};
LXSS_FLAGS(SaFlag)
using SaFlags = Flags<SaFlag>;

// rt_sigaction(2) as the system call takes it.
struct SigAction {
  u64 handler;
  u64 flags;
  u64 restorer;
  SigSet mask;

  constexpr SaFlags sa_flag_set() const { return SaFlags(flags); }
};
static_assert(sizeof(SigAction) == 32);
static_assert(offsetof(SigAction, mask) == 24);

// sigaltstack(2)
struct StackT {
  u64 ss_sp;
  i32 ss_flags;
  u32 pad0;
  u64 ss_size;
};
static_assert(sizeof(StackT) == 24);
inline constexpr u32 kSS_ONSTACK = 1;
inline constexpr u32 kSS_DISABLE = 2;
inline constexpr u32 kSS_AUTODISARM = 0x80000000;
inline constexpr usize kMINSIGSTKSZ = 2048;
inline constexpr usize kSIGSTKSZ = 8192;

union SigVal {
  i32 sival_int;
  u64 sival_ptr;
};
static_assert(sizeof(SigVal) == 8);

// siginfo_t. Which member of the union counts is given by si_signo and si_code. The members carry
// no si_ prefix because the C library defines those names as macros.
struct SigInfo {
  // kill(2), tgkill(2): SI_USER, SI_TKILL
  struct Kill {
    i32 pid;
    u32 uid;
  };
  // timer_create(2): SI_TIMER
  struct Timer {
    i32 timerid;
    i32 overrun;
    SigVal sigval;
    i32 sys_private;
    u32 pad0;
  };
  // rt_sigqueueinfo(2), mq_notify(3): SI_QUEUE, SI_MESGQ
  struct Rt {
    i32 pid;
    u32 uid;
    SigVal sigval;
  };
  // SIGCHLD
  struct Child {
    i32 pid;
    u32 uid;
    i32 status;
    u32 pad0;
    i64 utime;
    i64 stime;
  };
  // SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP
  struct Fault {
    u64 addr;
    union {
      i16 addr_lsb;
      struct {
        u64 pad0;
        u64 lower;
        u64 upper;
      } addr_bnd;
      struct {
        u64 pad0;
        u32 pkey;
        u32 pad1;
      } addr_pkey;
    };
  };
  // SIGPOLL
  struct Poll {
    i64 band;
    i32 fd;
    u32 pad0;
  };
  // SIGSYS
  struct Sys {
    u64 call_addr;
    i32 syscall;
    u32 arch;
  };

  i32 signo;
  i32 error;  // si_errno
  i32 code;
  u32 pad0;
  union {
    u8 raw[112];
    Kill kill;
    Timer timer;
    Rt rt;
    Child child;
    Fault fault;
    Poll poll;
    Sys sys;
  };
};
static_assert(sizeof(SigInfo) == 128);
static_assert(offsetof(SigInfo, code) == 8);
static_assert(offsetof(SigInfo, raw) == 16);
static_assert(sizeof(SigInfo::Child) == 32 && offsetof(SigInfo::Child, utime) == 16);
static_assert(sizeof(SigInfo::Fault) == 32);
static_assert(__is_trivially_copyable(SigInfo));

// si_code for any signal
inline constexpr i32 kSI_USER = 0x0;
inline constexpr i32 kSI_KERNEL = 0x80;
inline constexpr i32 kSI_QUEUE = -1;
inline constexpr i32 kSI_TIMER = -2;
inline constexpr i32 kSI_MESGQ = -3;
inline constexpr i32 kSI_ASYNCIO = -4;
inline constexpr i32 kSI_SIGIO = -5;
inline constexpr i32 kSI_TKILL = -6;
inline constexpr i32 kSI_DETHREAD = -7;
inline constexpr i32 kSI_ASYNCNL = -60;

// si_code by signal
inline constexpr i32 kFPE_INTDIV = 1;
inline constexpr i32 kILL_ILLOPC = 1;
inline constexpr i32 kFPE_INTOVF = 2;
inline constexpr i32 kILL_ILLOPN = 2;
inline constexpr i32 kFPE_FLTDIV = 3;
inline constexpr i32 kILL_ILLADR = 3;
inline constexpr i32 kFPE_FLTOVF = 4;
inline constexpr i32 kILL_ILLTRP = 4;
inline constexpr i32 kFPE_FLTUND = 5;
inline constexpr i32 kILL_PRVOPC = 5;
inline constexpr i32 kFPE_FLTRES = 6;
inline constexpr i32 kILL_PRVREG = 6;
inline constexpr i32 kFPE_FLTINV = 7;
inline constexpr i32 kILL_COPROC = 7;
inline constexpr i32 kFPE_FLTSUB = 8;
inline constexpr i32 kILL_BADSTK = 8;
inline constexpr i32 kFPE_FLTUNK = 14;
inline constexpr i32 kFPE_CONDTRAP = 15;
inline constexpr i32 kSEGV_MAPERR = 1;
inline constexpr i32 kSEGV_ACCERR = 2;
inline constexpr i32 kSEGV_BNDERR = 3;
inline constexpr i32 kSEGV_PKUERR = 4;
inline constexpr i32 kBUS_ADRALN = 1;
inline constexpr i32 kBUS_ADRERR = 2;
inline constexpr i32 kBUS_OBJERR = 3;
inline constexpr i32 kBUS_MCEERR_AR = 4;
inline constexpr i32 kBUS_MCEERR_AO = 5;
inline constexpr i32 kTRAP_BRKPT = 1;
inline constexpr i32 kTRAP_TRACE = 2;
inline constexpr i32 kTRAP_BRANCH = 3;
inline constexpr i32 kTRAP_HWBKPT = 4;
inline constexpr i32 kTRAP_UNK = 5;
inline constexpr i32 kTRAP_PERF = 6;
inline constexpr i32 kCLD_EXITED = 1;
inline constexpr i32 kCLD_KILLED = 2;
inline constexpr i32 kCLD_DUMPED = 3;
inline constexpr i32 kCLD_TRAPPED = 4;
inline constexpr i32 kCLD_STOPPED = 5;
inline constexpr i32 kCLD_CONTINUED = 6;
inline constexpr i32 kPOLL_IN = 1;
inline constexpr i32 kPOLL_OUT = 2;
inline constexpr i32 kPOLL_MSG = 3;
inline constexpr i32 kPOLL_ERR = 4;
inline constexpr i32 kPOLL_PRI = 5;
inline constexpr i32 kPOLL_HUP = 6;
inline constexpr i32 kSYS_SECCOMP = 1;

// timer_create(2), mq_notify(2)
struct SigEvent {
  SigVal value;
  i32 signo;
  i32 notify;
  union {
    i32 tid;  // SIGEV_THREAD_ID
    u8 raw[48];
    struct {
      u64 function;
      u64 attribute;
    } thread;  // SIGEV_THREAD
  };
};
static_assert(sizeof(SigEvent) == 64);
inline constexpr i32 kSIGEV_SIGNAL = 0;
inline constexpr i32 kSIGEV_NONE = 1;
inline constexpr i32 kSIGEV_THREAD = 2;
inline constexpr i32 kSIGEV_THREAD_ID = 4;

// signalfd(2)
struct SignalfdSiginfo {
  u32 ssi_signo;
  i32 ssi_errno;
  i32 ssi_code;
  u32 ssi_pid;
  u32 ssi_uid;
  i32 ssi_fd;
  u32 ssi_tid;
  u32 ssi_band;
  u32 ssi_overrun;
  u32 ssi_trapno;
  i32 ssi_status;
  i32 ssi_int;
  u64 ssi_ptr;
  u64 ssi_utime;
  u64 ssi_stime;
  u64 ssi_addr;
  u16 ssi_addr_lsb;
  u16 pad0;
  i32 ssi_syscall;
  u64 ssi_call_addr;
  u32 ssi_arch;
  u8 pad1[28];
};
static_assert(sizeof(SignalfdSiginfo) == 128);

enum class SfdFlag : u32 {
  kSFD_CLOEXEC = 02000000,
  kSFD_NONBLOCK = 04000,
};
LXSS_FLAGS(SfdFlag)
using SfdFlags = Flags<SfdFlag>;

// Registers as they were when the signal came (uc_mcontext).
struct SigContext {
  u64 r8;
  u64 r9;
  u64 r10;
  u64 r11;
  u64 r12;
  u64 r13;
  u64 r14;
  u64 r15;
  u64 rdi;
  u64 rsi;
  u64 rbp;
  u64 rbx;
  u64 rdx;
  u64 rax;
  u64 rcx;
  u64 rsp;
  u64 rip;
  u64 eflags;
  u16 cs;
  u16 gs;
  u16 fs;
  u16 ss;
  u64 err;
  u64 trapno;
  u64 oldmask;
  u64 cr2;
  u64 fpstate;  // user address of FpState, 0 if there is none
  u64 reserved1[8];
};
static_assert(sizeof(SigContext) == 256);
static_assert(offsetof(SigContext, rip) == 128);
static_assert(offsetof(SigContext, cs) == 144);
static_assert(offsetof(SigContext, fpstate) == 184);

// The last 48 bytes of the FXSAVE image: says whether and how much XSAVE state follows it.
struct FpStateSoftware {
  u32 magic1;
  u32 extended_size;
  u64 xfeatures;
  u32 xstate_size;
  u32 padding[7];
};
static_assert(sizeof(FpStateSoftware) == 48);
inline constexpr u32 kFP_XSTATE_MAGIC1 = 0x46505853;
inline constexpr u32 kFP_XSTATE_MAGIC2 = 0x46505845;
inline constexpr u32 kFP_XSTATE_MAGIC2_SIZE = 4;  // follows the XSAVE area

struct FpState {
  u16 cwd;
  u16 swd;
  u16 twd;
  u16 fop;
  u64 rip;
  u64 rdp;
  u32 mxcsr;
  u32 mxcr_mask;
  u32 st_space[32];
  u32 xmm_space[64];
  u32 reserved2[12];
  FpStateSoftware sw_reserved;
};
static_assert(sizeof(FpState) == 512);
static_assert(offsetof(FpState, mxcsr) == 24);
static_assert(offsetof(FpState, xmm_space) == 160);
static_assert(offsetof(FpState, sw_reserved) == 464);

struct XStateHeader {
  u64 xfeatures;
  u64 xcomp_bv;
  u64 reserved[6];
};
static_assert(sizeof(XStateHeader) == 64);

struct UContext {
  u64 uc_flags;
  u64 uc_link;
  StackT uc_stack;
  SigContext uc_mcontext;
  SigSet uc_sigmask;
};
static_assert(sizeof(UContext) == 304);
static_assert(offsetof(UContext, uc_mcontext) == 40);
static_assert(offsetof(UContext, uc_sigmask) == 296);
inline constexpr u64 kUC_FP_XSTATE = 0x1;
inline constexpr u64 kUC_SIGCONTEXT_SS = 0x2;
inline constexpr u64 kUC_STRICT_RESTORE_SS = 0x4;

// What the handler's stack pointer points to at entry: the return address first.
struct RtSigFrame {
  u64 pretcode;
  UContext uc;
  SigInfo info;
};
static_assert(sizeof(RtSigFrame) == 440);
static_assert(offsetof(RtSigFrame, uc) == 8);
static_assert(offsetof(RtSigFrame, info) == 312);

}  // namespace lxss::abi
