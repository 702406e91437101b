// memfd_create: files of a tmpfs that is mounted nowhere.
#include "lxcore/vfs/memory_file.h"

#include "fs/tmpfs/tmpfs.h"
#include "lxcore/kernel.h"
#include "lxcore/vfs/vfs.h"

namespace lxss {

namespace {

tmpfs::TmpFileSystem& memory_files() {
  KernelLock::Held held;
  RefPtr<FileSystem>& files = kernel().memory_files;
  if (!files) files = make_ref<tmpfs::TmpFileSystem>(tmpfs::Options{});
  return static_cast<tmpfs::TmpFileSystem&>(*files);
}

}  // namespace

Result<RefPtr<File>> create_memory_file(Task& task, std::string_view name, abi::MemfdFlags flags) {
  using abi::MemfdFlag;
  using abi::SealFlag;
  const bool no_exec = flags.has(MemfdFlag::kMFD_NOEXEC_SEAL);
  NewInode what;
  what.mode = abi::kS_IFREG | (no_exec ? 0666 : 0777);
  what.uid = task.credentials->fsuid;
  what.gid = task.credentials->fsgid;
  auto inode = TRY(memory_files().new_inode(what));
  inode->set_unnamed();
  if (no_exec) {
    inode->set_seals(SealFlag::kF_SEAL_EXEC);
  } else if (flags.has(MemfdFlag::kMFD_ALLOW_SEALING)) {
    inode->set_seals({});
  }
  RefPtr<File> file = make_ref<tmpfs::TmpFile>();
  std::string shown = "/memfd:";
  shown += name;
  shown += " (deleted)";
  vfs::initialise_unnamed(*file, shown, std::move(inode),
                          abi::OpenFlag::kO_RDWR | abi::OpenFlag::kO_LARGEFILE);
  return file;
}

}  // namespace lxss
