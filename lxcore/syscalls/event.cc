// eventfd, signalfd, timerfd, inotify and pidfd; the files themselves are in ipc/.
#include "lxcore/syscalls/event.h"

#include "lxcore/ipc/eventfd.h"
#include "lxcore/ipc/inotify.h"
#include "lxcore/ipc/pidfd.h"
#include "lxcore/ipc/signalfd.h"
#include "lxcore/ipc/timerfd.h"
#include "lxcore/kernel.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::sys {

namespace {

using abi::OpenFlag;

/// A descriptor for a new file. `flags` have the bits of O_NONBLOCK and O_CLOEXEC.
Result<Fd> install(Task& task, RefPtr<File> file, std::string_view name, u32 flags,
                   abi::OpenFlags access) {
  const abi::OpenFlags open(flags);
  vfs::initialise_anonymous(*file, name, 0600, access | (open & OpenFlag::kO_NONBLOCK));
  return task.files->install(std::move(file), open.has(OpenFlag::kO_CLOEXEC),
                             task.limit(abi::kRLIMIT_NOFILE));
}

/// The file behind a descriptor as a T; EINVAL if it is another kind.
template <typename T>
Result<RefPtr<T>> find(Task& task, Fd fd) {
  RefPtr<File> file = TRY(task.file(fd));
  T* found = file_as<T>(*file);
  if (!found) return Errno::kEINVAL;
  return RefPtr<T>(found);
}

/// EPERM unless the task may look into the process as a debugger may (man 2 ptrace).
Result<> may_inspect(const Task& task, Process& target) {
  if (task.process == &target || task.has_capability(abi::kCAP_SYS_PTRACE)) return {};
  Task* other = target.any_thread();
  if (!other) return Errno::kESRCH;
  const Credentials& own = *task.credentials;
  const Credentials& its = *other->credentials;
  const bool same = own.uid == its.uid && own.uid == its.euid && own.uid == its.suid &&
                    own.gid == its.gid && own.gid == its.egid && own.gid == its.sgid;
  if (!same || !target.dumpable) return Errno::kEPERM;
  return {};
}

}  // namespace

Result<Fd> eventfd2(Task& task, u32 count, abi::EfdFlags flags) {
  using abi::EfdFlag;
  if (!flags.within(EfdFlag::kEFD_SEMAPHORE | EfdFlag::kEFD_CLOEXEC | EfdFlag::kEFD_NONBLOCK)) {
    return Errno::kEINVAL;
  }
  return install(task, make_ref<EventFd>(count, flags.has(EfdFlag::kEFD_SEMAPHORE)),
                 "anon_inode:[eventfd]", flags.without(EfdFlag::kEFD_SEMAPHORE).raw(),
                 OpenFlag::kO_RDWR);
}

Result<Fd> eventfd(Task& task, u32 count) { return eventfd2(task, count, {}); }

Result<Fd> signalfd4(Task& task, Fd fd, UserIn<abi::SigSet> mask, usize mask_size,
                     abi::SfdFlags flags) {
  using abi::SfdFlag;
  if (mask_size != sizeof(abi::SigSet)) return Errno::kEINVAL;
  const abi::SigSet wanted = TRY(mask.read());
  if (!flags.within(SfdFlag::kSFD_CLOEXEC | SfdFlag::kSFD_NONBLOCK)) return Errno::kEINVAL;
  if (fd.value != -1) {
    TRY(find<SignalFd>(task, fd))->set_mask(wanted);
    // Who waits for the old set looks again.
    task.process->signal_events.wake();
    return fd;
  }
  return install(task, make_ref<SignalFd>(wanted), "anon_inode:[signalfd]", flags.raw(),
                 OpenFlag::kO_RDWR);
}

Result<Fd> signalfd(Task& task, Fd fd, UserIn<abi::SigSet> mask, usize mask_size) {
  return signalfd4(task, fd, mask, mask_size, {});
}

Result<Fd> timerfd_create(Task& task, i32 clock, abi::TfdCreateFlags flags) {
  using abi::TfdCreateFlag;
  if (!flags.within(TfdCreateFlag::kTFD_CLOEXEC | TfdCreateFlag::kTFD_NONBLOCK)) {
    return Errno::kEINVAL;
  }
  switch (clock) {
    case abi::kCLOCK_REALTIME:
    case abi::kCLOCK_MONOTONIC:
    case abi::kCLOCK_BOOTTIME:
      break;
    // The alarm clocks never wake this machine: then they are like the others.
    case abi::kCLOCK_REALTIME_ALARM:
    case abi::kCLOCK_BOOTTIME_ALARM:
      if (!task.has_capability(abi::kCAP_WAKE_ALARM)) return Errno::kEPERM;
      clock = clock == abi::kCLOCK_REALTIME_ALARM ? abi::kCLOCK_REALTIME : abi::kCLOCK_BOOTTIME;
      break;
    default:
      return Errno::kEINVAL;
  }
  return install(task, make_ref<TimerFd>(clock), "anon_inode:[timerfd]", flags.raw(),
                 OpenFlag::kO_RDWR);
}

Result<> timerfd_settime(Task& task, Fd fd, abi::TfdFlags flags, UserIn<abi::Itimerspec> value,
                         UserOut<abi::Itimerspec> old_value) {
  using abi::TfdFlag;
  const abi::Itimerspec setting = TRY(value.read());
  if (!flags.within(TfdFlag::kTFD_TIMER_ABSTIME | TfdFlag::kTFD_TIMER_CANCEL_ON_SET)) {
    return Errno::kEINVAL;
  }
  u64 first = TRY(clocks::to_ns(setting.it_value));
  u64 interval = TRY(clocks::to_ns(setting.it_interval));
  auto timer = TRY(find<TimerFd>(task, fd));
  const abi::Itimerspec old = timer->setting();
  timer->set(first, interval, flags.has(TfdFlag::kTFD_TIMER_ABSTIME));
  if (old_value) TRY(old_value.write(old));
  return {};
}

Result<> timerfd_gettime(Task& task, Fd fd, UserOut<abi::Itimerspec> out) {
  return out.write(TRY(find<TimerFd>(task, fd))->setting());
}

Result<Fd> inotify_init1(Task& task, abi::InotifyInitFlags flags) {
  using abi::InotifyInitFlag;
  if (!flags.within(InotifyInitFlag::kIN_CLOEXEC | InotifyInitFlag::kIN_NONBLOCK)) {
    return Errno::kEINVAL;
  }
  return install(task, make_ref<Inotify>(), "anon_inode:inotify", flags.raw(), OpenFlag::kO_RDONLY);
}

Result<Fd> inotify_init(Task& task) { return inotify_init1(task, {}); }

Result<i32> inotify_add_watch(Task& task, Fd fd, UserString path, u32 raw_mask) {
  using abi::InotifyFlag;
  const abi::InotifyFlags mask(raw_mask);
  if (!mask.any(InotifyFlag::kIN_ALL_EVENTS)) return Errno::kEINVAL;
  if (mask.has(InotifyFlag::kIN_MASK_ADD) && mask.has(InotifyFlag::kIN_MASK_CREATE)) {
    return Errno::kEINVAL;
  }
  auto inotify = TRY(find<Inotify>(task, fd));
  vfs::WalkFlags walk{};
  if (!mask.has(InotifyFlag::kIN_DONT_FOLLOW)) walk |= vfs::Walk::kFollow;
  if (mask.has(InotifyFlag::kIN_ONLYDIR)) walk |= vfs::Walk::kDirectory;
  Path at = TRY(vfs::resolve(task, Fd{abi::kAT_FDCWD}, TRY(path.path()), walk));
  TRY(vfs::check_access(*task.credentials, at.inode(), vfs::Access::kRead));
  return inotify->watch(at.inode(), mask);
}

Result<> inotify_rm_watch(Task& task, Fd fd, i32 watch) {
  return TRY(find<Inotify>(task, fd))->unwatch(watch);
}

Result<Fd> pidfd_open(Task& task, Pid pid, abi::PidfdFlags flags) {
  if (!flags.within(abi::PidfdFlag::kPIDFD_NONBLOCK)) return Errno::kEINVAL;
  if (pid.value <= 0) return Errno::kEINVAL;
  auto found = kernel().processes.find(pid);
  if (found == kernel().processes.end()) {
    // Linux: an id that only a thread has is no process.
    return kernel().tasks.contains(pid) ? Errno::kENOENT : Errno::kESRCH;
  }
  RefPtr<File> file = make_pidfd(*found->second);
  if (flags.has(abi::PidfdFlag::kPIDFD_NONBLOCK)) {
    file->set_status_flags(file->flags() | OpenFlag::kO_NONBLOCK);
  }
  return task.files->install(std::move(file), true, task.limit(abi::kRLIMIT_NOFILE));
}

Result<> pidfd_send_signal(Task& task, Fd pidfd, i32 signal, UserIn<abi::SigInfo> info, u32 flags) {
  if (flags != 0) return Errno::kEINVAL;
  RefPtr<Process> target = TRY(process_of_pidfd(*TRY(task.file(pidfd))));
  if (signal < 0 || signal > kSignalCount) return Errno::kEINVAL;
  abi::SigInfo sent = signals::user_info(task, signal, abi::kSI_USER);
  if (info) {
    sent = TRY(info.read());
    if (sent.signo != signal) return Errno::kEINVAL;
    // Only the kernel, and kill itself, may claim these origins towards others.
    const bool forged = sent.code >= 0 || sent.code == abi::kSI_TKILL;
    if (forged && target != task.process) return Errno::kEPERM;
  }
  if (target->state == ProcessState::kDead) return Errno::kESRCH;
  TRY(signals::may_send(task, *target, signal));
  if (signal != 0) signals::send(*target, sent);
  return {};
}

Result<Fd> pidfd_getfd(Task& task, Fd pidfd, Fd target_fd, u32 flags) {
  if (flags != 0) return Errno::kEINVAL;
  RefPtr<Process> target = TRY(process_of_pidfd(*TRY(task.file(pidfd))));
  TRY(may_inspect(task, *target));
  Task* thread = target->any_thread();
  if (!thread || !thread->files) return Errno::kESRCH;
  RefPtr<File> file = TRY(thread->files->get(target_fd));
  return task.files->install(std::move(file), true, task.limit(abi::kRLIMIT_NOFILE));
}

}  // namespace lxss::sys
