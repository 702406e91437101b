// getdents in its two layouts.
#include <cstring>

#include "abi/linux/dirent.h"
#include "lxcore/syscalls/file.h"
#include "lxcore/syscalls/file_access.h"
#include "lxcore/vfs/notify.h"

namespace lxss::sys {

namespace {

/// Lays entries out as the guest wants them, and copies them out in larger pieces.
class EntryWriter final : public DirectorySink {
 public:
  EntryWriter(UserAddr to, usize room, bool old_layout)
      : to_(to), room_(room), old_layout_(old_layout) {}

  bool add(std::string_view name, u64 inode, u8 type, u64 next_offset) override {
    const usize size =
        old_layout_ ? abi::dirent_reclen(name.size()) : abi::dirent64_reclen(name.size());
    if (size > room_ - total_) {
      full_ = true;
      return false;
    }
    if (size > sizeof buffer_ - used_ && !flush()) return false;
    if (old_layout_) {
      const abi::Dirent head{inode, next_offset, static_cast<u16>(size), {}};
      put(&head, abi::kDirentNameOffset, name, size);
      buffer_[used_ - 1] = static_cast<char>(type);
    } else {
      const abi::Dirent64 head{
          inode, static_cast<i64>(next_offset), static_cast<u16>(size), type, {}};
      put(&head, abi::kDirent64NameOffset, name, size);
    }
    total_ += size;
    next_offset_ = next_offset;
    return true;
  }

  bool flush() {
    if (used_ == 0) return true;
    if (!copy_out(to_ + flushed_, buffer_, used_).ok()) {
      fault_ = true;
      return false;
    }
    flushed_ += used_;
    used_ = 0;
    flushed_offset_ = next_offset_;
    return true;
  }

  bool fault() const { return fault_; }
  bool full() const { return full_; }
  usize written() const { return flushed_; }
  u64 position() const { return flushed_offset_; }

 private:
  void put(const void* head, usize head_size, std::string_view name, usize size) {
    char* at = buffer_ + used_;
    std::memcpy(at, head, head_size);
    std::memcpy(at + head_size, name.data(), name.size());
    std::memset(at + head_size + name.size(), 0, size - head_size - name.size());
    used_ += size;
  }

  UserAddr to_;
  usize room_;
  bool old_layout_;
  bool full_ = false, fault_ = false;
  usize total_ = 0, flushed_ = 0, used_ = 0;
  u64 next_offset_ = 0, flushed_offset_ = 0;
  char buffer_[2048];
};

Result<usize> list(Task& task, Fd fd, UserAddr to, u32 size, bool old_layout) {
  FileRef file = TRY(task.file(fd));
  if (!file->has_inode() || !file->inode().is_directory()) return Errno::kENOTDIR;
  if (file->path().dentry->unlinked()) return Errno::kENOENT;
  KernelLock::HeldFor guard(file->locking());
  SleepLock::Held held;
  TRY(held.lock(task, file->position_lock));
  [[gnu::uninitialized]] EntryWriter writer(to, size, old_layout);
  TRY(file->read_directory(task, file->position, writer));
  vfs::notify(*file->path().dentry, vfs::kIN_ACCESS);
  writer.flush();
  if (writer.written() == 0) {
    if (writer.fault()) return Errno::kEFAULT;
    if (writer.full()) return Errno::kEINVAL;
    return usize{0};
  }
  file->position = writer.position();
  return writer.written();
}

}  // namespace

Result<usize> getdents(UnlockedTask task, Fd fd, Bytes buffer, u32 size) {
  return list(task, fd, buffer.address, size, true);
}

Result<usize> getdents64(UnlockedTask task, Fd fd, Bytes buffer, u32 size) {
  return list(task, fd, buffer.address, size, false);
}

}  // namespace lxss::sys
