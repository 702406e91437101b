// What the files of the in-process backend share.
#pragma once

#include <signal.h>
#include <ucontext.h>

#include "pico/pico.h"

namespace lxss::pico::direct {

/// Reserved host signal that makes a thread trap; masked while lxcore runs.
inline constexpr int kInterruptSignal = 33;

/// At the upper end of each kernel stack slot, on a page that it shares with the frame of direct
/// calls. The stack itself begins below this page. GS holds the header's address while the guest
/// makes no use of it.
struct StackHeader {
  static constexpr u64 kMark = 0x6c78'7373;

  Thread* thread = nullptr;
  ucontext_t* frame = nullptr;         ///< the trap or direct call being served; null outside
  ucontext_t* direct_frame = nullptr;  ///< null while direct calls are not possible
  u64 guest_sp = 0;                    ///< for the entry of a direct call
  u64 mark = 0;           ///< kMark while direct calls are possible: a GS that names this is ours
  bool fp_saved = false;  ///< the direct frame has the guest's FP state, too
  /// The direct call is to return by the host's sigreturn: the frame has more than the general
  /// registers, or the interruption signal is masked.
  bool leave_through_frame = false;
};
static_assert(sizeof(StackHeader) <= kStackHeaderSize);

inline u64 slot_begin(u32 slot) { return kStackArea + u64{slot} * kStackSize; }
/// Where the stack of a slot begins, downwards.
inline u64 slot_stack(u32 slot) { return slot_begin(slot) + kStackSize - kPageSize; }
inline StackHeader& slot_header(u32 slot) {
  return *reinterpret_cast<StackHeader*>(slot_begin(slot) + kStackSize - kStackHeaderSize);
}

/// The header of the stack that the caller runs on. Not inlined and not cached by the
/// compiler: after a fork the same stack belongs to another thread.
inline StackHeader& stack_header() {
  u64 sp;
  asm volatile("mov %%rsp, %0" : "=r"(sp));
  return *reinterpret_cast<StackHeader*>((sp | (kStackSize - 1)) + 1 - kStackHeaderSize);
}

/// Bounds of the image's code, from the linker.
extern "C" const char lxss_text_begin[];
extern "C" const char lxss_text_end[];
extern "C" const char lxss_image_end[];
inline bool in_kernel_text(u64 address) {
  return address >= reinterpret_cast<u64>(lxss_text_begin) &&
         address < reinterpret_cast<u64>(lxss_text_end);
}

/// Installs the handlers for all traps; inherited by every later pico process.
void install_trap_handlers();
/// Once, by the first process.
void ignore_host_signals();
/// Makes the caller's alternate signal stack the given kernel stack slot.
void use_stack_slot(u32 slot);
/// Leaves lxcore for the guest with the frame on the current kernel stack.
extern "C" [[noreturn]] void lxss_return_from_frame(ucontext_t* frame);
extern "C" void lxss_restorer();

/// Sets the first process's oom_score_adj (man 5 proc), which who it forks inherits.
void set_oom_score(i32 score);

/// Maps a slot's stack and its guard. `space` records what is mapped.
Result<> map_stack_slot(Space& space, u32 slot);

// Direct calls (direct_call.h).

/// Once, by the first process: makes them possible if the machine lets it.
void enable_direct_calls();
/// Prepares the direct frame and GS of the stack that the caller runs on.
void prepare_direct_calls();
/// If `frame` is the direct frame, makes it complete: the call then returns through it.
void save_fp_state(const ucontext_t* frame);
/// In the handler of the interruption signal, which found the thread in lxcore: puts it off until
/// the direct call that is being served returns.
void put_interruption_off(ucontext_t& frame);
/// A host signal came of rewritten text or of the way from there to lxcore. Makes the frame what it
/// would be without rewriting.
enum class SiteEvent : u8 {
  kNone,        ///< it did not
  kSystemCall,  ///< the context is that of a trap by a system call
  kSingleStep,  ///< the context is that of a trap before a system call
  kResumed,     ///< nothing: the guest is to go on with the context
};
SiteEvent restore_call_site(int signal, ucontext_t& frame);

struct RewrittenText;

/// How the host lays out FP state in signal frames.
struct FpLayout {
  u64 features = 0;  ///< for XSAVE; 0: only the legacy part
  u32 state_size = 0, extended_size = 0;
};

/// Facts that boot found and every process needs; in the arena.
struct BootInfo {
  MachineInfo machine;
  i32 monitor_process = 0;
  i32 log_fd = -1;
  /// The first process's own oom_score_adj on the host and where to write it; -1: the host has
  /// none.
  i32 oom_score_fd = -1;
  i32 oom_score = 0;
  bool has_direct_calls = false;
  FpLayout fp;
  // Rewritten texts, by number; there is no text 0.
  std::atomic<RewrittenText*> texts[kMaxTexts] = {};
  std::atomic<bool> text_in_use[kMaxTexts] = {};
  std::atomic<u64> direct_calls{0}, trapped_calls{0};  ///< see count_call()
};
static_assert(sizeof(BootInfo) <= kPageSize);
/// At the arena's very start; what follows it belongs to lxcore.
inline BootInfo& boot_info() { return *reinterpret_cast<BootInfo*>(kArenaBegin); }

/// Counts a system call of a thread, and now and then adds what it has to the instance's count.
inline void count_call(u32& of_thread, std::atomic<u64>& of_instance) {
  if (++of_thread % kCallsCountedAtOnce == 0) {
    of_instance.fetch_add(kCallsCountedAtOnce, std::memory_order_relaxed);
  }
}

}  // namespace lxss::pico::direct
