// Pico threads and processes on a Linux host.
//
// All pico processes share one host descriptor table (CLONE_FILES) and are
// children of the first process (CLONE_PARENT), which reaps them.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <new>

#include "host/linux/syscall.h"
#include "pico/direct/direct.h"

namespace lxss::pico {

using host::sys::call;

namespace direct {
namespace {

/// A free slot with a mapped stack, marked busy.
Result<u32> allocate_slot(Space& space) {
  const u32 slot = TRY(space.slots.take());
  if (map_stack_slot(space, slot)) return slot;
  space.slots.give_back(slot);
  return Errno::kEAGAIN;
}

u64 process_flags() {
  u64 flags = CLONE_FILES | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
  // The first process is the parent of all; its own children need no CLONE_PARENT.
  if (current().host_process != boot_info().monitor_process) flags |= CLONE_PARENT;
  return flags;
}

/// What every new host process does first. The settings are not inherited.
void adopt_by_monitor() {
  call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  call(SYS_prctl, PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
  if (call(SYS_getppid) != boot_info().monitor_process) call(SYS_exit_group, 1);
}

/// First code on a new kernel stack. `frame` lies above on the same stack.
extern "C" [[noreturn]] void lxss_thread_main(ucontext_t* frame) {
  Thread& thread = current();
  if (thread.host_process == 0) {
    thread.host_process = thread.host_thread;
    adopt_by_monitor();
  }
  use_stack_slot(thread.stack_slot);
  upcall::task_started();
  thread.in_kernel.store(0, std::memory_order_relaxed);
  lxss_return_from_frame(frame);
}

i64 clone_to(u64 flags, ucontext_t* frame, i32* parent_tid, u32* child_tid, u64 tls) {
  i64 result;
  register u64 r10 asm("r10") = reinterpret_cast<u64>(child_tid);
  register u64 r8 asm("r8") = tls;
  register u64 r12 asm("r12") = reinterpret_cast<u64>(frame);
  // The frame is 16-byte aligned; the call below pushes the 8 bytes that the ABI expects.
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r12, %%rdi\n\t"
      "call lxss_thread_main\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "a"(SYS_clone), "D"(flags), "S"(frame), "d"(parent_tid), "r"(r10), "r"(r8), "r"(r12)
      : "rcx", "r11", "memory");
  return result;
}

/// Copies the caller's trap frame to the top of another kernel stack.
ucontext_t* copy_frame(u32 slot) {
  const ucontext_t& source = *stack_header().frame;
  u64 top = slot_stack(slot);
  auto* fp_state = reinterpret_cast<const std::byte*>(source.uc_mcontext.fpregs);
  usize fp_size = Context(const_cast<ucontext_t*>(&source)).fp_state().size();
  u64 fp_at = (top - fp_size) & ~u64{63};
  u64 frame_at = (fp_at - sizeof(ucontext_t)) & ~u64{15};
  auto* frame = reinterpret_cast<ucontext_t*>(frame_at);
  __builtin_memcpy(static_cast<void*>(frame), &source, sizeof(ucontext_t));
  if (fp_size != 0) {
    __builtin_memcpy(reinterpret_cast<void*>(fp_at), fp_state, fp_size);
    frame->uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(fp_at);
  }
  frame->uc_stack.ss_sp = reinterpret_cast<void*>(slot_begin(slot));
  frame->uc_stack.ss_flags = 0;
  frame->uc_stack.ss_size = slot_stack(slot) - slot_begin(slot);
  return frame;
}

/// Without a word about the thread, which may go on elsewhere.
[[noreturn]] void leave_host_process() {
  stack_header().mark = 0;
  for (;;) call(SYS_exit_group, 0);
}

/// The calling thread ends: makes no more direct calls, and its calls count.
void forget_direct_calls() {
  StackHeader& header = stack_header();
  header.mark = 0;
  boot_info().direct_calls += header.thread->direct_calls % kCallsCountedAtOnce;
  boot_info().trapped_calls += header.thread->trapped_calls % kCallsCountedAtOnce;
}

}  // namespace

Result<> map_stack_slot(Space& space, u32 slot) {
  if (space.slots.is_mapped(slot)) return {};
  u64 begin = slot_begin(slot);
  TRY(host::sys::check_void(call(SYS_mmap, begin, kStackSize, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0)));
  TRY(host::sys::check_void(call(SYS_mprotect, begin, kPageSize, PROT_NONE)));
  space.slots.set_mapped(slot);
  return {};
}

}  // namespace direct

using namespace direct;

Result<> spawn(Thread& child, const SpawnOptions& options) {
  Thread& parent = current();
  child.space = parent.space;
  child.stack_slot = TRY(allocate_slot(*parent.space));
  StackSlots& slots = child.space->slots;
  ucontext_t* frame = copy_frame(child.stack_slot);
  slot_header(child.stack_slot) = {.thread = &child, .frame = frame};
  frame->uc_mcontext.gregs[REG_RAX] = 0;
  if (options.stack_pointer) {
    frame->uc_mcontext.gregs[REG_RSP] = static_cast<greg_t>(options.stack_pointer);
  }
  u64 flags = CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
  if (options.same_process) {
    flags |= CLONE_FILES | CLONE_THREAD | CLONE_SIGHAND | CLONE_FS | CLONE_SYSVSEM;
    child.host_process = parent.host_process;
  } else {
    flags |= process_flags();
    child.host_process = 0;
  }
  if (options.set_tls) flags |= CLONE_SETTLS;
  child.in_kernel.store(1, std::memory_order_relaxed);
  child.replaced = std::exchange(slots.occupant(child.stack_slot), &child);
  i64 result =
      clone_to(flags, frame, &child.host_thread, &slots.busy_word(child.stack_slot), options.tls);
  if (result < 0) {
    slots.occupant(child.stack_slot) = std::exchange(child.replaced, nullptr);
    slots.give_back(child.stack_slot);
    return Errno::kEAGAIN;
  }
  return {};
}

Result<bool> fork(Thread& child, Space& child_space) {
  Thread& parent = current();
  child.space = &child_space;
  child.stack_slot = parent.stack_slot;
  child_space.slots.copy_mapped(parent.space->slots);
  for (u32 i = 1; i < kMaxTexts && boot_info().texts[i].load(std::memory_order_relaxed); ++i) {
    place_text(child_space, i, parent.space->text_base[i].load(std::memory_order_relaxed));
  }
  child_space.slots.claim(child.stack_slot);
  child_space.slots.occupant(child.stack_slot) = &child;
  u32& busy = child_space.slots.busy_word(child.stack_slot);
  child.in_kernel.store(1, std::memory_order_relaxed);
  u64 flags = process_flags();
  // When memory runs out the host is to end a guest's program rather than the instance: what the
  // first process forks, and all that comes of it, counts for more.
  const bool is_first = parent.host_process == boot_info().monitor_process;
  const i32 score = boot_info().oom_score;
  constexpr i32 kGuestsMore = 100, kMost = 1000;
  if (is_first) set_oom_score(std::min(score + kGuestsMore, kMost));
  i64 result = call(SYS_clone, flags, nullptr, &child.host_thread, &busy, 0);
  if (is_first && result != 0) set_oom_score(score);
  if (result < 0) return Errno::kEAGAIN;
  if (result > 0) return true;
  stack_header().thread = &child;
  child.host_process = child.host_thread;
  adopt_by_monitor();
  return false;
}

Result<> leave_shared_memory(Space& space, u64 scratch, u64 size) {
  Thread& thread = current();
  Space& old_space = *thread.space;
  const u32 slot = thread.stack_slot;
  space.slots.copy_mapped(old_space.slots);
  space.slots.claim(thread.stack_slot);
  u32& busy = space.slots.busy_word(thread.stack_slot);
  // The slot in the shared memory has no occupant from here on: only its stack is used, by
  // the host process that is left.
  old_space.slots.occupant(thread.stack_slot) = nullptr;
  space.slots.occupant(thread.stack_slot) = &thread;
  i64 result = call(SYS_clone, process_flags(), nullptr, &thread.host_thread, &busy, 0);
  if (result < 0) {
    old_space.slots.occupant(thread.stack_slot) = &thread;
    space.slots.occupant(thread.stack_slot) = nullptr;
    return Errno::kEAGAIN;
  }
  if (result > 0) {
    call(SYS_munmap, scratch, size);
    old_space.slots.leave(slot);
    leave_host_process();
  }
  thread.host_process = thread.host_thread;
  thread.space = &space;
  adopt_by_monitor();
  return {};
}

void enter_guest(void (*run)()) {
  ucontext_t frame{};
  frame.uc_flags = 6;  // UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS
  constexpr u64 kUserCodeSegment = 0x33, kUserStackSegment = 0x2b;
  frame.uc_mcontext.gregs[REG_CSGSFS] =
      static_cast<greg_t>(kUserCodeSegment | kUserStackSegment << 48);
  StackHeader& header = stack_header();
  const u32 slot = header.thread->stack_slot;
  frame.uc_stack.ss_sp = reinterpret_cast<void*>(slot_begin(slot));
  frame.uc_stack.ss_size = slot_stack(slot) - slot_begin(slot);
  header.frame = &frame;
  run();
  stack_header().thread->in_kernel.store(0, std::memory_order_relaxed);
  lxss_return_from_frame(&frame);
}

void exit_thread() {
  forget_direct_calls();
  const Thread& thread = current();
  thread.space->slots.leave(thread.stack_slot);
  for (;;) call(SYS_exit, 0);
}

void exit_process() {
  forget_direct_calls();
  leave_host_process();
}

void destroy(i32 host_process) { call(SYS_tgkill, host_process, host_process, SIGKILL); }

bool reap(Death& death) {
  siginfo_t info{};
  constexpr int kAnyThread = 0x40000000;  // __WALL
  if (call(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | kAnyThread, nullptr) < 0) return false;
  if (info.si_pid == 0) return false;
  death = {info.si_pid, info.si_code != CLD_EXITED, info.si_status};
  return true;
}

bool has_ended(i32 host_thread) {
  // A main thread stays in the host's tables until it is reaped.
  siginfo_t info{};
  constexpr int kAnyThread = 0x40000000;  // __WALL
  if (call(SYS_waitid, P_PID, host_thread, &info, WEXITED | WNOHANG | WNOWAIT | kAnyThread,
           nullptr) == 0) {
    return info.si_pid != 0;
  }
  u64 cpus[16];
  return call(SYS_sched_getaffinity, host_thread, sizeof cpus, cpus) == -ESRCH;
}

Result<host::UniqueFd> death_events() {
  u64 mask = u64{1} << (SIGCHLD - 1);
  TRY(host::sys::check_void(call(SYS_rt_sigprocmask, SIG_BLOCK, &mask, nullptr, 8)));
  i64 fd = call(SYS_signalfd4, -1, &mask, 8, O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return host::sys::to_errno(fd);
  return host::UniqueFd(host::Fd{static_cast<i32>(fd)});
}

void set_host_name(const char* name) { call(SYS_prctl, PR_SET_NAME, name, 0, 0, 0); }

}  // namespace lxss::pico
