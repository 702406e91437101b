// stat(2)'s view of an inode.
#include "lxcore/vfs/vfs.h"

namespace lxss::vfs {

Result<abi::Stat> stat(const Path& path) {
  Inode& inode = path.inode();
  const Attributes attributes = TRY(inode.attributes());
  abi::Stat result{};
  result.st_dev = inode.filesystem().device();
  result.st_ino = attributes.number;
  result.st_nlink = attributes.links;
  result.st_mode = attributes.mode;
  result.st_uid = attributes.uid;
  result.st_gid = attributes.gid;
  result.st_rdev = attributes.rdev;
  result.st_size = static_cast<i64>(attributes.size);
  result.st_blksize = attributes.block_size;
  result.st_blocks = static_cast<i64>(attributes.blocks);
  result.st_atim = attributes.accessed;
  result.st_mtim = attributes.modified;
  result.st_ctim = attributes.changed;
  return result;
}

}  // namespace lxss::vfs
