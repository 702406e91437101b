// The bytes of a regular file in memory.
#pragma once

#include <atomic>
#include <string>

#include "abi/linux/fcntl.h"
#include "host/memory.h"
#include "lxcore/mm/user_memory.h"
#include "lxcore/sync/lock.h"

namespace lxss::tmpfs {

/// What a file system may use, in pages. More may be in use than the limit by what guests touched
/// through mappings.
class Quota {
 public:
  explicit Quota(u64 limit) : limit_(limit) {}
  u64 limit() const { return limit_; }
  u64 room() const {
    const u64 used = used_.load(std::memory_order_relaxed);
    return limit_ > used ? limit_ - used : 0;
  }
  /// Takes them if there is room for all.
  bool take(u64 pages);
  /// `pages` instead of the `before` that were taken so far.
  void change(u64 before, u64 pages) { used_.fetch_add(pages - before, std::memory_order_relaxed); }

 private:
  const u64 limit_;
  std::atomic<u64> used_{0};
};

/// Small files lie in the kernel's heap; at the first byte beyond, or when it is mapped, the
/// file gets a memory object of the host, because those are limited in number. It keeps that.
///
/// Changes come one at a time, under the inode's change_lock; the rest may be called at any time.
class Contents {
 public:
  /// Largest file without a memory object, in bytes.
  static constexpr usize kMaxInline = 2000;

  explicit Contents(Quota& quota) : quota_(quota) {}
  ~Contents() { charge(0); }

  u64 size() const { return size_.load(std::memory_order_acquire); }
  u64 pages() const { return charged_.load(std::memory_order_relaxed); }
  /// Memory that guests touched through a mapping is found only by asking.
  void recount();

  Result<usize> read(IoBuffer& buffer, u64 offset);
  /// SEEK_DATA, SEEK_HOLE; ENXIO.
  Result<u64> seek_extent(u64 offset, i32 whence);
  /// For mmap: kNoFd while there is none.
  host::Fd object() const { return descriptor_.load(std::memory_order_acquire); }
  bool has_object() const { return object() != host::kNoFd; }

  // Changes.
  /// ENOSPC if nothing can be written.
  Result<usize> write(IoBuffer& buffer, u64 offset);
  Result<> resize(u64 size);
  /// man 2 fallocate.
  Result<> allocate(abi::FallocateFlags mode, u64 offset, u64 length);
  Result<> use_object();

 private:
  Result<usize> write_inline(IoBuffer& buffer, u64 offset);
  /// Limits what is written to what there is room for, which `reserved` is told.
  Result<> make_room(IoBuffer& buffer, u64 offset, u64& reserved);
  void charge(u64 pages);

  Quota& quota_;
  Lock lock_{LockRank::kLeaf};
  std::atomic<u64> size_{0};     ///< written by changes, of inline bytes under lock_ too
  std::atomic<u64> charged_{0};  ///< pages
  std::string inline_ LXSS_GUARDED_BY(lock_);      ///< all of the file while there is no object
  host::UniqueFd object_;                          ///< set once, by a change
  std::atomic<host::Fd> descriptor_{host::kNoFd};  ///< object_'s, once it is complete
};

}  // namespace lxss::tmpfs
