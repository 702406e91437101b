// stat(2)'s view of an inode.
#include "lxcore/vfs/walk.h"

namespace lxss::vfs {

namespace {

abi::Stat to_stat(const Inode& inode, const Attributes& attributes) {
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

}  // namespace

Result<Attributes> attributes(Inode& inode) {
  KernelLock::HeldFor guard(inode.locking());
  return inode.attributes();
}

Result<abi::Stat> stat(const Path& path) {
  return to_stat(path.inode(), TRY(attributes(path.inode())));
}

Result<abi::Stat> stat(Task& task, Fd directory, std::string_view path, WalkFlags flags) {
  if (!path.empty()) {
    PathWalker walker(task);
    TRY(walker.begin(directory, path));
    TRY(walker.walk_unheld(flags.has(Walk::kFollow)));
    Attributes attributes;
    if (walker.inode().cached_attributes(attributes)) return to_stat(walker.inode(), attributes);
    if (walker.hold().ok()) return stat(walker.path());
  }
  return stat(TRY(resolve(task, directory, path, flags)));
}

}  // namespace lxss::vfs
