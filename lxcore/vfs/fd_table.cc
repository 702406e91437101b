#include "lxcore/vfs/fd_table.h"

#include <algorithm>
#include <bit>

#include "lxcore/kernel.h"
#include "lxcore/mm/heap.h"
#include "lxcore/vfs/locks.h"

namespace lxss {

void FileRef::note(File* from, File* to) {
  for (File*& borrowed : Task::current().borrowed) {
    if (borrowed != from) continue;
    borrowed = to;
    return;
  }
}

FdTable::~FdTable() {
  // Of a share that nobody gave up by release(): a fork that failed.
  Process* process = Task::current().process.get();
  close_all(process ? *process : *kernel().init);
}

std::optional<FdTable::Place> FdTable::find(Fd fd) const {
  const usize number = static_cast<u32>(fd.value);
  const usize at = number / kChunkSize;
  if (at >= chunks_.size() || !chunks_[at]) return std::nullopt;
  const Place place{*chunks_[at], number % kChunkSize};
  if (!(place.chunk.used & place.bit())) return std::nullopt;
  return place;
}

FdTable::Place FdTable::place(usize number) {
  const usize at = number / kChunkSize;
  if (at >= chunks_.size()) chunks_.resize(at + 1);
  if (!chunks_[at]) chunks_[at] = std::make_unique<Chunk>();
  return {*chunks_[at], number % kChunkSize};
}

usize FdTable::lowest_free(usize from) const {
  for (usize at = from / kChunkSize; at < chunks_.size(); ++at) {
    u64 taken = chunks_[at] ? chunks_[at]->used : 0;
    if (at == from / kChunkSize) taken |= (u64{1} << from % kChunkSize) - 1;
    if (~taken) return at * kChunkSize + static_cast<usize>(std::countr_one(taken));
  }
  return std::max(from, chunks_.size() * kChunkSize);
}

RefPtr<File> FdTable::take(Place place, i32 number) {
  place.chunk.used &= ~place.bit();
  place.chunk.close_on_exec &= ~place.bit();
  lowest_free_ = std::min(lowest_free_, static_cast<usize>(number));
  return std::move(place.file());
}

void FdTable::closed(File& file, Process& process) {
  if (file.has_inode() && file.inode().locks) locks::release(file.inode(), this);
  file.descriptor_closed(process);
}

void FdTable::release(Process& process) {
  if (users_.fetch_sub(1, std::memory_order_acq_rel) == 1) close_all(process);
}

void FdTable::close_all(Process& process) {
  for (i32 number = next_used(0); number >= 0; number = next_used(number)) {
    RefPtr<File> file;
    {
      Lock::Held held(lock_);
      if (auto at = find(Fd{number})) file = take(*at, number);
    }
    if (file) closed(*file, process);
  }
}

/// The entry, for the only user or under the lock.
File* FdTable::peek(Fd fd) const LXSS_NO_THREAD_SAFETY_ANALYSIS {
  auto at = find(fd);
  return at ? at->file().get() : nullptr;
}

Result<FileRef> FdTable::borrow(Fd fd) const {
  if (!is_shared()) {
    if (File* file = peek(fd)) return FileRef::borrowed(*file);
    return Errno::kEBADF;
  }
  return FileRef::counted(TRY(get(fd)));
}

Result<FileRef> FdTable::borrow_io(Fd fd) const {
  FileRef file = TRY(borrow(fd));
  if (file->is_path_only()) return Errno::kEBADF;
  return file;
}

Result<RefPtr<File>> FdTable::get(Fd fd) const {
  Lock::Held held(lock_);
  auto at = find(fd);
  if (!at) return Errno::kEBADF;
  return at->file();
}

Result<RefPtr<File>> FdTable::get_io(Fd fd) const {
  RefPtr<File> file = TRY(get(fd));
  if (file->is_path_only()) return Errno::kEBADF;
  return file;
}

Result<Fd> FdTable::install(RefPtr<File> file, bool close_on_exec, u64 limit, i32 minimum) {
  const u64 end = std::min<u64>(limit, kMaxDescriptors);
  if (minimum < 0 || (minimum > 0 && static_cast<u64>(minimum) >= end)) return Errno::kEINVAL;
  if (!heap::has_room()) return Errno::kENFILE;
  Lock::Held held(lock_);
  const usize number = lowest_free(std::max(static_cast<usize>(minimum), lowest_free_));
  if (number >= end) return Errno::kEMFILE;
  const Place at = place(number);
  at.file() = std::move(file);
  at.chunk.used |= at.bit();
  if (close_on_exec) at.chunk.close_on_exec |= at.bit();
  if (static_cast<usize>(minimum) <= lowest_free_) lowest_free_ = number + 1;
  return Fd{static_cast<i32>(number)};
}

Result<> FdTable::install_at(Fd fd, RefPtr<File> file, bool close_on_exec, u64 limit) {
  if (fd.value < 0 || static_cast<u64>(fd.value) >= std::min<u64>(limit, kMaxDescriptors)) {
    return Errno::kEBADF;
  }
  RefPtr<File> old;
  {
    Lock::Held held(lock_);
    const Place at = place(static_cast<usize>(fd.value));
    old = std::exchange(at.file(), std::move(file));
    at.chunk.used |= at.bit();
    at.chunk.close_on_exec &= ~at.bit();
    if (close_on_exec) at.chunk.close_on_exec |= at.bit();
  }
  if (old) closed(*old, *Task::current().process);
  return {};
}

Result<RefPtr<File>> FdTable::remove(Fd fd) {
  RefPtr<File> file;
  {
    Lock::Held held(lock_);
    auto at = find(fd);
    if (!at) return Errno::kEBADF;
    file = take(*at, fd.value);
  }
  closed(*file, *Task::current().process);
  return file;
}

Result<bool> FdTable::close_on_exec(Fd fd) const {
  Lock::Held held(lock_);
  auto at = find(fd);
  if (!at) return Errno::kEBADF;
  return bool(at->chunk.close_on_exec & at->bit());
}

Result<> FdTable::set_close_on_exec(Fd fd, bool on) {
  Lock::Held held(lock_);
  auto at = find(fd);
  if (!at) return Errno::kEBADF;
  at->chunk.close_on_exec &= ~at->bit();
  if (on) at->chunk.close_on_exec |= at->bit();
  return {};
}

RefPtr<FdTable> FdTable::duplicate() const {
  auto copy = make_ref<FdTable>();
  Lock::Held held(lock_);
  usize end = chunks_.size();
  while (end > 0 && (!chunks_[end - 1] || chunks_[end - 1]->used == 0)) --end;
  copy->chunks_.resize(end);
  for (usize at = 0; at < end; ++at) {
    const Chunk* chunk = chunks_[at].get();
    if (!chunk || chunk->used == 0) continue;
    auto& made = copy->chunks_[at] = std::make_unique<Chunk>();
    made->used = chunk->used;
    made->close_on_exec = chunk->close_on_exec;
    for (u64 left = chunk->used; left; left &= left - 1) {
      const auto index = static_cast<usize>(std::countr_zero(left));
      made->files[index] = chunk->files[index];
    }
  }
  // Nobody else knows the copy.
  [&]() LXSS_NO_THREAD_SAFETY_ANALYSIS { copy->lowest_free_ = lowest_free_; }();
  return copy;
}

void FdTable::close_for_exec(Process&) {
  for (i32 number = next_used(0); number >= 0; number = next_used(number + 1)) {
    if (close_on_exec(Fd{number}).value_or(false)) (void)remove(Fd{number});
  }
}

i32 FdTable::end() const {
  Lock::Held held(lock_);
  return static_cast<i32>(chunks_.size() * kChunkSize);
}

i32 FdTable::next_used(i32 from) const {
  Lock::Held held(lock_);
  const auto first = static_cast<usize>(from) / kChunkSize;
  for (usize at = first; at < chunks_.size(); ++at) {
    if (!chunks_[at]) continue;
    u64 used = chunks_[at]->used;
    if (at == first) used &= ~u64{0} << static_cast<usize>(from) % kChunkSize;
    if (used) return static_cast<i32>(at * kChunkSize) + std::countr_zero(used);
  }
  return -1;
}

}  // namespace lxss
