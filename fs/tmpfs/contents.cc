#include "fs/tmpfs/contents.h"

#include <algorithm>

#include "abi/linux/fcntl.h"
#include "lxcore/sync/kernel_lock.h"

namespace lxss::tmpfs {

namespace {
u64 pages_of(u64 size) { return page_ceil(size) / kPageSize; }
}  // namespace

void Contents::charge(u64 pages) {
  quota_.used_pages += pages - charged_;
  charged_ = pages;
}

void Contents::recount() {
  if (!object_) return;
  auto status = host::status(object_.get());
  if (status.ok()) charge(static_cast<u64>(status->st_blocks) * 512 / kPageSize);
}

Result<> Contents::use_object() {
  if (object_) return {};
  host::UniqueFd object = TRY(host::create_memory_object("lxss-tmpfs"));
  if (!inline_.empty()) {
    const host::Buffer data{reinterpret_cast<u64>(inline_.data()), inline_.size()};
    const usize written = TRY(host::write_at(object.get(), {&data, 1}, 0));
    if (written != inline_.size()) return Errno::kENOSPC;
  }
  TRY(host::set_size(object.get(), size_));
  object_ = std::move(object);
  inline_ = std::string();
  return {};
}

Result<host::Fd> Contents::object() {
  TRY(use_object());
  return object_.get();
}

Result<usize> Contents::read(IoBuffer& buffer, u64 offset) {
  if (offset >= size_ || buffer.empty()) return usize{0};
  if (!object_) {
    return buffer.put(inline_.data() + offset, std::min<u64>(buffer.size(), size_ - offset));
  }
  const host::Fd fd = object_.get();
  usize done;
  {
    KernelLock::Released released;
    done = TRY(host::read_at(fd, buffer.pieces(), offset));
  }
  buffer.skip(done);
  return done;
}

Result<usize> Contents::write(IoBuffer& buffer, u64 offset) {
  if (buffer.empty()) return usize{0};
  u64 end = offset + buffer.size();
  if (!object_ && end <= kMaxInline) {
    if (charged_ == 0) {
      if (room() == 0) return Errno::kENOSPC;
      charge(1);
    }
    if (end > size_) inline_.resize(end);
    auto done = buffer.take(inline_.data() + offset, buffer.size());
    size_ = std::max(size_, done.ok() ? offset + done.value() : 0);
    inline_.resize(size_);
    return done;
  }
  TRY(use_object());
  // Only bytes that may be in new pages count: those behind the end, or in holes.
  const bool may_grow = end > size_ || charged_ < pages_of(size_);
  if (may_grow && pages_of(buffer.size()) + 1 > room()) {
    recount();
    const u64 in_place = offset < size_ && charged_ >= pages_of(size_) ? size_ - offset : 0;
    const u64 page_rest = charged_ >= pages_of(size_) && page_floor(size_) <= offset
                              ? page_ceil(std::max(offset, size_)) - offset
                              : in_place;
    const u64 allowed = std::max(in_place, page_rest) + room() * kPageSize;
    if (allowed == 0) return Errno::kENOSPC;
    if (allowed < buffer.size()) buffer.truncate(allowed);
  }
  const host::Fd fd = object_.get();
  usize done;
  {
    KernelLock::Released released;
    done = TRY(host::write_at(fd, buffer.pieces(), offset));
  }
  buffer.skip(done);
  size_ = std::max(size_, offset + done);
  if (may_grow) recount();
  return done;
}

Result<> Contents::resize(u64 size) {
  if (!object_ && size > kMaxInline) TRY(use_object());
  if (object_) {
    TRY(host::set_size(object_.get(), size));
    const bool shrinks = size < size_;
    size_ = size;
    if (shrinks) recount();
    return {};
  }
  inline_.resize(size);
  size_ = size;
  charge(size == 0 ? 0 : 1);
  return {};
}

Result<> Contents::allocate(abi::FallocateFlags mode, u64 offset, u64 length) {
  using abi::FallocateFlag;
  const bool keep_size = mode.has(FallocateFlag::kFALLOC_FL_KEEP_SIZE);
  const bool punch = mode.has(FallocateFlag::kFALLOC_FL_PUNCH_HOLE);
  if (!mode.within(FallocateFlag::kFALLOC_FL_KEEP_SIZE | FallocateFlag::kFALLOC_FL_PUNCH_HOLE)) {
    return Errno::kEOPNOTSUPP;
  }
  if (punch && !keep_size) return Errno::kEOPNOTSUPP;
  TRY(use_object());
  if (!punch && pages_of(length) > room()) {
    recount();
    const u64 kept = std::min(charged_, pages_of(size_));
    if (pages_of(offset + length) > kept + room()) return Errno::kENOSPC;
  }
  const host::Fd fd = object_.get();
  {
    KernelLock::Released released;
    TRY(host::allocate(fd, static_cast<i32>(mode.raw()), offset, length));
  }
  if (!keep_size) size_ = std::max(size_, offset + length);
  recount();
  return {};
}

Result<u64> Contents::seek_extent(u64 offset, i32 whence) {
  if (offset >= size_) return Errno::kENXIO;
  if (object_) return host::seek_extent(object_.get(), offset, whence);
  return whence == abi::kSEEK_DATA ? offset : size_;
}

}  // namespace lxss::tmpfs
