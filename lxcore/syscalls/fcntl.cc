// fcntl and flock.
#include <atomic>

#include "lxcore/kernel.h"
#include "lxcore/syscalls/file.h"
#include "lxcore/task/lifecycle.h"
#include "lxcore/vfs/locks.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::sys {

namespace {

using abi::OpenFlag;

Result<> set_status_flags(Task& task, File& file, abi::OpenFlags wanted) {
  constexpr abi::OpenFlags kSettable = OpenFlag::kO_APPEND | OpenFlag::kO_NONBLOCK |
                                       OpenFlag::kO_DIRECT | OpenFlag::kO_NOATIME |
                                       OpenFlag::kFASYNC;
  if (wanted.has(OpenFlag::kO_NOATIME) && !file.flags().has(OpenFlag::kO_NOATIME) &&
      file.has_inode()) {
    TRY(vfs::check_owner(*task.credentials, file.inode()));
  }
  file.change_status_flags(kSettable, wanted & kSettable);
  return {};
}

/// The range of a struct flock, in absolute positions. A length of 0 reaches to the end, a
/// negative one lies before the start.
Result<> set_range(File& file, const abi::Flock& given, FileLock& lock) {
  i64 base = 0;
  switch (given.l_whence) {
    case abi::kSEEK_SET:
      break;
    case abi::kSEEK_CUR:
      base = static_cast<i64>(std::atomic_ref(file.position).load(std::memory_order_relaxed));
      break;
    case abi::kSEEK_END: {
      KernelLock::HeldFor guard(file.inode().locking());
      base = static_cast<i64>(TRY(file.inode().attributes()).size);
      break;
    }
    default:
      return Errno::kEINVAL;
  }
  i64 begin, end;
  if (__builtin_add_overflow(base, given.l_start, &begin)) return Errno::kEOVERFLOW;
  if (begin < 0) return Errno::kEINVAL;
  if (given.l_len > 0) {
    if (__builtin_add_overflow(begin, given.l_len - 1, &end)) return Errno::kEOVERFLOW;
    lock.begin = static_cast<u64>(begin);
    lock.last = static_cast<u64>(end);
  } else if (given.l_len == 0) {
    lock.begin = static_cast<u64>(begin);
  } else {
    if (begin + given.l_len < 0) return Errno::kEINVAL;
    lock.begin = static_cast<u64>(begin + given.l_len);
    lock.last = static_cast<u64>(begin - 1);
  }
  return {};
}

Result<u64> record_lock(Task& task, Fd fd, File& file, i32 command, UserInOut<abi::Flock> at) {
  const bool of_file = command >= abi::kF_OFD_GETLK && command <= abi::kF_OFD_SETLKW;
  const bool get = command == abi::kF_GETLK || command == abi::kF_OFD_GETLK;
  const bool wait = command == abi::kF_SETLKW || command == abi::kF_OFD_SETLKW;
  abi::Flock given = TRY(at.read());
  if (of_file && given.l_pid != 0) return Errno::kEINVAL;
  if (given.l_type != abi::kF_RDLCK && given.l_type != abi::kF_WRLCK &&
      (given.l_type != abi::kF_UNLCK || (get && !of_file))) {
    return Errno::kEINVAL;
  }
  if (!file.has_inode()) return Errno::kEBADF;

  FileLock lock;
  lock.kind = of_file ? FileLock::Kind::kOpenFile : FileLock::Kind::kRecord;
  lock.owner = of_file ? static_cast<const void*>(&file) : task.files.get();
  lock.exclusive = given.l_type == abi::kF_WRLCK;
  if (!of_file) lock.pid = task.process->pid;
  TRY(set_range(file, given, lock));

  Inode& inode = file.inode();
  if (get) {
    std::optional<FileLock> other;
    if (given.l_type != abi::kF_UNLCK) other = locks::conflict(inode, lock);
    if (!other) {
      given.l_type = abi::kF_UNLCK;
    } else {
      given.l_type = other->exclusive ? abi::kF_WRLCK : abi::kF_RDLCK;
      given.l_whence = abi::kSEEK_SET;
      given.l_start = static_cast<i64>(other->begin);
      given.l_len =
          other->last == FileLock{}.last ? 0 : static_cast<i64>(other->last - other->begin + 1);
      given.l_pid = other->pid.value;
    }
    TRY(at.write(given));
    return u64{0};
  }
  if (given.l_type == abi::kF_UNLCK) {
    locks::release_range(inode, lock);
    return u64{0};
  }
  if (lock.exclusive ? !file.writable() : !file.readable()) return Errno::kEBADF;
  TRY(locks::acquire(task, inode, lock, wait));
  // Another thread may have closed the descriptor meanwhile; its lock would never go.
  auto still = task.files->get(fd);
  if (!of_file && (!still.ok() || still.value() != &file)) {
    locks::release_range(inode, lock);
    return Errno::kEBADF;
  }
  return u64{0};
}

i32 get_owner(const File& file) {
  KernelLock::Held held;
  return file.owner;
}

Result<u64> get_owner_ex(const File& file, UserOut<abi::FOwnerEx> out) {
  const i32 id = get_owner(file);
  abi::FOwnerEx owner{abi::kF_OWNER_PID, id};
  if (id < 0) owner = {abi::kF_OWNER_PGRP, -id};
  TRY(out.write(owner));
  return u64{0};
}

/// `id` is a process, or a group if negative; 0 is nobody.
Result<u64> set_owner(File& file, i32 id) {
  if (id == INT32_MIN) return Errno::kEINVAL;
  KernelLock::Held held;
  if (id > 0 && !lifecycle::find_process(Pid{id})) return Errno::kESRCH;
  if (id < 0 && !lifecycle::find_group(Pid{-id})) return Errno::kESRCH;
  file.owner = id;
  return u64{0};
}

Result<u64> set_owner_ex(File& file, UserIn<abi::FOwnerEx> in) {
  const abi::FOwnerEx owner = TRY(in.read());
  switch (owner.type) {
    case abi::kF_OWNER_TID:
    case abi::kF_OWNER_PID:
      return set_owner(file, owner.pid);
    case abi::kF_OWNER_PGRP:
      return set_owner(file, -owner.pid);
    default:
      return Errno::kEINVAL;
  }
}

bool works_on_path_only(i32 command) {
  switch (command) {
    case abi::kF_DUPFD:
    case abi::kF_DUPFD_CLOEXEC:
    case abi::kF_GETFD:
    case abi::kF_SETFD:
    case abi::kF_GETFL:
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<u64> fcntl(UnlockedTask calling, Fd fd, i32 command, u64 argument) {
  Task& task = calling;
  FileRef file = TRY(task.files->borrow(fd));
  if (file->is_path_only() && !works_on_path_only(command)) return Errno::kEBADF;
  const UserAddr address{argument};
  switch (command) {
    case abi::kF_DUPFD:
    case abi::kF_DUPFD_CLOEXEC: {
      const u64 limit = task.limit(abi::kRLIMIT_NOFILE);
      if (argument >= limit || argument > INT32_MAX) return Errno::kEINVAL;
      const Fd copy = TRY(task.files->install(file, command == abi::kF_DUPFD_CLOEXEC, limit,
                                              static_cast<i32>(argument)));
      return static_cast<u64>(copy.value);
    }
    case abi::kF_GETFD:
      return u64{TRY(task.files->close_on_exec(fd)) ? static_cast<u64>(abi::kFD_CLOEXEC) : 0};
    case abi::kF_SETFD:
      TRY(task.files->set_close_on_exec(fd, argument & abi::kFD_CLOEXEC));
      return u64{0};
    case abi::kF_GETFL:
      return u64{file->flags().raw()};
    case abi::kF_SETFL:
      TRY(set_status_flags(task, *file, abi::OpenFlags(static_cast<u32>(argument))));
      return u64{0};
    case abi::kF_GETLK:
    case abi::kF_SETLK:
    case abi::kF_SETLKW:
    case abi::kF_OFD_GETLK:
    case abi::kF_OFD_SETLK:
    case abi::kF_OFD_SETLKW:
      return record_lock(task, fd, *file, command, {address});
    case abi::kF_GETOWN:
      return static_cast<u64>(i64{get_owner(*file)});
    case abi::kF_SETOWN:
      return set_owner(*file, static_cast<i32>(argument));
    case abi::kF_GETOWN_EX:
      return get_owner_ex(*file, {address});
    case abi::kF_SETOWN_EX:
      return set_owner_ex(*file, {address});
    case abi::kF_GETSIG: {
      KernelLock::Held held;
      return static_cast<u64>(file->owner_signal);
    }
    case abi::kF_SETSIG: {
      if (argument > static_cast<u64>(abi::kNSIG)) return Errno::kEINVAL;
      KernelLock::Held held;
      file->owner_signal = static_cast<i32>(argument);
      return u64{0};
    }
    case abi::kF_GETLEASE:
      return static_cast<u64>(abi::kF_UNLCK);
    case abi::kF_SETLEASE:
      // No file system here can break a lease: none is given.
      return static_cast<i32>(argument) == abi::kF_UNLCK ? Errno::kEAGAIN : Errno::kEINVAL;
    case abi::kF_SETPIPE_SZ:
    case abi::kF_GETPIPE_SZ: {
      KernelLock::HeldFor guard(file->locking());
      auto result = file->control(task, command, argument);
      // What is not a pipe.
      if (result.is(Errno::kEINVAL) && file->has_inode() && file->inode().type() != abi::kS_IFIFO) {
        return Errno::kEBADF;
      }
      return result;
    }
    case abi::kF_ADD_SEALS:
    case abi::kF_GET_SEALS: {
      KernelLock::HeldFor guard(file->locking());
      return file->control(task, command, argument);
    }
    default:
      return Errno::kEINVAL;
  }
}

Result<> flock(UnlockedTask task, Fd fd, abi::LockOps operation) {
  using abi::LockOp;
  const bool wait = !operation.has(LockOp::kLOCK_NB);
  const u32 kind = operation.without(LockOp::kLOCK_NB).raw();
  if (kind != static_cast<u32>(LockOp::kLOCK_SH) && kind != static_cast<u32>(LockOp::kLOCK_EX) &&
      kind != static_cast<u32>(LockOp::kLOCK_UN)) {
    return Errno::kEINVAL;
  }
  FileRef file = TRY(task->file(fd));
  if (!file->has_inode()) return Errno::kEBADF;
  FileLock lock;
  lock.kind = FileLock::Kind::kFlock;
  lock.owner = file.get();
  lock.pid = task->process->pid;
  if (kind == static_cast<u32>(LockOp::kLOCK_UN)) {
    locks::release_range(file->inode(), lock);
    return {};
  }
  lock.exclusive = kind == static_cast<u32>(LockOp::kLOCK_EX);
  return locks::acquire(task, file->inode(), lock, wait);
}

}  // namespace lxss::sys
