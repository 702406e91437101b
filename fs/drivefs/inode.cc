// Attributes of drive files: always what the host says now.
#include "abi/linux/magic.h"
#include "fs/drivefs/drive.h"
#include "fs/drivefs/file.h"
#include "fs/drivefs/names.h"
#include "lxcore/sync/kernel_lock.h"

#include <algorithm>
#include <iterator>

namespace lxss::drivefs {

namespace {

constexpr i64 kPseudoFileSystems[] = {
    abi::kPROC_SUPER_MAGIC,   abi::kSYSFS_MAGIC,         abi::kDEVPTS_SUPER_MAGIC,
    abi::kCGROUP_SUPER_MAGIC, abi::kCGROUP2_SUPER_MAGIC, abi::kDEBUGFS_MAGIC,
    abi::kTRACEFS_MAGIC,      abi::kSECURITYFS_MAGIC,    abi::kBPF_FS_MAGIC,
    abi::kMQUEUE_MAGIC,       abi::kNSFS_MAGIC,          abi::kBINFMTFS_MAGIC,
    abi::kPID_FS_MAGIC,       abi::kPIPEFS_MAGIC,        abi::kSOCKFS_MAGIC};

}  // namespace

DriveInode::DriveInode(Drive& drive, const abi::Stat& status)
    : HostInode(drive, status, drive.shown_number(status), drive.shown_mode(status),
                drive.drive().uid, drive.drive().gid, status.st_rdev) {}

void DriveInode::update(const abi::Stat& status) { set_mode(drive().shown_mode(status)); }

void DriveInode::note_name(DriveInode& directory, std::string_view name, u64 links) {
  // Names that the host has taken away since must not pile up.
  if (is_directory() || name_count() >= links) forget_names();
  add_name(directory, name);
}

Result<> DriveInode::check_filesystem(host::Fd file, u64 device) const {
  if (device == drive().root_device()) return {};
  abi::Statfs filesystem = TRY(host::filesystem_status(file));
  if (std::ranges::find(kPseudoFileSystems, filesystem.f_type) != std::end(kPseudoFileSystems)) {
    return Errno::kEACCES;
  }
  return {};
}

Result<> DriveInode::opened(host::Fd directory) {
  abi::Stat status = TRY(host::status(directory));
  if (!is_same_file(status)) return Errno::kENOENT;
  return check_filesystem(directory, status.st_dev);
}

Result<DriveInode::Place> DriveInode::place() {
  while (auto found = any_name()) {
    HostName known = std::move(*found);
    HostHandle directory = TRY(known.directory->hold());
    auto status = host::status_at(directory.fd(), known.name);
    if (status.ok() && is_same_file(*status)) {
      return Place{std::move(directory), std::move(known.name), *status};
    }
    if (!status.ok() && !status.is(Errno::kENOENT)) return status.error();
    remove_name(*known.directory, known.name);
  }
  return Errno::kENOENT;
}

Result<abi::Stat> DriveInode::status() {
  abi::Stat result{};
  if (!files_.empty()) {
    result = TRY(host::status(files_.front().host_descriptor()));
  } else if (HostHandle open = hold_if_open()) {
    result = TRY(host::status(open.fd()));
  } else {
    result = TRY(place()).status;
  }
  update(result);
  return result;
}

Result<Attributes> DriveInode::attributes() {
  abi::Stat status = TRY(this->status());
  Attributes result;
  result.number = number();
  result.mode = mode();
  result.links = static_cast<u32>(status.st_nlink);
  result.uid = uid();
  result.gid = gid();
  result.rdev = rdev();
  result.size = static_cast<u64>(status.st_size);
  // The length of the target that the guest reads.
  if (is_symlink()) result.size = TRY(read_link()).size();
  result.blocks = static_cast<u64>(status.st_blocks);
  result.block_size = static_cast<u32>(status.st_blksize);
  result.accessed = status.st_atim;
  result.modified = status.st_mtim;
  result.changed = status.st_ctim;
  return result;
}

Result<host::UniqueFd> DriveInode::open_for_attributes() {
  // Opening a device may do more than the guest asked for.
  if (abi::is_char_device(mode()) || abi::is_block_device(mode())) return Errno::kEACCES;
  Place place = TRY(this->place());
  return tree().with_room(
      [&] { return host::open_for_attributes(place.directory.fd(), place.name); });
}

Result<> DriveInode::change_permissions(u32 permissions) {
  abi::Stat status = TRY(this->status());
  // Not shown, so not set either; and what the guest does not see stays as it is.
  if (permissions & ~abi::kS_IRWXUGO) return Errno::kEPERM;
  const u32 hidden = ~abi::kS_IRWXUGO | drive().hidden_permissions(is_directory());
  const u32 host_mode = (status.st_mode & abi::kS_IALLUGO & hidden) | (permissions & ~hidden);
  if (!files_.empty()) {
    TRY(host::set_mode(files_.front().host_descriptor(), host_mode));
  } else if (has_name()) {
    TRY(host::set_mode(TRY(open_for_attributes()).get(), host_mode));
  } else {
    HostHandle handle = TRY(hold());
    TRY(host::set_mode(handle.fd(), host_mode));
  }
  status.st_mode = (status.st_mode & abi::kS_IFMT) | host_mode;
  update(status);
  return {};
}

Result<> DriveInode::set_attributes(const AttributeChange& change) {
  if ((change.uid && *change.uid != uid()) || (change.gid && *change.gid != gid())) {
    return Errno::kEPERM;
  }
  if (change.size) {
    Place place = TRY(this->place());
    host::UniqueFd file = TRY(tree().with_room([&] {
      return host::open_at(place.directory.fd(), place.name, host::OpenMode::kWriteOnly);
    }));
    if (!is_same_file(TRY(host::status(file.get())))) return Errno::kENOENT;
    KernelLock::Released released;
    TRY(host::set_size(file.get(), *change.size));
  }
  if (change.permissions) TRY(change_permissions(*change.permissions));
  if (change.accessed || change.modified) {
    const abi::Timespec omit{0, abi::kUTIME_OMIT};
    const abi::Timespec accessed = change.accessed.value_or(omit);
    const abi::Timespec modified = change.modified.value_or(omit);
    if (!files_.empty()) {
      return host::set_times(files_.front().host_descriptor(), accessed, modified);
    }
    if (!has_name()) {
      HostHandle handle = TRY(hold());
      return host::set_times(handle.fd(), accessed, modified);
    }
    return host::set_times(TRY(open_for_attributes()).get(), accessed, modified);
  }
  return {};
}

Result<std::string> DriveInode::read_link() {
  if (!is_symlink()) return Errno::kEINVAL;
  Place place = TRY(this->place());
  std::string target(host::kMaxPath, '\0');
  target.resize(TRY(host::read_symlink(place.directory.fd(), place.name, target)));
  return drive().shown_target(std::move(target));
}

bool DriveInode::still_named(Inode& directory, std::string_view name) {
  auto& parent = static_cast<DriveInode&>(directory);
  auto handle = parent.hold();
  if (!handle.ok()) return false;
  auto entry = find_entry(handle->fd(), name);
  if (!entry.ok() || !is_same_file(entry->status)) return false;
  update(entry->status);
  return true;
}

}  // namespace lxss::drivefs
