// The guest's registers in a host signal frame, and copies from and to guest memory.
#include <asm/prctl.h>

#include <algorithm>

#include "host/linux/syscall.h"
#include "pico/direct/direct.h"

namespace lxss::pico {

using host::sys::call;

namespace {

constexpr u32 kDefaultMxcsr = 0x1f80;
constexpr u32 kMxcsrValid = 0xffff;
constexpr u16 kDefaultControlWord = 0x37f;
constexpr usize kLegacySize = sizeof(abi::FpState);

abi::FpState* fp_of(ucontext_t& frame) {
  return reinterpret_cast<abi::FpState*>(frame.uc_mcontext.fpregs);
}

bool has_extended_state(const abi::FpState& fp) {
  return fp.sw_reserved.magic1 == abi::kFP_XSTATE_MAGIC1;
}

}  // namespace

abi::SigContext& Context::registers() {
  auto& frame = *static_cast<ucontext_t*>(frame_);
  static_assert(offsetof(ucontext_t, uc_mcontext) == 40);
  return *reinterpret_cast<abi::SigContext*>(&frame.uc_mcontext);
}

std::span<std::byte> Context::fp_state() {
  direct::save_fp_state(static_cast<ucontext_t*>(frame_));
  abi::FpState* fp = fp_of(*static_cast<ucontext_t*>(frame_));
  if (!fp) return {};
  usize size = has_extended_state(*fp) ? fp->sw_reserved.extended_size : kLegacySize;
  return {reinterpret_cast<std::byte*>(fp), size};
}

void Context::load_fp_state(std::span<const std::byte> state) {
  direct::save_fp_state(static_cast<ucontext_t*>(frame_));
  abi::FpState* fp = fp_of(*static_cast<ucontext_t*>(frame_));
  if (!fp) return;
  const abi::FpStateSoftware software = fp->sw_reserved;
  const bool extended = has_extended_state(*fp);
  auto* header = reinterpret_cast<abi::XStateHeader*>(fp + 1);
  if (state.size() < kLegacySize) {
    fp->cwd = kDefaultControlWord;
    fp->mxcsr = kDefaultMxcsr;
    if (extended) {
      *header = {};
    } else {
      __builtin_memset(static_cast<void*>(fp), 0, kLegacySize);
      fp->cwd = kDefaultControlWord;
      fp->mxcsr = kDefaultMxcsr;
    }
    return;
  }
  constexpr u64 kLegacyFeatures = 3;
  usize size = kLegacySize;
  if (extended) size = std::min<usize>(state.size(), software.xstate_size);
  __builtin_memcpy(static_cast<void*>(fp), state.data(), size);
  fp->sw_reserved = software;
  fp->mxcsr &= fp->mxcr_mask ? fp->mxcr_mask & kMxcsrValid : kMxcsrValid;
  if (extended) {
    u64 features = kLegacyFeatures;
    if (size >= kLegacySize + sizeof(abi::XStateHeader)) features = header->xfeatures;
    *header = {};
    header->xfeatures = features & software.xfeatures;
    // A frame shorter than the state that it claims to hold restores only the legacy part.
    if (size < software.xstate_size) header->xfeatures &= kLegacyFeatures;
  }
}

void Context::reset(u64 instruction_pointer, u64 stack_pointer) {
  abi::SigContext& regs = registers();
  abi::SigContext fresh{};
  fresh.rip = instruction_pointer;
  fresh.rsp = stack_pointer;
  fresh.eflags = 0x202;
  fresh.cs = regs.cs;
  fresh.ss = regs.ss;
  fresh.fpstate = regs.fpstate;
  regs = fresh;
  load_fp_state({});
  set_fs_base(0);
  set_gs_base(0);
}

void set_fs_base(u64 address) { call(SYS_arch_prctl, ARCH_SET_FS, address); }

/// While the guest makes no use of GS it names the stack's header, for direct calls.
void set_gs_base(u64 address) {
  if (!direct::boot_info().has_direct_calls) {
    call(SYS_arch_prctl, ARCH_SET_GS, address);
    return;
  }
  const u64 header = reinterpret_cast<u64>(&direct::stack_header());
  asm volatile("wrgsbase %0" : : "r"(address ? address : header));
}

u64 fs_base() {
  u64 address = 0;
  call(SYS_arch_prctl, ARCH_GET_FS, &address);
  return address;
}

u64 gs_base() {
  u64 address = 0;
  call(SYS_arch_prctl, ARCH_GET_GS, &address);
  return address == reinterpret_cast<u64>(&direct::stack_header()) ? 0 : address;
}

usize copy_user(void* to, const void* from, usize size) {
  asm volatile(
      "1: rep movsb\n"
      "2:\n"
      ".pushsection lxss_fixups, \"a\"\n"
      ".quad 1b, 2b\n"
      ".popsection"
      : "+D"(to), "+S"(from), "+c"(size)
      :
      : "memory");
  return size;
}

Result<u32> compare_exchange_user(u64 address, u32 expected, u32 desired) {
  u32 failed = 1;
  u32 old = expected;
  asm volatile(
      "1: lock cmpxchgl %3, (%2)\n"
      "   movl $0, %1\n"
      "2:\n"
      ".pushsection lxss_fixups, \"a\"\n"
      ".quad 1b, 2b\n"
      ".popsection"
      : "+a"(old), "+r"(failed)
      : "r"(address), "r"(desired)
      : "memory");
  if (failed) return Errno::kEFAULT;
  return old;
}

const MachineInfo& machine() { return direct::boot_info().machine; }

}  // namespace lxss::pico
