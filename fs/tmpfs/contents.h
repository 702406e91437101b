// The bytes of a regular file in memory.
#pragma once

#include <string>

#include "abi/linux/fcntl.h"
#include "host/memory.h"
#include "lxcore/mm/user_memory.h"

namespace lxss::tmpfs {

/// What a file system may use. `used` may exceed `limit` by what guests touched through mappings.
struct Quota {
  u64 limit_pages = ~u64{0};
  u64 used_pages = 0;
};

/// Small files lie in the kernel's heap; at the first byte beyond, or when it is mapped, the
/// file gets a memory object of the host, because those are limited in number. Guarded by the
/// kernel lock, which reads and writes of the object give up; changes come one at a time (the
/// VFS holds the inode's write lock).
class Contents {
 public:
  /// Largest file without a memory object, in bytes.
  static constexpr usize kMaxInline = 2000;

  explicit Contents(Quota& quota) : quota_(quota) {}
  ~Contents() { charge(0); }

  u64 size() const { return size_; }
  u64 pages() const { return charged_; }
  /// Memory that guests touched through a mapping is found only by asking.
  void recount();

  Result<usize> read(IoBuffer& buffer, u64 offset);
  /// ENOSPC if nothing can be written.
  Result<usize> write(IoBuffer& buffer, u64 offset);
  Result<> resize(u64 size);
  /// man 2 fallocate.
  Result<> allocate(abi::FallocateFlags mode, u64 offset, u64 length);
  /// SEEK_DATA, SEEK_HOLE; ENXIO.
  Result<u64> seek_extent(u64 offset, i32 whence);
  /// For mmap.
  Result<host::Fd> object();

 private:
  Result<> use_object();
  void charge(u64 pages);
  u64 room() const {
    return quota_.limit_pages > quota_.used_pages ? quota_.limit_pages - quota_.used_pages : 0;
  }

  Quota& quota_;
  u64 size_ = 0;
  u64 charged_ = 0;  ///< pages
  std::string inline_;
  host::UniqueFd object_;
};

}  // namespace lxss::tmpfs
