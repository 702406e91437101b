#include "lxcore/syscalls/memory.h"

#include <algorithm>
#include <bit>

#include "abi/linux/capability.h"
#include "host/memory.h"
#include "lxcore/kernel.h"
#include "lxcore/task/lifecycle.h"

namespace lxss::sys {

using abi::MapFlag;
using abi::ProtFlag;

namespace {

/// All that MAP_SHARED_VALIDATE accepts for a file: the flags older than itself.
constexpr u32 kValidated =
    (abi::kMAP_TYPE | (MapFlag::kMAP_FIXED | MapFlag::kMAP_32BIT | MapFlag::kMAP_GROWSDOWN |
                       MapFlag::kMAP_DENYWRITE | MapFlag::kMAP_EXECUTABLE | MapFlag::kMAP_LOCKED |
                       MapFlag::kMAP_NORESERVE | MapFlag::kMAP_POPULATE | MapFlag::kMAP_NONBLOCK |
                       MapFlag::kMAP_STACK | MapFlag::kMAP_HUGETLB | MapFlag::kMAP_UNINITIALIZED)
                          .raw()) |
    abi::kMAP_HUGE_MASK << abi::kMAP_HUGE_SHIFT;

/// The checks that depend on the mapped file (man 2 mmap: EACCES, ENODEV, EPERM).
Result<RefPtr<File>> file_to_map(Task& task, Fd fd, abi::ProtFlags protection, bool shared) {
  RefPtr<File> file = TRY(task.file(fd));
  KernelLock::HeldFor held(file->locking());
  if (!file->readable()) return Errno::kEACCES;
  if (shared && protection.has(ProtFlag::kPROT_WRITE) && !file->writable()) return Errno::kEACCES;
  if (protection.has(ProtFlag::kPROT_EXEC) && file->path().mount &&
      file->path().mount->flags().has(abi::MountFlag::kMS_NOEXEC)) {
    return Errno::kEPERM;
  }
  const MapSource source = TRY(file->map());
  if (shared && protection.has(ProtFlag::kPROT_WRITE) && !source.shared_writable) {
    return Errno::kEPERM;
  }
  return file;
}

}  // namespace

Result<u64> mmap(UnlockedTask task, u64 hint, u64 length, abi::ProtFlags protection,
                 abi::MapFlags flags, Fd fd, u64 offset) {
  if (offset % kPageSize) return Errno::kEINVAL;
  const u32 type = flags.raw() & abi::kMAP_TYPE;
  constexpr u32 kPrivate = u32(MapFlag::kMAP_PRIVATE), kShared = u32(MapFlag::kMAP_SHARED);
  constexpr u32 kSharedValidate = u32(MapFlag::kMAP_SHARED_VALIDATE);
  if (type != kPrivate && type != kShared && type != kSharedValidate) return Errno::kEINVAL;
  if (flags.has(MapFlag::kMAP_HUGETLB)) return Errno::kENOMEM;
  const bool anonymous = flags.has(MapFlag::kMAP_ANONYMOUS);
  if (length == 0) {
    if (!anonymous) TRY(task->file(fd));
    return Errno::kEINVAL;
  }
  if (type == kSharedValidate && (anonymous || (flags.raw() & ~kValidated))) {
    return anonymous ? Errno::kEINVAL : Errno::kEOPNOTSUPP;
  }
  RefPtr<File> file;
  if (!anonymous) {
    file = TRY(file_to_map(task, fd, protection, type != kPrivate));
    if (offset + length < offset) return Errno::kEOVERFLOW;
  }
  if (type == kSharedValidate) {
    flags = abi::MapFlags((flags.raw() & ~abi::kMAP_TYPE) | kShared);
  }
  return task->memory->map(hint, length, protection, flags, std::move(file), offset);
}

Result<> munmap(UnlockedTask task, u64 begin, u64 length) {
  return task->memory->unmap(begin, length);
}

Result<> mprotect(UnlockedTask task, u64 begin, u64 length, abi::ProtFlags protection) {
  return task->memory->protect(begin, length, protection);
}

Result<u64> mremap(UnlockedTask task, u64 begin, u64 old_length, u64 new_length,
                   abi::MremapFlags flags, u64 new_begin) {
  return task->memory->remap(begin, old_length, new_length, flags, new_begin);
}

Result<u64> brk(UnlockedTask task, u64 end) { return task->memory->set_break(end); }

Result<> madvise(UnlockedTask task, u64 begin, u64 length, i32 advice) {
  switch (advice) {
    case abi::kMADV_NORMAL:
    case abi::kMADV_RANDOM:
    case abi::kMADV_SEQUENTIAL:
    case abi::kMADV_WILLNEED:
    case abi::kMADV_DONTNEED:
    case abi::kMADV_FREE:
    case abi::kMADV_REMOVE:
    case abi::kMADV_DONTFORK:
    case abi::kMADV_DOFORK:
    case abi::kMADV_MERGEABLE:
    case abi::kMADV_UNMERGEABLE:
    case abi::kMADV_HUGEPAGE:
    case abi::kMADV_NOHUGEPAGE:
    case abi::kMADV_DONTDUMP:
    case abi::kMADV_DODUMP:
    case abi::kMADV_WIPEONFORK:
    case abi::kMADV_KEEPONFORK:
    case abi::kMADV_COLD:
    case abi::kMADV_PAGEOUT:
    case abi::kMADV_POPULATE_READ:
    case abi::kMADV_POPULATE_WRITE:
      return task->memory->advise(begin, length, advice);
    default:
      return Errno::kEINVAL;
  }
}

Result<> msync(UnlockedTask, u64 begin, u64 length, abi::MsyncFlags flags) {
  using abi::MsyncFlag;
  if (!flags.within(MsyncFlag::kMS_ASYNC | MsyncFlag::kMS_INVALIDATE | MsyncFlag::kMS_SYNC) ||
      begin % kPageSize || (flags.has(MsyncFlag::kMS_ASYNC) && flags.has(MsyncFlag::kMS_SYNC))) {
    return Errno::kEINVAL;
  }
  const u64 size = page_ceil(length);
  if (size < length || !pico::is_user_range(begin, size)) return Errno::kENOMEM;
  if (size == 0) return {};
  return host::sync_memory(begin, size, i32(flags.raw()));
}

Result<> mincore(UnlockedTask, u64 begin, u64 length, UserAddr pages) {
  if (begin % kPageSize) return Errno::kEINVAL;
  const u64 size = page_ceil(length);
  if (size < length || !pico::is_user_range(begin, size)) return Errno::kENOMEM;
  u8 chunk[512];
  for (u64 done = 0; done < size;) {
    const u64 part = std::min<u64>(size - done, sizeof chunk * kPageSize);
    TRY(host::residency(begin + done, part, chunk));
    TRY(copy_out(pages + done / kPageSize, chunk, part / kPageSize));
    done += part;
  }
  return {};
}

Result<> mlock(UnlockedTask task, u64 begin, u64 length) {
  return task->memory->set_locked(begin, length, MemoryLock::kResident);
}

Result<> mlock2(UnlockedTask task, u64 begin, u64 length, abi::Mlock2Flags flags) {
  if (!flags.within(abi::Mlock2Flag::kMLOCK_ONFAULT)) return Errno::kEINVAL;
  const bool on_fault = flags.has(abi::Mlock2Flag::kMLOCK_ONFAULT);
  return task->memory->set_locked(begin, length,
                                  on_fault ? MemoryLock::kOnFault : MemoryLock::kResident);
}

Result<> munlock(UnlockedTask task, u64 begin, u64 length) {
  return task->memory->set_locked(begin, length, MemoryLock::kNone);
}

Result<> mlockall(UnlockedTask task, abi::MlockallFlags flags) {
  using enum abi::MlockallFlag;
  if (!flags.any(kMCL_CURRENT | kMCL_FUTURE) ||
      !flags.within(kMCL_CURRENT | kMCL_FUTURE | kMCL_ONFAULT)) {
    return Errno::kEINVAL;
  }
  const MemoryLock lock = flags.has(kMCL_ONFAULT) ? MemoryLock::kOnFault : MemoryLock::kResident;
  return task->memory->set_all_locked(flags.has(kMCL_CURRENT) ? std::optional(lock) : std::nullopt,
                                      flags.has(kMCL_FUTURE) ? lock : MemoryLock::kNone);
}

Result<> munlockall(UnlockedTask task) {
  return task->memory->set_all_locked(MemoryLock::kNone, MemoryLock::kNone);
}

Result<u64> membarrier(UnlockedTask, i32 command, u32 flags, i32 cpu) {
  // Without the commands for restartable sequences, which there are none of.
  constexpr i32 kQuery = 0;
  constexpr u32 kServed = 0x7f;
  if (command == kQuery) {
    if (flags != 0) return Errno::kEINVAL;
    return TRY(host::memory_barrier(kQuery, 0, 0)) & kServed;
  }
  if (command < 0 || !std::has_single_bit(u32(command)) || !(u32(command) & kServed)) {
    return Errno::kEINVAL;
  }
  return host::memory_barrier(command, flags, cpu);
}

namespace {

/// man 2 ptrace, "Ptrace access mode checking": same ids, or CAP_SYS_PTRACE.
Result<RefPtr<Process>> process_to_access(Task& task, Pid pid) {
  KernelLock::Held held;
  RefPtr<Task> target = lifecycle::find_task(pid);
  if (!target) return Errno::kESRCH;
  const Credentials& mine = *task.credentials;
  const Credentials& theirs = *target->credentials;
  const bool same_ids = mine.uid == theirs.uid && mine.uid == theirs.euid &&
                        mine.uid == theirs.suid && mine.gid == theirs.gid &&
                        mine.gid == theirs.egid && mine.gid == theirs.sgid;
  if (target->process != task.process && !mine.has_capability(abi::kCAP_SYS_PTRACE) &&
      !(same_ids && target->process->dumpable)) {
    return Errno::kEPERM;
  }
  return target->process;
}

template <typename Copy>
Result<usize> transfer(UnlockedTask task, Pid pid, UserAddr local, usize local_count,
                       UserAddr remote, usize remote_count, u64 flags, Copy copy) {
  if (flags != 0) return Errno::kEINVAL;
  IoBuffer ours = TRY(IoBuffer::user_vector(local, local_count));
  IoBuffer theirs = TRY(IoBuffer::user_vector(remote, remote_count));
  RefPtr<Process> process = TRY(process_to_access(task, pid));
  usize done = 0;
  Result<> failure;
  while (!ours.empty() && !theirs.empty()) {
    host::Buffer here = ours.pieces()[0], there = theirs.pieces()[0];
    const usize part = std::min(here.size, there.size);
    if (part == 0) {
      (here.size == 0 ? ours : theirs).skip(0);
      continue;
    }
    auto copied = copy(process->host_process, host::Buffer{here.address, part},
                       host::Buffer{there.address, part});
    if (!copied) {
      failure = copied.error();
      break;
    }
    ours.skip(*copied);
    theirs.skip(*copied);
    done += *copied;
    if (*copied < part) break;
  }
  if (done == 0 && !failure) return failure.error();
  return done;
}

}  // namespace

Result<usize> process_vm_readv(UnlockedTask task, Pid pid, UserAddr local, usize local_count,
                               UserAddr remote, usize remote_count, u64 flags) {
  return transfer(task, pid, local, local_count, remote, remote_count, flags,
                  host::read_process_memory);
}

Result<usize> process_vm_writev(UnlockedTask task, Pid pid, UserAddr local, usize local_count,
                                UserAddr remote, usize remote_count, u64 flags) {
  return transfer(task, pid, local, local_count, remote, remote_count, flags,
                  host::write_process_memory);
}

}  // namespace lxss::sys
