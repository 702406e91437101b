// memfd_create: files of a tmpfs that is mounted nowhere.
#include "lxcore/vfs/memory_file.h"

#include "fs/tmpfs/tmpfs.h"
#include "lxcore/kernel.h"
#include "lxcore/vfs/vfs.h"

namespace lxss {

Result<RefPtr<File>> create_memory_file(Task& task, std::string_view name, abi::MemfdFlags flags) {
  using abi::MemfdFlag;
  using abi::SealFlag;
  RefPtr<FileSystem>& files = kernel().memory_files;
  if (!files) files = make_ref<tmpfs::TmpFileSystem>(tmpfs::Options{});
  const bool no_exec = flags.has(MemfdFlag::kMFD_NOEXEC_SEAL);
  NewInode what;
  what.mode = abi::kS_IFREG | (no_exec ? 0666 : 0777);
  what.uid = task.credentials->fsuid;
  what.gid = task.credentials->fsgid;
  auto inode = TRY(static_cast<tmpfs::TmpFileSystem&>(*files).new_inode(what));
  inode->set_unnamed();
  if (no_exec) {
    inode->seals = SealFlag::kF_SEAL_EXEC;
  } else if (flags.has(MemfdFlag::kMFD_ALLOW_SEALING)) {
    inode->seals = {};
  }
  RefPtr<File> file = make_ref<tmpfs::TmpFile>(true);
  std::string shown = "/memfd:";
  shown += name;
  shown += " (deleted)";
  vfs::initialise_unnamed(*file, shown, std::move(inode),
                          abi::OpenFlag::kO_RDWR | abi::OpenFlag::kO_LARGEFILE);
  return file;
}

}  // namespace lxss
