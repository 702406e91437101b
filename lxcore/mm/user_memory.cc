#include "lxcore/mm/user_memory.h"

#include <algorithm>
#include <memory>

#include "abi/linux/uio.h"

namespace lxss {

namespace {

/// Bytes of [address, address + size) before the first that is not guest space.
usize user_prefix(u64 address, usize size) {
  if (pico::is_user_range(address, size)) return size;
  u64 end = address < pico::kWindowBegin ? pico::kWindowBegin : pico::kUserEnd;
  if (address >= end || (address >= pico::kWindowBegin && address < pico::kWindowEnd)) return 0;
  return std::min<u64>(size, end - address);
}

}  // namespace

usize copy_in_partial(void* to, UserAddr from, usize size) {
  usize allowed = user_prefix(from.value, size);
  return allowed - pico::copy_user(to, reinterpret_cast<const void*>(from.value), allowed);
}

usize copy_out_partial(UserAddr to, const void* from, usize size) {
  usize allowed = user_prefix(to.value, size);
  return allowed - pico::copy_user(reinterpret_cast<void*>(to.value), from, allowed);
}

Result<> copy_in(void* to, UserAddr from, usize size) {
  if (copy_in_partial(to, from, size) != size) return Errno::kEFAULT;
  return {};
}

Result<> copy_out(UserAddr to, const void* from, usize size) {
  if (copy_out_partial(to, from, size) != size) return Errno::kEFAULT;
  return {};
}

Result<> clear_user(UserAddr at, usize size) {
  static constexpr std::byte kZeros[512] = {};
  while (size != 0) {
    usize part = std::min(size, sizeof kZeros);
    TRY(copy_out(at, kZeros, part));
    at = at + part;
    size -= part;
  }
  return {};
}

Result<std::string> copy_string_in(UserAddr from, usize limit) {
  std::string text;
  char chunk[256];
  for (;;) {
    // Pieces end at page boundaries: the string may end just before unmapped memory.
    usize part = std::min<usize>(sizeof chunk, kPageSize - from.value % kPageSize);
    usize got = copy_in_partial(chunk, from, part);
    usize length = 0;
    while (length < got && chunk[length]) ++length;
    text.append(chunk, length);
    if (text.size() > limit) return Errno::kENAMETOOLONG;
    if (length < got) return text;
    if (got < part) return Errno::kEFAULT;
    from = from + part;
  }
}

Result<IoBuffer> IoBuffer::user(UserAddr address, usize size) {
  size = std::min(size, kMaxBytes);
  if (!pico::is_user_range(address.value, size)) return Errno::kEFAULT;
  return kernel(reinterpret_cast<void*>(address.value), size);
}

Result<IoBuffer> IoBuffer::user_vector(UserAddr iov, usize count) {
  if (count > kMaxPieces) return Errno::kEINVAL;
  IoBuffer buffer;
  buffer.pieces_ = buffer.inline_;
  if (count > std::size(buffer.inline_)) {
    buffer.allocated_ = std::make_unique<host::Buffer[]>(count);
    buffer.pieces_ = buffer.allocated_.get();
  }
  static_assert(sizeof(abi::IoVec) == sizeof(host::Buffer));
  TRY(copy_in(buffer.pieces_, iov, count * sizeof(host::Buffer)));
  buffer.count_ = count;
  for (usize i = 0; i < count; ++i) {
    host::Buffer& piece = buffer.pieces_[i];
    if (static_cast<i64>(piece.size) < 0) return Errno::kEINVAL;
    if (!pico::is_user_range(piece.address, piece.size)) return Errno::kEFAULT;
    piece.size = std::min<u64>(piece.size, kMaxBytes - buffer.size_);
    buffer.size_ += piece.size;
  }
  return buffer;
}

IoBuffer IoBuffer::kernel(void* data, usize size) {
  IoBuffer buffer;
  buffer.pieces_ = buffer.inline_;
  buffer.inline_[0] = {reinterpret_cast<u64>(data), size};
  buffer.count_ = 1;
  buffer.size_ = size;
  return buffer;
}

IoBuffer::IoBuffer(IoBuffer&& other) noexcept { *this = std::move(other); }

IoBuffer& IoBuffer::operator=(IoBuffer&& other) noexcept {
  std::copy(std::begin(other.inline_), std::end(other.inline_), inline_);
  allocated_ = std::move(other.allocated_);
  pieces_ = allocated_ ? allocated_.get() : inline_;
  first_ = other.first_;
  count_ = other.count_;
  size_ = other.size_;
  other.pieces_ = other.inline_;
  other.first_ = other.count_ = other.size_ = 0;
  return *this;
}

void IoBuffer::truncate(usize size) {
  if (size >= size_) return;
  size_ = size;
  for (usize i = first_; i < count_; ++i) {
    if (size <= pieces_[i].size) {
      pieces_[i].size = size;
      count_ = i + 1;
      return;
    }
    size -= pieces_[i].size;
  }
}

void IoBuffer::skip(usize size) {
  LXSS_ASSERT(size <= size_);
  size_ -= size;
  while (first_ < count_ && size >= pieces_[first_].size) size -= pieces_[first_++].size;
  if (size != 0) {
    pieces_[first_].address += size;
    pieces_[first_].size -= size;
  }
}

template <typename Copy>
Result<usize> IoBuffer::transfer(usize size, Copy copy) {
  size = std::min(size, size_);
  usize done = 0;
  while (done < size) {
    const host::Buffer& piece = pieces_[first_];
    usize part = std::min<usize>(size - done, piece.size);
    if (part == 0) {
      ++first_;
      continue;
    }
    usize copied = part - copy(reinterpret_cast<void*>(piece.address), done, part);
    skip(copied);
    done += copied;
    if (copied < part) {
      if (done == 0) return Errno::kEFAULT;
      break;
    }
  }
  return done;
}

Result<usize> IoBuffer::put(const void* data, usize size) {
  return transfer(size, [data](void* piece, usize done, usize part) {
    return pico::copy_user(piece, static_cast<const std::byte*>(data) + done, part);
  });
}

Result<usize> IoBuffer::take(void* data, usize size) {
  return transfer(size, [data](void* piece, usize done, usize part) {
    return pico::copy_user(static_cast<std::byte*>(data) + done, piece, part);
  });
}

Result<usize> IoBuffer::put_zeros(usize size) {
  static constexpr std::byte kZeros[1024] = {};
  return transfer(size, [](void* piece, usize, usize part) {
    usize left = part;
    while (left != 0) {
      usize chunk = std::min(left, sizeof kZeros);
      usize missing = pico::copy_user(piece, kZeros, chunk);
      left -= chunk - missing;
      if (missing) break;
      piece = static_cast<std::byte*>(piece) + chunk;
    }
    return left;
  });
}

}  // namespace lxss
