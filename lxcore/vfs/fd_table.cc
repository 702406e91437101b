// Descriptor tables.
#include <algorithm>

#include "lxcore/kernel.h"
#include "lxcore/mm/heap.h"
#include "lxcore/vfs/locks.h"

namespace lxss {

FdTable::Slot* FdTable::slot(Fd fd) {
  if (static_cast<u32>(fd.value) >= slots_.size()) return nullptr;
  Slot& found = slots_[static_cast<usize>(fd.value)];
  return found.file ? &found : nullptr;
}

FdTable::~FdTable() {
  // Of a share that nobody gave up by release(): a fork that failed, a look from /proc.
  Process* process = Task::current().process.get();
  close_all(process ? *process : *kernel().init);
}

void FdTable::closed(File& file, Process& process) {
  if (file.has_inode() && file.inode().locks) locks::release(file.inode(), this);
  file.descriptor_closed(process);
}

void FdTable::release(Process& process) {
  if (reference_count() == 1) close_all(process);
}

void FdTable::close_all(Process& process) {
  for (usize at = 0; at < slots_.size(); ++at) {
    // Out of the table first: closing may give up the lock.
    RefPtr<File> file = std::move(slots_[at].file);
    if (file) closed(*file, process);
  }
  slots_.clear();
  lowest_free_ = 0;
}

Result<RefPtr<File>> FdTable::get(Fd fd) const {
  const Slot* found = slot(fd);
  if (!found) return Errno::kEBADF;
  return found->file;
}

Result<RefPtr<File>> FdTable::get_io(Fd fd) const {
  const Slot* found = slot(fd);
  if (!found || found->file->is_path_only()) return Errno::kEBADF;
  return found->file;
}

Result<Fd> FdTable::install(RefPtr<File> file, bool close_on_exec, u64 limit, i32 minimum) {
  const u64 end = std::min<u64>(limit, kMaxDescriptors);
  if (minimum < 0 || (minimum > 0 && static_cast<u64>(minimum) >= end)) return Errno::kEINVAL;
  usize at = static_cast<usize>(std::max(minimum, lowest_free_));
  while (at < slots_.size() && slots_[at].file) ++at;
  if (at >= end) return Errno::kEMFILE;
  if (!heap::has_room()) return Errno::kENFILE;
  if (at >= slots_.size()) slots_.resize(at + 1);
  slots_[at] = {std::move(file), close_on_exec};
  if (minimum <= lowest_free_) lowest_free_ = static_cast<i32>(at + 1);
  return Fd{static_cast<i32>(at)};
}

Result<> FdTable::install_at(Fd fd, RefPtr<File> file, bool close_on_exec, u64 limit) {
  if (fd.value < 0 || static_cast<u64>(fd.value) >= std::min<u64>(limit, kMaxDescriptors)) {
    return Errno::kEBADF;
  }
  const usize at = static_cast<usize>(fd.value);
  if (at >= slots_.size()) slots_.resize(at + 1);
  RefPtr<File> old = std::exchange(slots_[at].file, std::move(file));
  slots_[at].close_on_exec = close_on_exec;
  if (old) closed(*old, *Task::current().process);
  return {};
}

Result<RefPtr<File>> FdTable::remove(Fd fd) {
  Slot* found = slot(fd);
  if (!found) return Errno::kEBADF;
  RefPtr<File> file = std::move(found->file);
  *found = {};
  lowest_free_ = std::min(lowest_free_, fd.value);
  closed(*file, *Task::current().process);
  return file;
}

Result<bool> FdTable::close_on_exec(Fd fd) const {
  const Slot* found = slot(fd);
  if (!found) return Errno::kEBADF;
  return found->close_on_exec;
}

Result<> FdTable::set_close_on_exec(Fd fd, bool on) {
  Slot* found = slot(fd);
  if (!found) return Errno::kEBADF;
  found->close_on_exec = on;
  return {};
}

RefPtr<FdTable> FdTable::duplicate() const {
  auto copy = make_ref<FdTable>();
  usize used = slots_.size();
  while (used > 0 && !slots_[used - 1].file) --used;
  copy->slots_.assign(slots_.begin(), slots_.begin() + static_cast<isize>(used));
  copy->lowest_free_ = std::min(lowest_free_, static_cast<i32>(used));
  return copy;
}

void FdTable::close_for_exec(Process&) {
  for (usize at = 0; at < slots_.size(); ++at) {
    if (slots_[at].file && slots_[at].close_on_exec) (void)remove(Fd{static_cast<i32>(at)});
  }
}

}  // namespace lxss
