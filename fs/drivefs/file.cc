#include "fs/drivefs/file.h"

#include "fs/drivefs/names.h"
#include "lxcore/sync/kernel_lock.h"

namespace lxss::drivefs {

DriveFile::DriveFile(RefPtr<DriveInode> inode, host::UniqueFd descriptor)
    : HostFile(Locking::kKernel), inode_(std::move(inode)), descriptor_(std::move(descriptor)) {
  inode_->files_.push_back(*this);
}

Result<> DriveDirectory::sync(bool data_only) {
  KernelLock::Released released;
  return host::sync(handle_.fd(), data_only);
}

Result<host::UniqueFd> DriveDirectory::open_listing() {
  return handle_.inode().tree().with_room(
      [&] { return host::open_at(handle_.fd(), ".", host::OpenMode::kDirectory); });
}

void DriveDirectory::prepare(host::Fd, std::span<std::byte> records) {
  HostInode& self = handle_.inode();
  for (HostRecords at(records); !at.at_end(); at.next()) {
    if (at.name() == ".") at.record().d_ino = self.number();
    if (at.name() == "..") {
      const auto above = self.any_name();
      at.record().d_ino = above ? above->directory->number() : self.number();
    }
  }
}

std::string_view DriveDirectory::shown_name(std::string_view host_name, std::string& storage) {
  return to_guest(host_name, storage);
}

Result<RefPtr<File>> DriveInode::open(Task&, abi::OpenFlags flags) {
  if (is_directory()) return RefPtr<File>(make_ref<DriveDirectory>(TRY(hold())));
  if (!is_regular()) return Errno::kENXIO;
  host::UniqueFd descriptor = take_descriptor();  // of the creation just before
  if (!descriptor) {
    Place place = TRY(this->place());
    const u32 access = flags.raw() & abi::kO_ACCMODE;
    const auto mode = access == 0   ? host::OpenMode::kReadOnly
                      : access == 1 ? host::OpenMode::kWriteOnly
                                    : host::OpenMode::kReadWrite;
    descriptor = TRY(
        tree().with_room([&] { return host::open_at(place.directory.fd(), place.name, mode); }));
    abi::Stat status = TRY(host::status(descriptor.get()));
    if (!is_same_file(status)) return Errno::kENOENT;
    TRY(check_filesystem(descriptor.get(), status.st_dev));
  }
  return RefPtr<File>(make_ref<DriveFile>(RefPtr<DriveInode>(*this), std::move(descriptor)));
}

}  // namespace lxss::drivefs
