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

Result<> chdir(Task& task, UserString path) {
  TRY_PATH(text, path);
  task.fs->working_directory = TRY(resolve_directory(task, text));
  return {};
}

Result<> fchdir(Task& task, Fd fd) {
  RefPtr<File> file = TRY(task.files->get(fd));
  if (!file->has_inode() || !file->inode().is_directory()) return Errno::kENOTDIR;
  TRY(vfs::check_access(*task.credentials, file->inode(), vfs::Access::kExecute));
  task.fs->working_directory = file->path();
  return {};
}

Result<usize> getcwd(Task& task, UserOut<char> buffer, usize size) {
  const Path& at = task.fs->working_directory;
  if (at.dentry->unlinked()) return Errno::kENOENT;
  const std::string text = vfs::path_text(task, at);
  const usize length = text.size() + 1;
  if (length > abi::kPATH_MAX) return Errno::kENAMETOOLONG;
  if (length > size) return Errno::kERANGE;
  TRY(copy_out(buffer.address, text.c_str(), length));
  return length;
}

Result<> chroot(Task& task, UserString path) {
  TRY_PATH(text, path);
  Path root = TRY(resolve_directory(task, text));
  if (!task.has_capability(abi::kCAP_SYS_CHROOT)) return Errno::kEPERM;
  task.fs->root = std::move(root);
  return {};
}

Result<u32> umask(Task& task, u32 mask) {
  return std::exchange(task.fs->umask, mask & abi::kS_IRWXUGO);
}

}  // namespace lxss::sys
