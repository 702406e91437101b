// Host files. Names are single components, without NUL and not "..", else EINVAL; nothing
// here follows a symbolic link. Errors are Linux's, translated from the host's.
#pragma once

#include <span>
#include <string_view>

#include "abi/linux/stat.h"
#include "abi/linux/time.h"
#include "base/result.h"
#include "host/fd.h"

namespace lxss::host {

/// Longest target of a symbolic link, with its final NUL.
inline constexpr usize kMaxPath = 4096;

enum class OpenMode : u8 {
  kReadOnly,
  kWriteOnly,
  kReadWrite,
  kDirectory,  ///< a directory for lookups and listing; one that may only be searched, for lookups
};

/// Does not wait for the other end of a FIFO: for writing, ENXIO without a reader.
Result<UniqueFd> open_at(Fd directory, std::string_view name, OpenMode mode);
/// For set_mode() and set_times(): a confined process can change attributes in no other way.
/// EOPNOTSUPP for a symbolic link or a socket, EACCES for what may be neither read nor written.
Result<UniqueFd> open_for_attributes(Fd directory, std::string_view name);
/// Creates a regular file, empty; an existing one fails with EEXIST.
Result<UniqueFd> create_at(Fd directory, std::string_view name, u32 host_mode);
/// A file without a name in the file system of `directory`; ENOTSUP where the host has none.
Result<UniqueFd> create_unnamed(Fd directory, u32 host_mode);
Result<> make_directory(Fd directory, std::string_view name, u32 host_mode);
Result<> remove_file(Fd directory, std::string_view name);
Result<> remove_directory(Fd directory, std::string_view name);
Result<> link(Fd old_directory, std::string_view old_name, Fd new_directory,
              std::string_view new_name);
/// Gives an open file (of create_unnamed) a name. ENOENT where the host does not let an
/// unprivileged user do this (Linux before 6.10 without /proc), and for a removed file.
Result<> link_open_file(Fd file, Fd directory, std::string_view name);

enum class RenameMode : u32 { kReplace = 0, kNoReplace = 1, kExchange = 2 };
Result<> rename(Fd old_directory, std::string_view old_name, Fd new_directory,
                std::string_view new_name, RenameMode mode);
Result<> make_symlink(std::string_view target, Fd directory, std::string_view name);
/// The number of bytes put into `buffer`.
Result<usize> read_symlink(Fd directory, std::string_view name, std::span<char> buffer);

Result<abi::Stat> status(Fd fd);
Result<abi::Stat> status_at(Fd directory, std::string_view name);
Result<abi::Statfs> filesystem_status(Fd fd);
/// The absolute path of an open directory as the host's user knows it: its size. ENOENT where
/// the host does not tell.
Result<usize> path_of(Fd directory, std::span<char> buffer);
Result<> set_mode(Fd fd, u32 host_mode);
Result<> set_owner(Fd fd, u32 uid, u32 gid);
/// tv_nsec may be abi::kUTIME_NOW or kUTIME_OMIT.
Result<> set_times(Fd fd, const abi::Timespec& access, const abi::Timespec& modification);

/// A piece of memory for scattered input and output. Guest addresses are allowed:
/// the host answers EFAULT for those that are not accessible.
struct Buffer {
  u64 address;
  u64 size;
};
Result<usize> read_at(Fd fd, std::span<const Buffer> buffers, u64 offset);
Result<usize> write_at(Fd fd, std::span<const Buffer> buffers, u64 offset);
/// Writes at the end, wherever that is when the host gets to it.
Result<usize> append(Fd fd, std::span<const Buffer> buffers);
/// Moves bytes between files inside the host. EXDEV, EINVAL or ENOTSUP where it cannot: copy then.
Result<usize> copy_range(Fd from, u64 from_offset, Fd to, u64 to_offset, usize count);
Result<> set_size(Fd fd, u64 size);
/// `mode` is fallocate's (man 2 fallocate).
Result<> allocate(Fd fd, i32 mode, u64 offset, u64 length);
/// `whence` is SEEK_DATA or SEEK_HOLE.
Result<u64> seek_extent(Fd fd, u64 offset, i32 whence);
Result<> sync(Fd fd, bool data_only);
Result<> sync_filesystem(Fd fd);
Result<> advise(Fd fd, u64 offset, u64 length, i32 advice);

/// Reads directory entries as an array of abi::Dirent64 records; 0 at the end.
Result<usize> read_directory(Fd directory, std::span<std::byte> buffer);
/// Positions a directory at `offset`, an abi::Dirent64's d_off or 0.
Result<> seek_directory(Fd directory, u64 offset);

/// Extended attributes; `name` with its namespace, ended by a NUL.
Result<usize> get_attribute(Fd fd, const char* name, std::span<std::byte> value);
/// Of a file that is not open; `attribute` ended by a NUL.
Result<usize> get_attribute_at(Fd directory, std::string_view name, const char* attribute,
                               std::span<std::byte> value);
Result<> set_attribute(Fd fd, const char* name, std::span<const std::byte> value, i32 flags);
Result<> remove_attribute(Fd fd, const char* name);
Result<usize> list_attributes(Fd fd, std::span<char> names);

/// flock and open-file-description locks on a host file are the caller's business;
/// this takes the whole file for the life of the descriptor, or fails with EAGAIN.
Result<> lock_exclusively(Fd fd);

/// Streams: the launcher's pipes, files and terminals. These block, without
/// the kernel lock, until done or interrupted (EINTR).
Result<usize> read_stream(Fd fd, std::span<const Buffer> buffers);
Result<usize> write_stream(Fd fd, std::span<const Buffer> buffers);
/// Moves the position that read_stream and write_stream use, which the launcher's other programs
/// may share: the new one. `whence` is any of man 2 lseek; ESPIPE for what has no position.
Result<u64> seek_stream(Fd fd, i64 offset, i32 whence);
/// Device control that the stream's owner understands: TCGETS, TIOCGWINSZ, FIONREAD, TIOCOUTQ
/// with the address of the result; ENOTTY for any other.
Result<u64> control(Fd fd, u32 request, u64 argument);

}  // namespace lxss::host
