#include "fs/host_tree/host_file.h"

#include "lxcore/sync/kernel_lock.h"
#include "lxcore/vfs/vfs.h"

namespace lxss {

Result<usize> HostFile::read(Task&, IoBuffer& buffer, u64* offset) {
  if (buffer.empty()) return usize{0};
  auto done = [&] {
    KernelLock::Released released;
    return host::read_at(fd(), buffer.pieces(), *offset);
  }();
  if (!done.ok()) return done;
  buffer.skip(*done);
  data_was_read();
  return done;
}

Result<usize> HostFile::write(Task& task, IoBuffer& buffer, u64* offset) {
  using abi::OpenFlag;
  if (buffer.empty()) return usize{0};
  if (auto permissions = vfs::permissions_after_write(task, inode())) {
    AttributeChange change;
    change.permissions = *permissions;
    TRY(inode().set_attributes(change));
  }
  const bool at_end = flags().has(OpenFlag::kO_APPEND);
  const bool synchronous = flags().has(OpenFlag::kO_DSYNC);
  const bool sync_all = flags().has(OpenFlag::kO_SYNC) || needs_full_sync();
  auto done = [&]() -> Result<usize> {
    KernelLock::Released released;
    const host::Fd file = fd();
    usize count = TRY(at_end ? host::append(file, buffer.pieces())
                             : host::write_at(file, buffer.pieces(), *offset));
    if (at_end) *offset = static_cast<u64>(TRY(host::status(file)).st_size) - count;
    if (synchronous) TRY(host::sync(file, !sync_all));
    return count;
  }();
  data_was_changed();
  if (done.ok()) buffer.skip(*done);
  return done;
}

Result<u64> HostFile::seek(i64 offset, i32 whence) {
  if (whence != abi::kSEEK_DATA && whence != abi::kSEEK_HOLE) return File::seek(offset, whence);
  if (offset < 0) return Errno::kENXIO;
  return host::seek_extent(fd(), static_cast<u64>(offset), whence);
}

Result<MapSource> HostFile::map() {
  will_be_mapped();
  return MapSource{fd()};
}

Result<> HostFile::sync(bool data_only) {
  const bool full = !data_only || needs_full_sync();
  auto synced = [&] {
    KernelLock::Released released;
    return host::sync(fd(), !full);
  }();
  if (synced.ok() && full) was_synced();
  return synced;
}

Result<> HostFile::truncate(u64 size) {
  auto done = [&] {
    KernelLock::Released released;
    return host::set_size(fd(), size);
  }();
  data_was_changed();
  return done;
}

Result<> HostFile::allocate(i32 mode, u64 offset, u64 length) {
  auto done = [&] {
    KernelLock::Released released;
    return host::allocate(fd(), mode, offset, length);
  }();
  data_was_changed();
  return done;
}

Result<u64> HostDirectoryFile::seek(i64 offset, i32 whence) {
  if (whence == abi::kSEEK_CUR && offset == 0) return position;
  if (whence != abi::kSEEK_SET || offset < 0) return Errno::kEINVAL;
  return static_cast<u64>(offset);
}

Result<> HostDirectoryFile::fill(u64 offset) {
  if (!listing_) listing_ = TRY(open_listing());
  buffer_.resize(kBufferSize);
  begin_ = end_ = 0;
  usize size;
  {
    KernelLock::Released released;
    if (host_position_ != offset || offset == 0) {
      TRY(host::seek_directory(listing_.get(), offset));
      host_position_ = offset;
    }
    size = TRY(host::read_directory(listing_.get(), buffer_));
  }
  if (size == 0) return {};
  std::span<std::byte> records(buffer_.data(), size);
  for (HostRecords at(records); !at.at_end(); at.next()) {
    host_position_ = static_cast<u64>(at.record().d_off);
  }
  prepare(listing_.get(), records);
  end_ = size;
  buffer_position_ = offset;
  return {};
}

Result<> HostDirectoryFile::read_directory(Task&, u64 offset, DirectorySink& sink) {
  const bool goes_on = begin_ < end_ && offset != 0 && offset == buffer_position_;
  if (!goes_on) TRY(fill(offset));
  while (begin_ < end_) {
    HostRecords at({buffer_.data() + begin_, end_ - begin_});
    const abi::Dirent64& record = at.record();
    const u64 next = static_cast<u64>(record.d_off);
    std::string storage;
    std::string_view name = record.d_ino ? shown_name(at.name(), storage) : std::string_view{};
    if (!name.empty() && name.size() <= abi::kNAME_MAX &&
        !sink.add(name, record.d_ino, record.d_type, next)) {
      return {};
    }
    begin_ += record.d_reclen;
    buffer_position_ = next;
    if (begin_ == end_) TRY(fill(next));
  }
  buffer_ = {};
  return {};
}

}  // namespace lxss
