// Who may do what to an inode (man 7 path_resolution, man 7 capabilities).
#include "lxcore/task/credentials.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::vfs {

Result<> check_access(const Credentials& credentials, const Inode& inode, AccessMask mask) {
  const InodeOwner owner = inode.owner();
  const u32 mode = owner.mode;
  const u32 wanted = mask.raw();
  u32 granted;
  if (credentials.fsuid == owner.uid) {
    granted = mode >> 6;
  } else if (((mode >> 3 ^ mode) & 7) != 0 && credentials.in_group(owner.gid)) {
    granted = mode >> 3;
  } else {
    granted = mode;
  }
  if ((wanted & ~granted & 7) == 0) [[likely]]
    return {};

  const u32 execute = static_cast<u32>(Access::kExecute);
  const u32 write = static_cast<u32>(Access::kWrite);
  if (credentials.has_capability(abi::kCAP_DAC_OVERRIDE) &&
      (inode.is_directory() || !(wanted & execute) || (mode & 0111))) {
    return {};
  }
  if (credentials.has_capability(abi::kCAP_DAC_READ_SEARCH) && !(wanted & write) &&
      (inode.is_directory() || !(wanted & execute))) {
    return {};
  }
  return Errno::kEACCES;
}

Result<> check_owner(const Credentials& credentials, const Inode& inode) {
  if (credentials.fsuid == inode.uid() || credentials.has_capability(abi::kCAP_FOWNER)) return {};
  return Errno::kEPERM;
}

}  // namespace lxss::vfs
