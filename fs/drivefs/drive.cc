// The drive as a whole: options, identity, symbolic links' targets.
#include "fs/drivefs/drive.h"

#include "base/text.h"
#include "fs/drivefs/drivefs.h"
#include "lxcore/sync/kernel_lock.h"

namespace lxss::drivefs {

namespace {
/// What statfs reported for such drives; tools know it as "wslfs".
constexpr i64 kDriveMagic = 0x53464846;
}  // namespace

Result<RefPtr<FileSystem>> mount(host::Fd root, const control::Boot::Drive& options) {
  abi::Stat status = TRY(host::status(root));
  if (!abi::is_directory(status.st_mode)) return Errno::kENOTDIR;
  std::string path(host::kMaxPath, '\0');
  auto size = host::path_of(root, path);
  path.resize(size.ok() && *size < path.size() ? *size : 0);
  return RefPtr<FileSystem>(make_ref<Drive>(root, status.st_dev, options, std::move(path)));
}

Drive::Drive(host::Fd root, u64 root_device, const control::Boot::Drive& options,
             std::string host_path)
    : HostTree("drivefs", kDriveMagic, root, root_device, kMaxOpenDescriptors, Locking::kKernel),
      drive_(options),
      host_path_(std::move(host_path)),
      host_path_known_(host_path_.starts_with('/')),
      mount_point_("/mnt/") {
  mount_point_.push_back(options.letter);
  if (host_path_ == "/") host_path_.clear();
}

Result<RefPtr<Inode>> Drive::root() {
  abi::Stat status = TRY(host::status(root_descriptor()));
  if (RefPtr<HostInode> known = find(id_of(status))) return RefPtr<Inode>(std::move(known));
  auto inode = make_ref<DriveInode>(*this, status);
  set_root(*inode);
  enter_new(*inode);
  return RefPtr<Inode>(std::move(inode));
}

Result<abi::Statfs> Drive::statistics() {
  abi::Statfs result = TRY(host::filesystem_status(root_descriptor()));
  result.f_type = magic();
  result.f_fsid = {{static_cast<i32>(device()), 0}};
  result.f_flags = 0;
  return result;
}

Result<> Drive::sync() {
  KernelLock::Released released;
  return host::sync_filesystem(root_descriptor());
}

std::string Drive::options() {
  TextBuilder text;
  text << ",uid=" << drive_.uid << ",gid=" << drive_.gid << ",umask=";
  text.octal(drive_.umask, 3) << ",fmask=";
  text.octal(drive_.fmask, 3) << ",dmask=";
  text.octal(drive_.dmask, 3) << ",case=dir";
  return text.take();
}

u32 Drive::shown_mode(const abi::Stat& status) const {
  const u32 type = status.st_mode & abi::kS_IFMT;
  if (type == abi::kS_IFLNK) return type | abi::kS_IRWXUGO;
  return type | (status.st_mode & abi::kS_IRWXUGO & ~hidden_permissions(type == abi::kS_IFDIR));
}

u64 Drive::shown_number(const abi::Stat& status) const {
  // Volumes mounted on the host below the root have numbers of their own.
  if (status.st_dev == root_device()) return status.st_ino;
  return status.st_ino ^ (status.st_dev * 0x9e37'79b9'7f4a'7c15 >> 16);
}

RefPtr<DriveInode> Drive::inode_of(const abi::Stat& status) {
  if (RefPtr<HostInode> found = find(id_of(status))) {
    auto& known = static_cast<DriveInode&>(*found);
    if (known.is_same_file(status)) {
      known.update(status);
      return RefPtr<DriveInode>(known);
    }
  }
  // The newest object of an identity is the one that is found.
  auto inode = make_ref<DriveInode>(*this, status);
  enter_new(*inode);
  return inode;
}

std::string Drive::shown_target(std::string host_target) const {
  if (!host_target.starts_with('/') || !host_path_known_) return host_target;
  const std::string_view target = host_target;
  if (!target.starts_with(host_path_)) return host_target;
  const std::string_view rest = target.substr(host_path_.size());
  if (!rest.empty() && rest[0] != '/') return host_target;
  return std::string(mount_point_).append(rest);
}

Result<std::string> Drive::host_target(std::string_view guest_target) const {
  if (!guest_target.starts_with('/')) return std::string(guest_target);
  if (!host_path_known_ || !guest_target.starts_with(mount_point_)) return Errno::kEPERM;
  const std::string_view rest = guest_target.substr(mount_point_.size());
  if (!rest.empty() && rest[0] != '/') return Errno::kEPERM;
  std::string target = std::string(host_path_).append(rest);
  return target.empty() ? std::string("/") : target;
}

}  // namespace lxss::drivefs
