// Where paths begin, and the umask.
#include "lxcore/kernel.h"
#include "lxcore/syscalls/path.h"
#include "lxcore/syscalls/path_argument.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::sys {

namespace {

Result<Path> resolve_directory(Task& task, std::string_view path) {
  Path at =
      TRY(vfs::resolve(task, Fd{abi::kAT_FDCWD}, path, vfs::Walk::kFollow | vfs::Walk::kDirectory));
  TRY(vfs::check_access(*task.credentials, at.inode(), vfs::Access::kExecute));
  return at;
}

}  // namespace

Result<> chdir(UnlockedTask task, UserString path) {
  TRY_PATH(text, path);
  task->fs->working_directory.set(TRY(resolve_directory(task, text)));
  return {};
}

Result<> fchdir(UnlockedTask task, Fd fd) {
  RefPtr<File> file = TRY(task->files->get(fd));
  if (!file->has_inode() || !file->inode().is_directory()) return Errno::kENOTDIR;
  TRY(vfs::check_access(*task->credentials, file->inode(), vfs::Access::kExecute));
  task->fs->working_directory.set(file->path());
  return {};
}

Result<usize> getcwd(UnlockedTask task, UserOut<char> buffer, usize size) {
  const Path at = task->fs->working_directory.get();
  if (at.dentry->unlinked()) return Errno::kENOENT;
  const std::string text = vfs::path_text(task, at);
  const usize length = text.size() + 1;
  if (length > abi::kPATH_MAX) return Errno::kENAMETOOLONG;
  if (length > size) return Errno::kERANGE;
  TRY(copy_out(buffer.address, text.c_str(), length));
  return length;
}

Result<> chroot(UnlockedTask task, UserString path) {
  TRY_PATH(text, path);
  Path root = TRY(resolve_directory(task, text));
  if (!task->has_capability(abi::kCAP_SYS_CHROOT)) return Errno::kEPERM;
  task->fs->root.set(std::move(root));
  return {};
}

Result<u32> umask(UnlockedTask task, u32 mask) {
  return task->fs->umask.exchange(mask & abi::kS_IRWXUGO);
}

}  // namespace lxss::sys
