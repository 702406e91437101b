// What the files of the in-process backend share.
#pragma once

#include <signal.h>
#include <ucontext.h>

#include "pico/pico.h"

namespace lxss::pico::direct {

/// Reserved host signal that makes a thread trap; masked while lxcore runs.
inline constexpr int kInterruptSignal = 33;

/// At the upper end of each kernel stack slot.
struct StackHeader {
  Thread* thread;
  ucontext_t* frame;  ///< the trap being served, on this stack; null outside traps
};
static_assert(sizeof(StackHeader) <= kStackHeaderSize);

inline u64 slot_begin(u32 slot) { return kStackArea + u64{slot} * kStackSize; }
inline u64 slot_top(u32 slot) { return slot_begin(slot) + kStackSize - kStackHeaderSize; }

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

/// Maps a slot's stack and its guard. `slots` records what is mapped.
Result<> map_stack_slot(StackSlots& slots, u32 slot);

/// Facts that boot found and every process needs; in the arena.
struct BootInfo {
  MachineInfo machine;
  i32 monitor_process = 0;
  i32 log_fd = -1;
};
/// At the arena's very start; what follows it belongs to lxcore.
inline BootInfo& boot_info() { return *reinterpret_cast<BootInfo*>(kArenaBegin); }

}  // namespace lxss::pico::direct
