// File: the defaults of open file descriptions.
#include "lxcore/vfs/file.h"

#include "lxcore/mm/text.h"
#include "lxcore/vfs/locks.h"
#include "lxcore/vfs/notify.h"

namespace lxss {

using abi::OpenFlag;

File::~File() {
  if (!has_inode()) return;
  Inode& of = inode();
  if (!is_path_only()) {
    vfs::notify(*path_.dentry, writable() ? vfs::kIN_CLOSE_WRITE : vfs::kIN_CLOSE_NOWRITE);
  }
  if (of.locks) locks::release(of, this);
  if (of.is_regular() && writable()) of.end_writing();
}

void File::last_unref() {
  epoll_watches.leave();
  KernelLock::HeldFor held(locking_);
  delete this;
}

void File::initialise(Path path, abi::OpenFlags flags) {
  LXSS_ASSERT(!path_);
  path_ = std::move(path);
  set_status_flags(flags.without(OpenFlag::kO_CREAT | OpenFlag::kO_EXCL | OpenFlag::kO_NOCTTY |
                                 OpenFlag::kO_TRUNC | OpenFlag::kO_CLOEXEC));
  if (has_inode() && inode().is_regular() && writable()) {
    // Who opens it by its path has made sure that no program runs from it.
    LXSS_ASSERT(inode().begin_writing());
    texts::file_changes(inode());
  }
}

Result<u64> File::seek(i64 offset, i32 whence) {
  if (!seekable()) return Errno::kESPIPE;
  i64 base = 0;
  switch (whence) {
    case abi::kSEEK_SET:
      break;
    case abi::kSEEK_CUR:
      base = static_cast<i64>(position);
      break;
    case abi::kSEEK_END:
      base = static_cast<i64>(TRY(inode().attributes()).size);
      break;
    default:
      return Errno::kEINVAL;
  }
  i64 target;
  if (__builtin_add_overflow(base, offset, &target)) return Errno::kEOVERFLOW;
  if (target < 0) return Errno::kEINVAL;
  return static_cast<u64>(target);
}

PollEvents File::poll(PollRegistration*) {
  // What cannot block is always ready.
  using abi::PollFlag;
  return PollFlag::kPOLLIN | PollFlag::kPOLLOUT | PollFlag::kPOLLRDNORM | PollFlag::kPOLLWRNORM;
}

}  // namespace lxss
