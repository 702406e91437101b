#include "fs/devfs/devfs.h"

#include "fs/tmpfs/tmpfs.h"
#include "lxcore/kernel.h"

namespace lxss::devfs {

namespace {

using abi::kS_IFCHR;
using abi::kS_IFDIR;
using abi::kS_IFLNK;

constexpr const char* kType = "devtmpfs";
/// The group that distributions agree on for terminals.
constexpr u32 kTtyGroup = 5;

struct Node {
  const char* name;
  u32 mode;
  u64 rdev = 0;
  u32 gid = 0;
  const char* target = "";
};

constexpr Node kNodes[] = {
    {"null", kS_IFCHR | 0666, abi::make_dev(1, 3)},
    {"zero", kS_IFCHR | 0666, abi::make_dev(1, 5)},
    {"full", kS_IFCHR | 0666, abi::make_dev(1, 7)},
    {"random", kS_IFCHR | 0666, abi::make_dev(1, 8)},
    {"urandom", kS_IFCHR | 0666, abi::make_dev(1, 9)},
    {"kmsg", kS_IFCHR | 0644, abi::make_dev(1, 11)},
    {"tty", kS_IFCHR | 0666, abi::make_dev(5, 0), kTtyGroup},
    {"console", kS_IFCHR | 0600, abi::make_dev(5, 1), kTtyGroup},
    {"ptmx", kS_IFCHR | 0666, abi::make_dev(5, 2), kTtyGroup},
    {"fd", kS_IFLNK | 0777, 0, 0, "/proc/self/fd"},
    {"stdin", kS_IFLNK | 0777, 0, 0, "/proc/self/fd/0"},
    {"stdout", kS_IFLNK | 0777, 0, 0, "/proc/self/fd/1"},
    {"stderr", kS_IFLNK | 0777, 0, 0, "/proc/self/fd/2"},
    {"pts", kS_IFDIR | 0755},
    {"shm", kS_IFDIR | 01777},
    {"mqueue", kS_IFDIR | 01777},
};

}  // namespace

Result<RefPtr<FileSystem>> make() {
  for (const RefPtr<Mount>& mount : kernel().mounts.all()) {
    if (mount->filesystem().type() == std::string_view(kType)) {
      return RefPtr<FileSystem>(mount->filesystem());
    }
  }
  tmpfs::Options options;
  options.mode = 0755;
  options.shown = ",mode=755";
  RefPtr<FileSystem> filesystem = make_ref<tmpfs::TmpFileSystem>(options, kType);
  RefPtr<Inode> root = TRY(filesystem->root());
  for (const Node& node : kNodes) {
    NewInode what;
    what.mode = node.mode;
    what.gid = node.gid;
    what.rdev = node.rdev;
    what.symlink_target = node.target;
    TRY(root->create(node.name, what));
  }
  // A tmpfs lives as long as its root is held, which the caller has yet to mount.
  (void)root.leak();
  return filesystem;
}

}  // namespace lxss::devfs
