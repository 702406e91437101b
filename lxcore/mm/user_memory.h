// Guest memory of the current task. Nothing dereferences a guest address: copies go
// through here, are range-checked, and a fault is EFAULT. Each value is fetched once.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <type_traits>

#include "base/result.h"
#include "host/file.h"
#include "pico/pico.h"

namespace lxss {

Result<> copy_in(void* to, UserAddr from, usize size);
Result<> copy_out(UserAddr to, const void* from, usize size);
/// The number of bytes copied before the first that cannot be accessed.
usize copy_in_partial(void* to, UserAddr from, usize size);
usize copy_out_partial(UserAddr to, const void* from, usize size);
Result<> clear_user(UserAddr at, usize size);
/// A NUL-ended string of at most `limit` bytes without its NUL; ENAMETOOLONG if longer.
Result<std::string> copy_string_in(UserAddr from, usize limit);

template <typename T>
concept UserCopyable = std::is_trivially_copyable_v<T>;

/// An optional pointer argument; its type gives the direction.
template <UserCopyable T>
struct UserIn {
  UserAddr address;
  explicit operator bool() const { return bool(address); }
  Result<T> read(usize index = 0) const {
    T value;
    TRY(copy_in(&value, address + index * sizeof(T), sizeof(T)));
    return value;
  }
};

template <UserCopyable T>
struct UserOut {
  UserAddr address;
  explicit operator bool() const { return bool(address); }
  Result<> write(const T& value, usize index = 0) const {
    return copy_out(address + index * sizeof(T), &value, sizeof(T));
  }
};

template <UserCopyable T>
struct UserInOut {
  UserAddr address;
  explicit operator bool() const { return bool(address); }
  Result<T> read() const { return UserIn<T>{address}.read(); }
  Result<> write(const T& value) const { return UserOut<T>{address}.write(value); }
};

/// A path or name argument.
struct UserString {
  UserAddr address;
  explicit operator bool() const { return bool(address); }
  /// A path: ENAMETOOLONG from 4096 bytes on (with the NUL), EFAULT.
  Result<std::string> path() const { return copy_string_in(address, 4095); }
  Result<std::string> read(usize limit) const { return copy_string_in(address, limit); }
};

/// The memory of one read or write: pieces of guest memory, or of the kernel's own. Data is
/// taken from or put to its front; what was used is gone from it.
class IoBuffer {
 public:
  static constexpr usize kMaxPieces = 1024;       ///< IOV_MAX
  static constexpr usize kMaxBytes = 0x7ffff000;  ///< as Linux limits one transfer

  /// One piece of guest memory; EFAULT if it is not in guest space. Cut to kMaxBytes.
  static Result<IoBuffer> user(UserAddr address, usize size);
  /// A guest's iovec array; EINVAL for bad counts or sizes, EFAULT.
  static Result<IoBuffer> user_vector(UserAddr iov, usize count);
  /// Memory of the kernel.
  static IoBuffer kernel(void* data, usize size);
  static IoBuffer kernel(std::span<const std::byte> data) {
    return kernel(const_cast<std::byte*>(data.data()), data.size());
  }

  IoBuffer(IoBuffer&& other) noexcept;
  IoBuffer& operator=(IoBuffer&& other) noexcept;

  /// Bytes left.
  usize size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// Limits what is left to `size` bytes.
  void truncate(usize size);

  /// Copies into the buffer's front. Less than asked when guest memory faults; EFAULT if
  /// nothing could be copied.
  Result<usize> put(const void* data, usize size);
  Result<usize> put(std::string_view text) { return put(text.data(), text.size()); }
  Result<usize> put_zeros(usize size);
  /// Copies out of the buffer's front, likewise.
  Result<usize> take(void* data, usize size);

  /// The pieces themselves, for transfers by the host; then skip() what was transferred.
  std::span<const host::Buffer> pieces() const { return {pieces_ + first_, count_ - first_}; }
  void skip(usize size);

 private:
  IoBuffer() = default;
  template <typename Copy>
  Result<usize> transfer(usize size, Copy copy);

  // Few pieces inline; many in the heap.
  host::Buffer inline_[4] = {};
  std::unique_ptr<host::Buffer[]> allocated_;
  host::Buffer* pieces_ = nullptr;
  usize first_ = 0;
  usize count_ = 0;
  usize size_ = 0;
};

}  // namespace lxss
