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

Result<RefPtr<FileSystem>> mount(host::Fd root_directory, usize max_open_descriptors) {
  abi::Stat status = TRY(host::status(root_directory));
  EncodedRecord bytes;
  auto size = host::get_attribute(root_directory, kInodeAttribute, bytes);
  if (size.is(Errno::kEOPNOTSUPP)) return Errno::kEOPNOTSUPP;
  auto record = decode_read(size, bytes);
  if (!record || !abi::is_directory(record->mode) || !fits(*record, status)) return Errno::kEINVAL;
  return RefPtr<FileSystem>(make_ref<Volume>(root_directory, status.st_dev, max_open_descriptors));
}

// Programs ask statfs which file system they are on, to choose how to sync or lock: VolFs
// behaves like ext4 and says so there. Only /proc/mounts shows its own name.
Volume::Volume(host::Fd root, u64 root_device, usize max_open)
    : HostTree("volfs", abi::kEXT4_SUPER_MAGIC, root, root_device, max_open, Locking::kOwn) {}

Result<RefPtr<Inode>> Volume::root() {
  abi::Stat status = TRY(host::status(root_descriptor()));
  if (RefPtr<HostInode> known = find(id_of(status))) return RefPtr<Inode>(std::move(known));
  auto record = read_record(root_descriptor());
  if (!record) return Errno::kEIO;
  auto inode = make_ref<VolInode>(*this, *record, status);
  set_root(*inode);
  enter_new(*inode);
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
  {
    Lock::Held held(unsynced_lock_);
    while (!unsynced_.empty()) take_unsynced(unsynced_.front());
    unsynced_forgotten_ = false;
  }
  auto synced = [&] {
    KernelLock::Released released;
    return host::sync_filesystem(root_descriptor());
  }();
  if (!synced.ok()) forget_unsynced();
  return synced;
}

void Volume::take_unsynced(VolInode& inode) {
  if (!inode.ListNode<UnsyncedTag>::linked()) return;
  inode.ListNode<UnsyncedTag>::unlink();
  --unsynced_count_;
  inode.is_unsynced_.store(false, std::memory_order_release);
}

void Volume::forget_unsynced() {
  Lock::Held held(unsynced_lock_);
  unsynced_forgotten_ = true;
}

Result<> Volume::sync_creations() {
  RefPtr<VolInode> inodes[kSyncOneByOne];
  usize count = 0;
  bool all = false;
  {
    Lock::Held held(unsynced_lock_);
    all = unsynced_forgotten_ || unsynced_count_ > kSyncOneByOne;
    while (!all && !unsynced_.empty()) {
      VolInode& inode = unsynced_.front();
      take_unsynced(inode);
      // One that goes just now and has a name still counts among those forgotten.
      if (auto taken = RefPtr<VolInode>::try_take(&inode)) {
        inodes[count++] = std::move(taken);
      } else {
        unsynced_forgotten_ = all = true;
      }
    }
  }
  if (all) return sync();
  std::vector<HostHandle> handles;
  for (usize i = 0; i < count; ++i) {
    auto handle = inodes[i]->hold();
    // Removed meanwhile: there is nothing to keep.
    if (!handle.ok() && !inodes[i]->has_name()) continue;
    if (!handle.ok()) {
      forget_unsynced();
      return handle.error();
    }
    handles.push_back(std::move(handle).value());
  }
  auto synced = [&]() -> Result<> {
    KernelLock::Released released;
    for (HostHandle& handle : handles) TRY(host::sync(handle.fd(), false));
    return {};
  }();
  if (!synced.ok()) forget_unsynced();
  return synced;
}

Result<RefPtr<VolInode>> Volume::find_entry(VolInode& directory, host::Fd directory_fd,
                                            std::string_view name) {
  abi::Stat status = TRY(host::status_at(directory_fd, name));
  RefPtr<HostInode> found = find(id_of(status));
  if (!found) {
    auto record = read_record(directory_fd, name);
    if (!record || !fits(*record, status)) return Errno::kENOENT;
    found = enter(make_ref<VolInode>(*this, *record, status));
  }
  found->add_name(directory, name);
  return RefPtr<VolInode>(static_cast<VolInode*>(found.get()));
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
