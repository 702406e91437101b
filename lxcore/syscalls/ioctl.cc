// ioctl: what any file understands; the rest is the file's.
#include <atomic>

#include "abi/linux/ioctl.h"

#include "lxcore/syscalls/file.h"

namespace lxss::sys {

namespace {

Result<> set_flag(File& file, abi::OpenFlag flag, UserIn<i32> on) {
  const bool set = TRY(on.read()) != 0;
  file.change_status_flags(flag, set ? abi::OpenFlags(flag) : abi::OpenFlags());
  return {};
}

Result<Attributes> attributes_of(File& file) {
  KernelLock::HeldFor guard(file.inode().locking());
  return file.inode().attributes();
}

Result<> on_regular_file(File& file, u32 request, UserAddr address, bool& known) {
  known = true;
  switch (request) {
    case abi::kFIONREAD: {
      const u64 position = std::atomic_ref(file.position).load(std::memory_order_relaxed);
      const i64 size = static_cast<i64>(TRY(attributes_of(file)).size);
      return UserOut<i32>{address}.write(static_cast<i32>(size - static_cast<i64>(position)));
    }
    case abi::kFIGETBSZ:
      return UserOut<i32>{address}.write(static_cast<i32>(TRY(attributes_of(file)).block_size));
    default:
      known = false;
      return {};
  }
}

}  // namespace

Result<u64> ioctl(UnlockedTask task, Fd fd, u32 request, u64 argument) {
  FileRef file = TRY(task->file(fd));
  const UserAddr address{argument};
  switch (request) {
    case abi::kFIOCLEX:
    case abi::kFIONCLEX:
      TRY(task->files->set_close_on_exec(fd, request == abi::kFIOCLEX));
      return u64{0};
    case abi::kFIONBIO:
      TRY(set_flag(*file, abi::OpenFlag::kO_NONBLOCK, {address}));
      return u64{0};
    case abi::kFIOASYNC:
      TRY(set_flag(*file, abi::OpenFlag::kFASYNC, {address}));
      return u64{0};
    case abi::kFIOQSIZE: {
      if (!file->has_inode() || (!file->inode().is_regular() && !file->inode().is_directory())) {
        return Errno::kENOTTY;
      }
      TRY(UserOut<i64>{address}.write(static_cast<i64>(TRY(attributes_of(*file)).blocks * 512)));
      return u64{0};
    }
    default:
      break;
  }
  if (file->has_inode() && file->inode().is_regular()) {
    bool known;
    TRY(on_regular_file(*file, request, address, known));
    if (known) return u64{0};
  }
  KernelLock::HeldFor guard(file->locking());
  return file->ioctl(task, request, argument);
}

}  // namespace lxss::sys
