// Open file descriptions on host files: data goes between guest memory and the host directly,
// without the kernel lock.
#pragma once

#include <vector>

#include "fs/host_tree/host_tree.h"

namespace lxss {

/// A regular file. O_APPEND writes go to the end atomically, and set `*offset` to where they
/// began. O_DIRECT is accepted and transfers like any other.
class HostFile : public File {
 public:
  explicit HostFile(Locking locking) : File(locking) {}
  bool seekable() const final { return true; }
  Result<usize> read(Task& task, IoBuffer& buffer, u64* offset) final;
  Result<usize> write(Task& task, IoBuffer& buffer, u64* offset) final;
  Result<u64> seek(i64 offset, i32 whence) final;
  Result<MapSource> map() final;
  Result<> sync(bool data_only) final;
  Result<> truncate(u64 size) final;
  Result<> allocate(i32 mode, u64 offset, u64 length) final;

 protected:
  virtual host::Fd fd() const = 0;
  virtual void data_was_read() {}
  /// Size, blocks or times of the host file may be others now.
  virtual void data_was_changed() {}
  virtual void will_be_mapped() {}
  /// More than the host's descriptor has to reach the disk.
  virtual bool needs_full_sync() { return false; }
  virtual void was_synced() {}
};

/// A directory. Positions are the host's own, so they stay good while entries come and go. The
/// caller holds position_lock.
class HostDirectoryFile : public File {
 public:
  explicit HostDirectoryFile(Locking locking) : File(locking) {}
  bool seekable() const final { return true; }
  Result<usize> read(Task&, IoBuffer&, u64*) final { return Errno::kEISDIR; }
  Result<usize> write(Task&, IoBuffer&, u64*) final { return Errno::kEBADF; }
  Result<u64> seek(i64 offset, i32 whence) final;
  Result<> read_directory(Task& task, u64 offset, DirectorySink& sink) final;

 protected:
  /// A descriptor of the directory of its own.
  virtual Result<host::UniqueFd> open_listing() = 0;
  /// Gives records that the host has just told the guest's types and numbers; d_ino 0 for
  /// those that are not to be shown. May give up the kernel lock.
  virtual void prepare(host::Fd listing, std::span<std::byte> records) = 0;
  /// The guest's name for the host's, by way of `storage` if it is another.
  virtual std::string_view shown_name(std::string_view host_name, std::string& /*storage*/) {
    return host_name;
  }

 private:
  static constexpr usize kBufferSize = 16384;
  Result<> fill(u64 offset);

  host::UniqueFd listing_;
  u64 host_position_ = 0;
  std::vector<std::byte> buffer_;
  usize begin_ = 0, end_ = 0;  ///< records not yet taken
  u64 buffer_position_ = 0;    ///< of the first of them
};

/// The records of a directory as the host tells them.
class HostRecords {
 public:
  explicit HostRecords(std::span<std::byte> bytes) : bytes_(bytes) {}
  bool at_end() const { return bytes_.empty(); }
  abi::Dirent64& record() const { return *reinterpret_cast<abi::Dirent64*>(bytes_.data()); }
  std::string_view name() const {
    return reinterpret_cast<const char*>(bytes_.data()) + abi::kDirent64NameOffset;
  }
  void next() { bytes_ = bytes_.subspan(record().d_reclen); }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace lxss
