// Host files on Linux.
//
// Every path given to the host is one component, relative to a descriptor: no call can
// leave its directory, through ".." or through a symbolic link. (The one exception names
// an open descriptor.)
#include "host/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/uio.h>

#include <algorithm>
#include <charconv>

#include "abi/linux/poll.h"
#include "host/linux/controls.h"
#include "host/linux/syscall.h"

namespace lxss::host {

using sys::call;
using sys::check;
using sys::check_void;

// The host's structures are Linux's here; Buffer is its struct iovec.
static_assert(sizeof(Buffer) == sizeof(iovec));
static_assert(offsetof(Buffer, address) == offsetof(iovec, iov_base));
static_assert(offsetof(Buffer, size) == offsetof(iovec, iov_len));

namespace {

constexpr i64 kGetxattrat = 464;  // older headers do not have it
constexpr int kOpenFlags = O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;

template <usize kSize>
Result<const char*> terminate(std::string_view text, char (&buffer)[kSize]) {
  if (text.size() >= kSize) return Errno::kENAMETOOLONG;
  text.copy(buffer, text.size());
  buffer[text.size()] = '\0';
  return buffer;
}

/// A name with its final NUL; EINVAL for what is not a single component.
class Name {
 public:
  Result<const char*> of(std::string_view name) {
    if (name == ".." || std::ranges::any_of(name, [](char c) { return c == '/' || c == 0; })) {
      return Errno::kEINVAL;
    }
    return terminate(name, text_);
  }

 private:
  char text_[abi::kNAME_MAX + 1];
};

Result<UniqueFd> open(Fd directory, const char* name, int flags, u32 mode) {
  u64 fd = TRY(check(call(SYS_openat, directory.value, name, kOpenFlags | flags, mode)));
  return UniqueFd(Fd(static_cast<i32>(fd)));
}

/// A host path of a descriptor, for what the host does by path only.
struct DescriptorPath {
  explicit DescriptorPath(Fd fd) {
    constexpr std::string_view kPrefix = "/proc/self/fd/";
    kPrefix.copy(text, kPrefix.size());
    *std::to_chars(text + kPrefix.size(), std::end(text) - 1, fd.value).ptr = '\0';
  }
  char text[32];
};

/// Repeats a blocking call on a stream until it is done; the launcher may have handed over a
/// descriptor that is in non-blocking mode.
Result<usize> transfer(i64 number, Fd fd, std::span<const Buffer> buffers, i16 event) {
  for (;;) {
    auto done = check(sys::call_interruptible(number, fd.value, buffers.data(), buffers.size()));
    if (!done.is(Errno::kEAGAIN)) return done;
    abi::PollFd ready{fd.value, event, 0};
    TRY(check(sys::call_interruptible(SYS_ppoll, &ready, 1, nullptr, nullptr, 0)));
  }
}

}  // namespace

void close(Fd fd) {
  // In a table that all processes share, closing twice would close somebody else's file.
  // For the same reason an interruption does not repeat it: the descriptor is gone.
  LXSS_ASSERT(!check(sys::raw(SYS_close, sys::reg(fd.value))).is(Errno::kEBADF));
}

Result<UniqueFd> open_at(Fd directory, std::string_view name, OpenMode mode) {
  Name host_name;
  const char* text = TRY(host_name.of(name));
  // O_NONBLOCK: opening a FIFO of a drive must not wait. Regular files do not notice it.
  switch (mode) {
    case OpenMode::kReadOnly:
      return open(directory, text, O_RDONLY | O_NONBLOCK, 0);
    case OpenMode::kWriteOnly:
      return open(directory, text, O_WRONLY | O_NONBLOCK, 0);
    case OpenMode::kReadWrite:
      return open(directory, text, O_RDWR | O_NONBLOCK, 0);
    case OpenMode::kDirectory:
      break;
  }
  auto opened = open(directory, text, O_RDONLY | O_DIRECTORY, 0);
  if (!opened.is(Errno::kEACCES)) return opened;
  return open(directory, text, O_PATH | O_DIRECTORY, 0);
}

Result<UniqueFd> open_for_attributes(Fd directory, std::string_view name) {
  Name host_name;
  const char* text = TRY(host_name.of(name));
  auto opened = open(directory, text, O_RDONLY | O_NONBLOCK, 0);
  if (opened.is(Errno::kEACCES)) opened = open(directory, text, O_WRONLY | O_NONBLOCK, 0);
  // A symbolic link, a socket.
  if (opened.is(Errno::kELOOP) || opened.is(Errno::kENXIO)) return Errno::kEOPNOTSUPP;
  return opened;
}

Result<UniqueFd> create_at(Fd directory, std::string_view name, u32 host_mode) {
  Name host_name;
  return open(directory, TRY(host_name.of(name)), O_RDWR | O_CREAT | O_EXCL, host_mode);
}

Result<UniqueFd> create_unnamed(Fd directory, u32 host_mode) {
  auto created = open(directory, ".", O_RDWR | O_TMPFILE, host_mode);
  // A host file system that does not know O_TMPFILE sees an attempt to write a directory.
  if (created.is(Errno::kEISDIR)) return Errno::kENOTSUP;
  return created;
}

Result<> make_directory(Fd directory, std::string_view name, u32 host_mode) {
  Name host_name;
  return check_void(call(SYS_mkdirat, directory.value, TRY(host_name.of(name)), host_mode));
}

Result<> remove_file(Fd directory, std::string_view name) {
  Name host_name;
  return check_void(call(SYS_unlinkat, directory.value, TRY(host_name.of(name)), 0));
}

Result<> remove_directory(Fd directory, std::string_view name) {
  Name host_name;
  return check_void(call(SYS_unlinkat, directory.value, TRY(host_name.of(name)), AT_REMOVEDIR));
}

Result<> link(Fd old_directory, std::string_view old_name, Fd new_directory,
              std::string_view new_name) {
  Name host_old, host_new;
  return check_void(call(SYS_linkat, old_directory.value, TRY(host_old.of(old_name)),
                         new_directory.value, TRY(host_new.of(new_name)), 0));
}

Result<> link_open_file(Fd file, Fd directory, std::string_view name) {
  Name host_name;
  const char* text = TRY(host_name.of(name));
  auto linked = check_void(call(SYS_linkat, file.value, "", directory.value, text, AT_EMPTY_PATH));
  if (!linked.is(Errno::kENOENT)) return linked;
  // Older hosts reserve that form for the privileged, but not this one.
  DescriptorPath path(file);
  return check_void(
      call(SYS_linkat, AT_FDCWD, path.text, directory.value, text, AT_SYMLINK_FOLLOW));
}

Result<> rename(Fd old_directory, std::string_view old_name, Fd new_directory,
                std::string_view new_name, RenameMode mode) {
  Name host_old, host_new;
  return check_void(call(SYS_renameat2, old_directory.value, TRY(host_old.of(old_name)),
                         new_directory.value, TRY(host_new.of(new_name)), static_cast<u32>(mode)));
}

Result<> make_symlink(std::string_view target, Fd directory, std::string_view name) {
  char host_target[kMaxPath];
  Name host_name;
  return check_void(call(SYS_symlinkat, TRY(terminate(target, host_target)), directory.value,
                         TRY(host_name.of(name))));
}

Result<usize> read_symlink(Fd directory, std::string_view name, std::span<char> buffer) {
  Name host_name;
  return check(
      call(SYS_readlinkat, directory.value, TRY(host_name.of(name)), buffer.data(), buffer.size()));
}

Result<abi::Stat> status(Fd fd) {
  abi::Stat stat;
  TRY(check(call(SYS_fstat, fd.value, &stat)));
  return stat;
}

Result<abi::Stat> status_at(Fd directory, std::string_view name) {
  Name host_name;
  abi::Stat stat;
  TRY(check(call(SYS_newfstatat, directory.value, TRY(host_name.of(name)), &stat,
                 AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)));
  return stat;
}

Result<abi::Statfs> filesystem_status(Fd fd) {
  abi::Statfs statfs;
  TRY(check(call(SYS_fstatfs, fd.value, &statfs)));
  return statfs;
}

Result<usize> path_of(Fd directory, std::span<char> buffer) {
  DescriptorPath path(directory);
  return check(call(SYS_readlinkat, AT_FDCWD, path.text, buffer.data(), buffer.size()));
}

Result<> set_mode(Fd fd, u32 host_mode) {
  return check_void(call(SYS_fchmod, fd.value, host_mode));
}

Result<> set_owner(Fd fd, u32 uid, u32 gid) {
  return check_void(call(SYS_fchown, fd.value, uid, gid));
}

Result<> set_times(Fd fd, const abi::Timespec& access, const abi::Timespec& modification) {
  const abi::Timespec times[] = {access, modification};
  return check_void(call(SYS_utimensat, fd.value, nullptr, times, 0));
}

// A single buffer is by far the most frequent, and costs the host a fifth less by these calls.

Result<usize> read_at(Fd fd, std::span<const Buffer> buffers, u64 offset) {
  if (buffers.size() == 1) {
    return check(call(SYS_pread64, fd.value, buffers[0].address, buffers[0].size, offset));
  }
  return check(call(SYS_preadv, fd.value, buffers.data(), buffers.size(), offset, 0));
}

Result<usize> write_at(Fd fd, std::span<const Buffer> buffers, u64 offset) {
  if (buffers.size() == 1) {
    return check(call(SYS_pwrite64, fd.value, buffers[0].address, buffers[0].size, offset));
  }
  return check(call(SYS_pwritev, fd.value, buffers.data(), buffers.size(), offset, 0));
}

Result<usize> append(Fd fd, std::span<const Buffer> buffers) {
  return check(call(SYS_pwritev2, fd.value, buffers.data(), buffers.size(), 0, 0, RWF_APPEND));
}

Result<usize> copy_range(Fd from, u64 from_offset, Fd to, u64 to_offset, usize count) {
  return check(call(SYS_copy_file_range, from.value, &from_offset, to.value, &to_offset, count, 0));
}

Result<> set_size(Fd fd, u64 size) { return check_void(call(SYS_ftruncate, fd.value, size)); }

Result<> allocate(Fd fd, i32 mode, u64 offset, u64 length) {
  return check_void(call(SYS_fallocate, fd.value, mode, offset, length));
}

Result<u64> seek_extent(Fd fd, u64 offset, i32 whence) {
  if (whence != SEEK_DATA && whence != SEEK_HOLE) return Errno::kEINVAL;
  return check(call(SYS_lseek, fd.value, offset, whence));
}

Result<> sync(Fd fd, bool data_only) {
  return check_void(call(data_only ? SYS_fdatasync : SYS_fsync, fd.value));
}

Result<> sync_filesystem(Fd fd) { return check_void(call(SYS_syncfs, fd.value)); }

Result<> advise(Fd fd, u64 offset, u64 length, i32 advice) {
  return check_void(call(SYS_fadvise64, fd.value, offset, length, advice));
}

Result<usize> read_directory(Fd directory, std::span<std::byte> buffer) {
  auto size = check(call(SYS_getdents64, directory.value, buffer.data(), buffer.size()));
  // open_at()'s descriptor of a directory that may not be read.
  if (size.is(Errno::kEBADF)) return Errno::kEACCES;
  return size;
}

Result<> seek_directory(Fd directory, u64 offset) {
  return check_void(call(SYS_lseek, directory.value, offset, SEEK_SET));
}

Result<usize> get_attribute(Fd fd, const char* name, std::span<std::byte> value) {
  return check(call(SYS_fgetxattr, fd.value, name, value.data(), value.size()));
}

Result<usize> get_attribute_at(Fd directory, std::string_view name, const char* attribute,
                               std::span<std::byte> value) {
  Name host_name;
  const char* text = TRY(host_name.of(name));
  struct {  // struct xattr_args of Linux 6.13
    u64 value;
    u32 size;
    u32 flags;
  } arguments{reinterpret_cast<u64>(value.data()), static_cast<u32>(value.size()), 0};
  auto size = check(call(kGetxattrat, directory.value, text, AT_SYMLINK_NOFOLLOW, attribute,
                         &arguments, sizeof arguments));
  if (!size.is(Errno::kENOSYS)) return size;
  UniqueFd file = TRY(open(directory, text, O_RDONLY | O_NONBLOCK, 0));
  return get_attribute(file.get(), attribute, value);
}

Result<> set_attribute(Fd fd, const char* name, std::span<const std::byte> value, i32 flags) {
  return check_void(call(SYS_fsetxattr, fd.value, name, value.data(), value.size(), flags));
}

Result<> remove_attribute(Fd fd, const char* name) {
  return check_void(call(SYS_fremovexattr, fd.value, name));
}

Result<usize> list_attributes(Fd fd, std::span<char> names) {
  return check(call(SYS_flistxattr, fd.value, names.data(), names.size()));
}

Result<> lock_exclusively(Fd fd) {
  return check_void(call(SYS_flock, fd.value, LOCK_EX | LOCK_NB));
}

Result<usize> read_stream(Fd fd, std::span<const Buffer> buffers) {
  return transfer(SYS_readv, fd, buffers, static_cast<i16>(abi::PollFlag::kPOLLIN));
}

Result<usize> write_stream(Fd fd, std::span<const Buffer> buffers) {
  return transfer(SYS_writev, fd, buffers, static_cast<i16>(abi::PollFlag::kPOLLOUT));
}

Result<u64> seek_stream(Fd fd, i64 offset, i32 whence) {
  return check(call(SYS_lseek, fd.value, offset, whence));
}

Result<u64> control(Fd fd, u32 request, u64 argument) {
  if (std::ranges::find(kStreamControls, request) == std::end(kStreamControls)) {
    return Errno::kENOTTY;
  }
  return check(call(SYS_ioctl, fd.value, request, argument));
}

}  // namespace lxss::host
