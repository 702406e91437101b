// The way in and out of a direct call.
//
// Only general registers are saved: lxcore uses no others (a check of the image makes sure). RCX
// and R11, which system calls clobber, are free to use; flags are saved before they change.
#include "pico/direct/direct_call.h"

namespace lxss::pico::direct {

namespace {

constexpr u64 kStatusFlags = 0x8d5;  // OF SF ZF AF PF CF
constexpr u64 kAlignmentCheck = 0x40000;
constexpr u32 kUpperHalfOfStacks = kStackArea >> 32;
static_assert(kUpperHalfOfStacks == (kStackAreaEnd - 1) >> 32 && kUpperHalfOfStacks < 0x8000);
static_assert(kTrapInTable < 0x8000'0000);

/// Names for the assembler below. Never called.
[[gnu::used]] void define_names() {
#define LXSS_NAME(name, value) asm volatile(".set " name ", %c0" : : "i"(value))
#define LXSS_REGISTER(name, index) \
  LXSS_NAME("frame_" name, offsetof(ucontext_t, uc_mcontext.gregs) + (index) * sizeof(greg_t))
  LXSS_REGISTER("r8", REG_R8);
  LXSS_REGISTER("r9", REG_R9);
  LXSS_REGISTER("r10", REG_R10);
  LXSS_REGISTER("r12", REG_R12);
  LXSS_REGISTER("r13", REG_R13);
  LXSS_REGISTER("r14", REG_R14);
  LXSS_REGISTER("r15", REG_R15);
  LXSS_REGISTER("rdi", REG_RDI);
  LXSS_REGISTER("rsi", REG_RSI);
  LXSS_REGISTER("rbp", REG_RBP);
  LXSS_REGISTER("rbx", REG_RBX);
  LXSS_REGISTER("rdx", REG_RDX);
  LXSS_REGISTER("rax", REG_RAX);
  LXSS_REGISTER("rsp", REG_RSP);
  LXSS_REGISTER("rip", REG_RIP);
  LXSS_REGISTER("flags", REG_EFL);
  LXSS_NAME("header_direct_frame", offsetof(StackHeader, direct_frame));
  LXSS_NAME("header_guest_sp", offsetof(StackHeader, guest_sp));
  LXSS_NAME("header_mark", offsetof(StackHeader, mark));
  LXSS_NAME("stack_mark", StackHeader::kMark);
  // As bswap leaves it in the lower half.
  LXSS_NAME("swapped_upper_half_of_stacks", __builtin_bswap32(kUpperHalfOfStacks));
  LXSS_NAME("trap_in_table", kTrapInTable);
  LXSS_NAME("status_flags", kStatusFlags);
  LXSS_NAME("status_flags_in_ah", kStatusFlags & 0xff);
  LXSS_NAME("overflow_flag_bit", 11);
  LXSS_NAME("alignment_check", kAlignmentCheck);
#undef LXSS_REGISTER
#undef LXSS_NAME
}

}  // namespace

}  // namespace lxss::pico::direct

asm(R"(
  .pushsection .text
  .balign 16
  # R11: the id of the site's group. CL: the site's number in it. GS is the guest's own unless it has
  # the upper half of StackHeaders' addresses and leads to a mark.
  .globl lxss_direct_entry
lxss_direct_entry:
  movzbl %cl, %ecx
  lea (%r11, %rcx), %r11d
  rdgsbase %rcx
  bswap %rcx
  lea -swapped_upper_half_of_stacks(%rcx), %ecx
  jrcxz 2f
1:
  mov $trap_in_table, %ecx
  jmp *%rcx
2:
  rdgsbase %rcx
3:
  mov header_mark(%rcx), %rcx
  .pushsection lxss_fixups, "a"
  .quad 3b, 1b
  .popsection
  lea -stack_mark(%rcx), %rcx
  jrcxz 4f
  jmp 1b
4:
  rdgsbase %rcx
  mov %rsp, header_guest_sp(%rcx)
  mov header_direct_frame(%rcx), %rsp
  mov %rax, frame_rax(%rsp)
  lahf
  seto %al
  mov %r8, frame_r8(%rsp)
  mov %r9, frame_r9(%rsp)
  mov %r10, frame_r10(%rsp)
  mov %r12, frame_r12(%rsp)
  mov %r13, frame_r13(%rsp)
  mov %r14, frame_r14(%rsp)
  mov %r15, frame_r15(%rsp)
  mov %rdi, frame_rdi(%rsp)
  mov %rsi, frame_rsi(%rsp)
  mov %rbp, frame_rbp(%rsp)
  mov %rbx, frame_rbx(%rsp)
  mov %rdx, frame_rdx(%rsp)
  movzbl %ah, %edx
  and $status_flags_in_ah, %edx
  movzbl %al, %eax
  shl $overflow_flag_bit, %eax
  or %eax, %edx
  pushfq
  pop %rsi
  and $~status_flags, %rsi
  or %rdx, %rsi
  mov %rsi, frame_flags(%rsp)
  mov header_guest_sp(%rcx), %rax
  mov %rax, frame_rsp(%rsp)
  cld
  test $alignment_check, %esi  # lxcore is not written for aligned-only access
  jz 1f
  pushfq
  andl $~alignment_check, (%rsp)
  popfq
1:
  mov %r11d, %edi
  mov %rsp, %rbx
  xor %ebp, %ebp
  and $-4096, %rsp
  call lxss_serve_direct_call
  mov %rbx, %rsp
  test %al, %al
  jnz lxss_direct_leave

  # The handler sends a thread that it finds in [begin, end) to leave: the frame is still whole.
  .globl lxss_direct_exit_begin
lxss_direct_exit_begin:
  mov frame_r8(%rsp), %r8
  mov frame_r9(%rsp), %r9
  mov frame_r10(%rsp), %r10
  mov frame_r12(%rsp), %r12
  mov frame_r13(%rsp), %r13
  mov frame_r14(%rsp), %r14
  mov frame_r15(%rsp), %r15
  mov frame_rdi(%rsp), %rdi
  mov frame_rsi(%rsp), %rsi
  mov frame_rbp(%rsp), %rbp
  mov frame_rbx(%rsp), %rbx
  mov frame_rdx(%rsp), %rdx
  mov frame_rax(%rsp), %rax
  mov frame_rip(%rsp), %rcx
  mov frame_flags(%rsp), %r11
  push %r11
  popfq
  mov frame_rsp(%rsp), %rsp
  jmp *%rcx
  .globl lxss_direct_exit_end
lxss_direct_exit_end:

  # RSP: the direct frame.
  .globl lxss_direct_leave
lxss_direct_leave:
  mov %rsp, %rdi
  and $-4096, %rsp
  xor %ebp, %ebp
  call lxss_leave_through_frame
  hlt
  .popsection
)");
