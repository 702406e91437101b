#include "lxcore/syscalls/file_access.h"

#include <algorithm>

#include "lxcore/kernel.h"
#include "lxcore/vfs/notify.h"

namespace lxss::file_access {

using abi::OpenFlag;

Result<> check_size_limit(Task& task, u64 size) {
  if (size <= task.limit(abi::kRLIMIT_FSIZE)) return {};
  KernelLock::Held held;
  signals::send(task, signals::kernel_info(abi::kSIGXFSZ));
  return Errno::kEFBIG;
}

Result<usize> read(Task& task, File& file, IoBuffer& buffer, const u64* offset) {
  if (!file.readable()) return Errno::kEBADF;
  KernelLock::HeldFor guard(file.locking());
  Result<usize> done = usize{0};
  if (!file.seekable() || (!offset && file.position_is_shared())) {
    if (offset) return Errno::kESPIPE;
    done = file.read(task, buffer, nullptr);
  } else if (offset) {
    u64 at = *offset;
    done = file.read(task, buffer, &at);
  } else {
    SleepLock::Held held;
    TRY(held.lock(task, file.position_lock));
    u64 at = file.position;
    done = file.read(task, buffer, &at);
    if (done.ok()) file.position = at + done.value();
  }
  if (done.ok() && done.value() != 0) vfs::notify(*file.path().dentry, vfs::kIN_ACCESS);
  return done;
}

namespace {

/// Under the inode's write lock, if it is a regular file.
Result<usize> write_at(Task& task, File& file, IoBuffer& buffer, u64 offset, WriteOptions options,
                       u64& end) {
  Inode& inode = file.inode();
  const bool regular = inode.is_regular();
  const bool append =
      options.append || (!options.no_append && file.flags().has(OpenFlag::kO_APPEND));
  if (append && regular) offset = TRY(inode.attributes()).size;
  if (regular && !buffer.empty()) {
    const u64 limit = task.limit(abi::kRLIMIT_FSIZE);
    if (offset >= limit) TRY(check_size_limit(task, offset + 1));
    buffer.truncate(std::min<u64>(buffer.size(), limit - offset));
    if (auto permissions = vfs::permissions_after_write(task, inode)) {
      AttributeChange change;
      change.permissions = permissions;
      TRY(inode.set_attributes(change));
    }
  }
  const usize done = TRY(file.write(task, buffer, &offset));
  end = offset + done;
  const bool sync = options.sync || file.flags().has(OpenFlag::kO_SYNC);
  const bool data_sync = options.data_sync || file.flags().has(OpenFlag::kO_DSYNC);
  if (regular && done != 0 && (sync || data_sync)) TRY(file.sync(!sync));
  return done;
}

}  // namespace

Result<usize> write(Task& task, File& file, IoBuffer& buffer, const u64* offset,
                    WriteOptions options) {
  if (!file.writable()) return Errno::kEBADF;
  KernelLock::HeldFor guard(file.locking());
  Result<usize> done = usize{0};
  if (!file.seekable() || (!offset && file.position_is_shared())) {
    if (offset) return Errno::kESPIPE;
    done = file.write(task, buffer, nullptr);
  } else {
    SleepLock::Held position, content;
    if (!offset) TRY(position.lock(task, file.position_lock));
    if (file.inode().is_regular()) TRY(content.lock(task, file.inode().write_lock));
    u64 end = 0;
    done = write_at(task, file, buffer, offset ? *offset : file.position, options, end);
    if (done.ok() && !offset) file.position = end;
  }
  if (done.ok() && done.value() != 0) vfs::notify(*file.path().dentry, vfs::kIN_MODIFY);
  return done;
}

}  // namespace lxss::file_access
