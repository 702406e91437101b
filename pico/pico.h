// The wall to the CPU: address spaces, threads and their traps.
//
// A backend makes pico processes and delivers what happens in them to lxcore
// through the upcalls at the end of this file. It owns nothing of Linux's
// semantics. One assumption holds for every backend: a guest thread's kernel
// code runs on that thread's own host thread, and may block there.
#pragma once

#include <atomic>
#include <span>

#include "abi/linux/signal.h"
#include "base/result.h"
#include "host/fd.h"
#include "pico/layout.h"
#include "pico/stack_slots.h"

namespace lxss::pico {

struct Thread;

/// The backend's part of an address space. Part of lxcore's AddressSpace.
struct Space {
  StackSlots slots;

  /// Where each rewritten text begins, by its number.
  std::atomic<u64> text_base[kMaxTexts] = {};

  Space() = default;
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;
};

/// The backend's part of a guest thread. Part of lxcore's Task, in the arena.
struct Thread {
  i32 host_process = 0;
  i32 host_thread = 0;
  u32 stack_slot = 0;
  Space* space = nullptr;
  /// Who had this thread's stack before and is gone for good; set by spawn(), for the caller.
  Thread* replaced = nullptr;
  /// The futex that the thread sleeps on while blocked in lxcore.
  std::atomic<u32> wait_word{0};
  enum State : u32 {
    kInGuest = 0,
    kInKernel = 1,
    kBlockedInHost = 2,  ///< in an interruptible host call; holds no lock
  };
  std::atomic<u32> in_kernel{kInGuest};
  u32 direct_calls = 0, trapped_calls = 0;  ///< system calls so far; the thread's own
  /// The system call being served, for diagnosis; -1 for none.
  i64 system_call = -1;
};

/// The guest's registers as the trap left them; edited in place.
class Context {
 public:
  explicit Context(void* host_frame) : frame_(host_frame) {}
  abi::SigContext& registers();
  /// The extended FP state in the layout of a Linux signal frame; empty if the
  /// state is the initial one.
  std::span<std::byte> fp_state();
  /// Replaces the FP state by a validated copy of the same layout.
  void load_fp_state(std::span<const std::byte> state);
  /// The state that exec gives a program: registers zero, FP initial, no TLS.
  void reset(u64 instruction_pointer, u64 stack_pointer);

 private:
  void* frame_;
};

/// The calling thread, from its kernel stack.
Thread& current();
/// The host's id of the calling thread; also before the first process stands on a kernel stack.
i32 caller();
/// The first process's own thread record, once lxcore has made one.
void become(Thread& thread);
/// The context of the calling thread's trap.
Context context();

struct SpawnOptions {
  bool same_process = true;  ///< a thread; otherwise a process that shares memory (vfork)
  u64 stack_pointer = 0;     ///< 0: the parent's
  bool set_tls = false;
  u64 tls = 0;
};
/// Starts `child` with a copy of the caller's context (result register 0) in the caller's
/// address space, or fails with EAGAIN. The child begins in task_started().
Result<> spawn(Thread& child, const SpawnOptions& options);

/// Copies the address space. Returns true in the parent, false in the child, which goes on
/// on its copy of the kernel stack with `child` as its current(). Locks must not be held.
Result<bool> fork(Thread& child, Space& child_space);

/// For exec in a process that shares memory: the caller goes on in a fresh host process on
/// a private copy. `space` is the new address space's. What lies at [scratch, scratch + size)
/// moves along: it goes from the shared memory.
Result<> leave_shared_memory(Space& space, u64 scratch, u64 size);

/// Enters the guest from kernel code that no trap began. `run` is called with a
/// context() that it fills, and returns when the guest is to run.
[[noreturn]] void enter_guest(void (*run)());

/// The calling thread ends; the host process with its last thread.
[[noreturn]] void exit_thread();
/// The host process of the caller ends at once with all its threads.
[[noreturn]] void exit_process();

/// Makes a thread that runs guest code, or that is in an interruptible host call, trap.
void interrupt(const Thread& thread);
/// Confines the instance for good: files reachable only below `directories`, no host process,
/// no new privileges, only the host calls that lxcore makes.
struct Confinement {
  enum Bit : u32 { kSeccomp = 1, kLandlockFiles = 2, kLandlockScope = 4 };
  u32 bits = 0;
  const char* failure = nullptr;  ///< one sentence if the host cannot
};
Confinement confine(std::span<const host::Fd> directories);

/// A pico process that has ended on the host.
struct Death {
  i32 host_process = 0;
  bool killed = false;  ///< by a signal of the host
  i32 status = 0;       ///< exit code or signal
};
/// Reaps one, without blocking. Only the first process.
bool reap(Death& death);
/// True if a thread of any pico process has ended. Only the first process.
bool has_ended(i32 host_thread);
/// Becomes readable when there may be something to reap; made before confine(). Read it empty.
Result<host::UniqueFd> death_events();

/// Ends a host process at once (a broken instance is being stopped).
void destroy(i32 host_process);

void set_fs_base(u64 address);
u64 fs_base();
void set_gs_base(u64 address);
u64 gs_base();
/// Names the calling thread in the host's process list; at most 15 bytes.
void set_host_name(const char* name);

/// Copies between kernel and guest memory of the current address space. The number of bytes
/// left uncopied when an address could not be accessed, 0 if all went well. The caller has
/// checked that guest addresses are in guest space.
usize copy_user(void* to, const void* from, usize size);
/// Atomic compare-and-exchange on an aligned word of guest memory: the old value, or EFAULT.
Result<u32> compare_exchange_user(u64 address, u32 expected, u32 desired);

/// Rewritten text: code in which system calls enter lxcore without a trap (README.md).
///
/// True if this machine lets lxcore do so.
bool can_rewrite_calls();
/// A number below kMaxTexts for a text; ENOSPC.
Result<u32> take_text_number();
/// Gives the number back. No address space has the text mapped any more.
void forget_text(u32 text);
/// Bytes of memory that rewriting so much code wants.
usize rewriting_memory(usize code_size);
/// Rewrites what system calls there are in a text: as many as there is room for. How many. The
/// memory is zero, and of no use afterwards.
u32 rewrite_calls(u32 text, std::span<std::byte> code, std::span<u64> memory);
/// The text is mapped, or will be, so that its first byte lies at `base`.
void place_text(Space& space, u32 text, u64 base);

/// System calls of the instance; those of a living thread may be missing up to a few hundred.
struct CallCounts {
  u64 direct = 0, trapped = 0;
};
inline constexpr u32 kCallsCountedAtOnce = 256;
CallCounts call_counts();

/// What the host tells a program about the machine (auxiliary vector).
struct MachineInfo {
  u64 vdso = 0;
  u64 hwcap = 0, hwcap2 = 0;
  u64 minimum_signal_stack = 2048;
  /// Guest space that the host gave every process: the vDSO and its data pages.
  struct Pages {
    u64 begin = 0, end = 0;
    bool vdso = false;
  };
  static constexpr usize kMaxPages = 6;
  Pages pages[kMaxPages] = {};
};
const MachineInfo& machine();

enum class TrapKind : u8 { kSystemCall, kFault, kInterrupt };
struct Trap {
  TrapKind kind;
  i64 system_call = -1;  ///< -1: not this machine's ABI
  bool direct = false;   ///< of rewritten text
  abi::SigInfo fault{};  ///< for kFault, as a Linux program would receive it
};

}  // namespace lxss::pico

namespace lxss::upcall {

// The first three are called before there is a kernel: on the host's own stack, the first two
// without an arena.

/// The descriptor that sentences for the instance's log are written to.
host::Fd log_file();
/// This host lacks what an instance needs; says so, in one sentence, to whoever started it.
void cannot_boot(const char* sentence);
/// Zeroed memory that all processes share is there: lxcore's from now on.
void arena_made(u64 begin, u64 size);
/// A guest thread trapped. Returns when it is to go on with context().
void trap(const pico::Trap& trap);
/// The first process runs on its kernel stack: lxcore starts the instance. Never returns.
[[noreturn]] void boot();
/// First code of a spawned thread; returns when it is to enter the guest.
void task_started();

}  // namespace lxss::upcall
