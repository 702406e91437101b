#include "fs/volfs/volume.h"

#include <memory>

#include "abi/linux/magic.h"
#include "fs/volfs/volfs.h"
#include "lxcore/sync/kernel_lock.h"

namespace lxss::volfs {

namespace {

std::optional<InodeRecord> decode_read(const Result<usize>& size, const EncodedRecord& bytes) {
  // The host answers ENODATA for none, ERANGE for a longer one, EPERM for types that have no
  // attributes: none of them is an entry.
  if (!size.ok() || size.value() != bytes.size()) return std::nullopt;
  return decode(bytes);
}

}  // namespace

std::optional<InodeRecord> read_record(host::Fd directory, std::string_view name) {
  EncodedRecord bytes;
  return decode_read(host::get_attribute_at(directory, name, kInodeAttribute, bytes), bytes);
}

std::optional<InodeRecord> read_record(host::Fd file) {
  EncodedRecord bytes;
  return decode_read(host::get_attribute(file, kInodeAttribute, bytes), bytes);
}

bool fits(const InodeRecord& record, const abi::Stat& status) {
  return abi::is_directory(record.mode) ? abi::is_directory(status.st_mode)
                                        : abi::is_regular(status.st_mode);
}

Result<RefPtr<FileSystem>> mount(host::Fd root_directory, usize max_idle_descriptors) {
  abi::Stat status = TRY(host::status(root_directory));
  EncodedRecord bytes;
  auto size = host::get_attribute(root_directory, kInodeAttribute, bytes);
  if (size.is(Errno::kEOPNOTSUPP)) return Errno::kEOPNOTSUPP;
  auto record = decode_read(size, bytes);
  if (!record || !abi::is_directory(record->mode) || !fits(*record, status)) return Errno::kEINVAL;
  return RefPtr<FileSystem>(make_ref<Volume>(root_directory, status.st_dev, max_idle_descriptors));
}

// Programs ask statfs which file system they are on, to choose how to sync or lock: VolFs
// behaves like ext4 and says so there. Only /proc/mounts shows its own name.
Volume::Volume(host::Fd root, u64 root_device, usize max_idle)
    : HostTree("volfs", abi::kEXT4_SUPER_MAGIC, root, root_device, max_idle) {}

Result<RefPtr<Inode>> Volume::root() {
  abi::Stat status = TRY(host::status(root_descriptor()));
  if (HostInode* known = find(id_of(status))) return RefPtr<Inode>(known);
  auto record = read_record(root_descriptor());
  if (!record) return Errno::kEIO;
  auto inode = make_ref<VolInode>(*this, *record, status);
  set_root(*inode);
  return RefPtr<Inode>(std::move(inode));
}

Result<abi::Statfs> Volume::statistics() {
  abi::Statfs result = TRY(host::filesystem_status(root_descriptor()));
  result.f_type = magic();
  result.f_fsid = {{static_cast<i32>(device()), 0}};
  result.f_namelen = abi::kNAME_MAX;
  result.f_flags = 0;
  return result;
}

Result<> Volume::sync() {
  while (!unsynced_.empty()) unsynced_.front().set_synced();
  unsynced_forgotten_ = false;
  auto synced = [&] {
    KernelLock::Released released;
    return host::sync_filesystem(root_descriptor());
  }();
  if (!synced.ok()) unsynced_forgotten_ = true;
  return synced;
}

Result<> Volume::sync_creations() {
  if (unsynced_forgotten_ || unsynced_count_ > kSyncOneByOne) return sync();
  std::vector<HostHandle> handles;
  while (!unsynced_.empty()) {
    VolInode& inode = unsynced_.front();
    inode.set_synced();
    auto handle = inode.hold();
    if (!handle.ok()) {
      unsynced_forgotten_ = true;
      return handle.error();
    }
    handles.push_back(std::move(handle).value());
  }
  auto synced = [&]() -> Result<> {
    KernelLock::Released released;
    for (HostHandle& handle : handles) TRY(host::sync(handle.fd(), false));
    return {};
  }();
  if (!synced.ok()) unsynced_forgotten_ = true;
  return synced;
}

Result<RefPtr<VolInode>> Volume::find_entry(VolInode& directory, host::Fd directory_fd,
                                            std::string_view name) {
  abi::Stat status = TRY(host::status_at(directory_fd, name));
  RefPtr<VolInode> inode = static_cast<VolInode*>(find(id_of(status)));
  if (!inode) {
    auto record = read_record(directory_fd, name);
    if (!record || !fits(*record, status)) return Errno::kENOENT;
    inode = make_ref<VolInode>(*this, *record, status);
  }
  inode->add_name(directory, name);
  return inode;
}

Result<> Volume::remove_leftover(host::Fd directory, std::string_view name) {
  abi::Stat status = TRY(host::status_at(directory, name));
  auto record = read_record(directory, name);
  if (record && fits(*record, status)) return Errno::kEEXIST;
  // A directory without a record has not been seen by Linux, so nothing was put into it.
  return abi::is_directory(status.st_mode) ? host::remove_directory(directory, name)
                                           : host::remove_file(directory, name);
}

Result<> Volume::remove_leftovers(VolInode& directory) {
  HostHandle handle = TRY(directory.hold());
  host::UniqueFd listing =
      TRY(with_room([&] { return host::open_at(handle.fd(), ".", host::OpenMode::kDirectory); }));
  constexpr usize kBufferSize = 4096;
  auto buffer = std::make_unique<std::byte[]>(kBufferSize);
  bool removed = true;
  while (removed) {
    removed = false;
    TRY(host::seek_directory(listing.get(), 0));
    for (;;) {
      usize size = TRY(host::read_directory(listing.get(), {buffer.get(), kBufferSize}));
      if (size == 0) break;
      for (HostRecords at({buffer.get(), size}); !at.at_end(); at.next()) {
        if (at.name() == "." || at.name() == "..") continue;
        auto done = remove_leftover(handle.fd(), at.name());
        if (done.is(Errno::kEEXIST)) return Errno::kENOTEMPTY;
        TRY(std::move(done));
        removed = true;
      }
    }
  }
  return {};
}

}  // namespace lxss::volfs
