// fork, clone, execve, exit and what threads register with the kernel.
#include "lxcore/task/lifecycle.h"
#include "lxcore/kernel.h"
#include "lxcore/syscalls/task.h"

namespace lxss::sys {

using abi::AtFlag;
using abi::CloneFlag;
using abi::CloneFlags;

Result<Pid> fork(UnlockedTask task) {
  return lifecycle::clone(task, {.flags = {}, .exit_signal = abi::kSIGCHLD});
}

Result<Pid> vfork(UnlockedTask task) {
  return lifecycle::clone(task, {.flags = CloneFlag::kCLONE_VM | CloneFlag::kCLONE_VFORK,
                                 .exit_signal = abi::kSIGCHLD});
}

Result<Pid> clone(UnlockedTask task, u64 flags, u64 stack, UserAddr parent_tid, UserAddr child_tid,
                  u64 tls) {
  lifecycle::CloneRequest request;
  request.flags = CloneFlags(flags & ~u64{0xff});
  request.exit_signal = i32(flags & 0xff);
  request.stack = stack;
  request.parent_tid = request.pidfd = parent_tid;
  request.child_tid = child_tid;
  request.tls = tls;
  // clone3 only.
  if (request.flags.any(CloneFlag::kCLONE_CLEAR_SIGHAND | CloneFlag::kCLONE_INTO_CGROUP)) {
    return Errno::kEINVAL;
  }
  if (request.flags.has(CloneFlag::kCLONE_PIDFD) &&
      request.flags.has(CloneFlag::kCLONE_PARENT_SETTID)) {
    return Errno::kEINVAL;
  }
  return lifecycle::clone(task, request);
}

Result<Pid> clone3(UnlockedTask task, UserIn<abi::CloneArgs> arguments, usize size) {
  constexpr usize kFirstVersion = 64;
  if (size < kFirstVersion) return Errno::kEINVAL;
  if (size > kPageSize) return Errno::kE2BIG;
  abi::CloneArgs args{};
  TRY(copy_in(&args, arguments.address, std::min(size, sizeof args)));
  for (usize at = sizeof args; at < size; ++at) {
    if (TRY(UserIn<u8>{arguments.address + at}.read()) != 0) return Errno::kE2BIG;
  }
  if (args.set_tid_size != 0 || args.set_tid != 0) return Errno::kEPERM;
  CloneFlags flags(args.flags);
  if (flags.has(CloneFlag::kCLONE_INTO_CGROUP) || args.exit_signal > kSignalCount ||
      (args.stack == 0) != (args.stack_size == 0) || args.flags & 0xff) {
    return Errno::kEINVAL;
  }
  lifecycle::CloneRequest request;
  request.flags = flags;
  request.exit_signal = i32(args.exit_signal);
  request.stack = args.stack + args.stack_size;
  request.parent_tid = UserAddr{args.parent_tid};
  request.child_tid = UserAddr{args.child_tid};
  request.pidfd = UserAddr{args.pidfd};
  request.tls = args.tls;
  return lifecycle::clone(task, request);
}

Result<> execve(UnlockedTask task, UserString path, UserAddr arguments, UserAddr environment) {
  return execveat(task, Fd{abi::kAT_FDCWD}, path, arguments, environment, {});
}

Result<> execveat(UnlockedTask task, Fd directory, UserString path, UserAddr arguments,
                  UserAddr environment, abi::AtFlags flags) {
  if (!flags.within(AtFlag::kAT_EMPTY_PATH | AtFlag::kAT_SYMLINK_NOFOLLOW)) return Errno::kEINVAL;
  std::string name = TRY(path.path());
  vfs::WalkFlags walk;
  if (!flags.has(AtFlag::kAT_SYMLINK_NOFOLLOW)) walk |= vfs::Walk::kFollow;
  if (flags.has(AtFlag::kAT_EMPTY_PATH)) walk |= vfs::Walk::kEmptyPath;
  TRY(lifecycle::execute(task, directory, name, walk, arguments, environment));
  // The registers are the new program's: nothing of this call is left to restart.
  Task::current().system_call = -1;
  return {};
}

Result<> exit(UnlockedTask task, i32 status) {
  {
    KernelLock::Held held;
    if (task->process->thread_count == 1 && !task->process->exiting) {
      task->process->exit_status = abi::wait_status_exited(status);
    }
  }
  lifecycle::exit_current_task();
}

Result<> exit_group(UnlockedTask task, i32 status) {
  {
    KernelLock::Held held;
    signals::end_process(*task->process, abi::wait_status_exited(status));
  }
  lifecycle::exit_current_task();
}

Result<Pid> set_tid_address(UnlockedTask task, UserAddr address) {
  task->clear_child_tid = address;
  return task->tid;
}

Result<> set_robust_list(UnlockedTask task, UserAddr head, usize size) {
  if (size != sizeof(abi::RobustListHead)) return Errno::kEINVAL;
  task->robust_list = head;
  return {};
}

Result<> get_robust_list(UnlockedTask task, Pid pid, UserOut<u64> head, UserOut<u64> size) {
  auto find = [&]() -> Result<u64> {
    if (pid.value == 0) return task->robust_list.value;
    KernelLock::Held held;
    RefPtr<Task> target = lifecycle::find_task(pid);
    if (!target) return Errno::kESRCH;
    if (target->process != task->process && !task->has_capability(abi::kCAP_SYS_PTRACE)) {
      return Errno::kEPERM;
    }
    return target->robust_list.value;
  };
  const u64 list = TRY(find());
  TRY(size.write(sizeof(abi::RobustListHead)));
  return head.write(list);
}

}  // namespace lxss::sys
