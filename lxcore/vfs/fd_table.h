// Descriptor tables (man 2 open, man 2 dup). A table is shared by the tasks of CLONE_FILES.
#pragma once

#include <memory>
#include <vector>

#include "lxcore/vfs/file.h"

namespace lxss {

/// A File for the length of a call: counted, or borrowed from a table that nobody else changes.
/// Converts to a RefPtr for whoever keeps it.
class [[nodiscard]] FileRef {
 public:
  static FileRef borrowed(File& file) { return FileRef(file, false); }
  static FileRef counted(RefPtr<File> file) {
    note(nullptr, file.get());
    return FileRef(*file.leak(), true);
  }
  FileRef(FileRef&& other) noexcept
      : file_(std::exchange(other.file_, nullptr)), counted_(other.counted_) {}
  FileRef& operator=(FileRef&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(counted_, other.counted_);
    return *this;
  }
  ~FileRef() {
    if (!file_ || !counted_) return;
    note(file_, nullptr);
    file_->unref();
  }

  File* get() const { return file_; }
  File& operator*() const { return *file_; }
  File* operator->() const { return file_; }
  operator RefPtr<File>() const { return RefPtr<File>(file_); }

 private:
  FileRef(File& file, bool counted) : file_(&file), counted_(counted) {}
  /// Changes an entry of Task::borrowed, so that the count is undone should the host kill the task.
  static void note(File* from, File* to);

  File* file_;
  bool counted_;
};

/// The table itself is in two levels, so that a high number costs little. Safe without any lock of
/// the caller's.
class FdTable final : public RefCounted {
 public:
  FdTable() = default;
  ~FdTable() override;
  static constexpr i32 kMaxDescriptors = 1 << 20;  ///< fs.nr_open

  /// EBADF if there is none.
  Result<RefPtr<File>> get(Fd fd) const;
  /// As get(), but an O_PATH descriptor is EBADF too.
  Result<RefPtr<File>> get_io(Fd fd) const;
  /// The same for a call of a task that uses the table, without counting where it is the only one.
  Result<FileRef> borrow(Fd fd) const;
  Result<FileRef> borrow_io(Fd fd) const;
  /// The lowest free number not below `minimum`; EMFILE at `limit` (RLIMIT_NOFILE), EINVAL if
  /// the minimum is not below it.
  Result<Fd> install(RefPtr<File> file, bool close_on_exec, u64 limit, i32 minimum = 0);
  /// Puts it at `fd`, closing what was there.
  Result<> install_at(Fd fd, RefPtr<File> file, bool close_on_exec, u64 limit);
  /// EBADF. The file is handed back, so that the caller releases it. Like everything here that
  /// closes, it lets go of the table's record locks on the file (man 2 fcntl).
  Result<RefPtr<File>> remove(Fd fd);
  Result<bool> close_on_exec(Fd fd) const;
  Result<> set_close_on_exec(Fd fd, bool on);
  /// A copy for fork, with one user.
  RefPtr<FdTable> duplicate() const;
  void close_for_exec(Process& process);

  /// A task more uses the table (CLONE_FILES).
  void share() { users_.fetch_add(1, std::memory_order_relaxed); }
  /// More tasks than one use it.
  bool is_shared() const { return users_.load(std::memory_order_acquire) > 1; }
  /// A task gives up its share of the table (exit): with the last share all files are closed.
  void release(Process& process);

  /// Closes what is left, when the last user gave up its share and the host killed it then.
  void close_all(Process& process);
  u32 users() const { return users_.load(std::memory_order_acquire); }
  /// The host thread that changes or reads it, 0 for none.
  i32 lock_owner() const { return lock_.owner(); }

  /// Above all numbers in use; a multiple of 64.
  i32 end() const;
  /// The lowest used number that is not below `from`; -1 if there is none.
  i32 next_used(i32 from) const;

 private:
  static constexpr usize kChunkSize = 64;
  struct Chunk {
    u64 used = 0, close_on_exec = 0;  ///< by number, bit 0 the lowest
    RefPtr<File> files[kChunkSize];
  };
  struct Place {
    Chunk& chunk;
    usize index;
    u64 bit() const { return u64{1} << index; }
    RefPtr<File>& file() const { return chunk.files[index]; }
  };
  /// Of a number in use.
  std::optional<Place> find(Fd fd) const LXSS_REQUIRES(lock_);
  /// Of any number; the chunk is made.
  Place place(usize number) LXSS_REQUIRES(lock_);
  usize lowest_free(usize from) const LXSS_REQUIRES(lock_);
  RefPtr<File> take(Place place, i32 number) LXSS_REQUIRES(lock_);
  File* peek(Fd fd) const;
  /// What Linux does for each descriptor that is closed.
  void closed(File& file, Process& process);

  mutable Lock lock_{LockRank::kDescriptors};
  /// Changed by its users under the lock; the only user reads without it.
  std::vector<std::unique_ptr<Chunk>> chunks_;
  usize lowest_free_ LXSS_GUARDED_BY(lock_) = 0;  ///< no free number lies below
  std::atomic<u32> users_{1};
};

}  // namespace lxss
