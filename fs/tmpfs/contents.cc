#include "fs/tmpfs/contents.h"

#include <algorithm>
#include <cstring>

#include "abi/linux/fcntl.h"
#include "base/scope.h"
#include "lxcore/sync/kernel_lock.h"

namespace lxss::tmpfs {

namespace {
u64 pages_of(u64 size) { return page_ceil(size) / kPageSize; }
}  // namespace

bool Quota::take(u64 pages) {
  u64 used = used_.load(std::memory_order_relaxed);
  do {
    if (used > limit_ || pages > limit_ - used) return false;
  } while (!used_.compare_exchange_weak(used, used + pages, std::memory_order_relaxed));
  return true;
}

void Contents::charge(u64 pages) {
  quota_.change(charged_.exchange(pages, std::memory_order_relaxed), pages);
}

void Contents::recount() {
  const host::Fd fd = object();
  if (fd == host::kNoFd) return;
  auto status = host::status(fd);
  if (status.ok()) charge(static_cast<u64>(status->st_blocks) * 512 / kPageSize);
}

Result<> Contents::use_object() {
  if (has_object()) return {};
  host::UniqueFd object = TRY(host::create_memory_object("lxss-tmpfs"));
  [[gnu::uninitialized]] char bytes[kMaxInline];
  usize size;
  {
    Lock::Held held(lock_);
    size = inline_.size();
    std::memcpy(bytes, inline_.data(), size);
  }
  if (size != 0) {
    const host::Buffer data{reinterpret_cast<u64>(bytes), size};
    const usize written = TRY(host::write_at(object.get(), {&data, 1}, 0));
    if (written != size) return Errno::kENOSPC;
  }
  TRY(host::set_size(object.get(), size));
  object_ = std::move(object);
  std::string old;
  Lock::Held held(lock_);
  descriptor_.store(object_.get(), std::memory_order_release);
  old.swap(inline_);
  return {};
}

Result<usize> Contents::read(IoBuffer& buffer, u64 offset) {
  if (offset >= size() || buffer.empty()) return usize{0};
  if (!has_object()) {
    [[gnu::uninitialized]] char bytes[kMaxInline];
    usize size = 0;
    bool is_inline;
    {
      Lock::Held held(lock_);
      is_inline = !has_object();
      if (is_inline && offset < inline_.size()) {
        size = std::min<u64>(buffer.size(), inline_.size() - offset);
        std::memcpy(bytes, inline_.data() + offset, size);
      }
    }
    if (is_inline) return size == 0 ? Result<usize>(usize{0}) : buffer.put(bytes, size);
  }
  KernelLock::Released released;
  const usize done = TRY(host::read_at(object(), buffer.pieces(), offset));
  buffer.skip(done);
  return done;
}

Result<usize> Contents::write_inline(IoBuffer& buffer, u64 offset) {
  if (pages() == 0) {
    if (!quota_.take(1)) return Errno::kENOSPC;
    charged_.store(1, std::memory_order_relaxed);
  }
  [[gnu::uninitialized]] char bytes[kMaxInline];
  const usize done = TRY(buffer.take(bytes, buffer.size()));
  Lock::Held held(lock_);
  if (offset + done > inline_.size()) inline_.resize(offset + done);
  std::memcpy(inline_.data() + offset, bytes, done);
  size_.store(inline_.size(), std::memory_order_release);
  return done;
}

Result<> Contents::make_room(IoBuffer& buffer, u64 offset, u64& reserved) {
  const u64 most = pages_of(buffer.size()) + 1;
  if (quota_.take(most)) {
    reserved = most;
    return {};
  }
  recount();
  const u64 size = this->size(), charged = pages();
  const bool is_whole = charged >= pages_of(size);
  const u64 in_place = offset < size && is_whole ? size - offset : 0;
  const u64 page_rest = is_whole && page_floor(size) <= offset
                            ? page_ceil(std::max(offset, size)) - offset
                            : in_place;
  u64 room;
  do {
    room = std::min(quota_.room(), most);
  } while (!quota_.take(room) && room != 0);
  reserved = room;
  const u64 allowed = std::max(in_place, page_rest) + room * kPageSize;
  if (allowed == 0) return Errno::kENOSPC;
  if (allowed < buffer.size()) buffer.truncate(allowed);
  return {};
}

Result<usize> Contents::write(IoBuffer& buffer, u64 offset) {
  if (buffer.empty()) return usize{0};
  const u64 end = offset + buffer.size();
  if (!has_object() && end <= kMaxInline) return write_inline(buffer, offset);
  TRY(use_object());
  // Only bytes that may be in new pages count: those behind the end, or in holes.
  const bool may_grow = end > size() || pages() < pages_of(size());
  u64 reserved = 0;
  ScopeExit give_back([&] { quota_.change(reserved, 0); });
  if (may_grow) TRY(make_room(buffer, offset, reserved));
  KernelLock::Released released;
  const usize done = TRY(host::write_at(object(), buffer.pieces(), offset));
  buffer.skip(done);
  size_.store(std::max(size(), offset + done), std::memory_order_release);
  if (may_grow) recount();
  return done;
}

Result<> Contents::resize(u64 size) {
  if (size > kMaxInline) TRY(use_object());
  if (has_object()) {
    TRY(host::set_size(object(), size));
    const bool shrinks = size < this->size();
    size_.store(size, std::memory_order_release);
    if (shrinks) recount();
    return {};
  }
  {
    Lock::Held held(lock_);
    inline_.resize(size);
    size_.store(size, std::memory_order_release);
  }
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
  u64 reserved = 0;
  ScopeExit give_back([&] { quota_.change(reserved, 0); });
  if (!punch) {
    u64 most = pages_of(length);
    if (!quota_.take(most)) {
      recount();
      const u64 kept = std::min(pages(), pages_of(size()));
      const u64 wanted = pages_of(offset + length);
      most = wanted > kept ? wanted - kept : 0;
      if (!quota_.take(most)) return Errno::kENOSPC;
    }
    reserved = most;
  }
  {
    KernelLock::Released released;
    TRY(host::allocate(object(), static_cast<i32>(mode.raw()), offset, length));
  }
  if (!keep_size) size_.store(std::max(size(), offset + length), std::memory_order_release);
  recount();
  return {};
}

Result<u64> Contents::seek_extent(u64 offset, i32 whence) {
  const u64 size = this->size();
  if (offset >= size) return Errno::kENXIO;
  if (has_object()) return host::seek_extent(object(), offset, whence);
  return whence == abi::kSEEK_DATA ? offset : size;
}

}  // namespace lxss::tmpfs
