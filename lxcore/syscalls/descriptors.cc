// Duplicating descriptors.
#include "lxcore/syscalls/file.h"

namespace lxss::sys {

namespace {

Result<Fd> duplicate_at(Task& task, Fd from, Fd to, bool close_on_exec) {
  const u64 limit = task.limit(abi::kRLIMIT_NOFILE);
  if (to.value < 0 || static_cast<u64>(to.value) >= limit) return Errno::kEBADF;
  RefPtr<File> file = TRY(task.files->get(from));
  TRY(task.files->install_at(to, std::move(file), close_on_exec, limit));
  return to;
}

}  // namespace

Result<Fd> dup(UnlockedTask task, Fd fd) {
  RefPtr<File> file = TRY(task->files->get(fd));
  return task->files->install(std::move(file), false, task->limit(abi::kRLIMIT_NOFILE));
}

Result<Fd> dup2(UnlockedTask task, Fd from, Fd to) {
  if (from == to) {
    TRY(task->files->get(from));
    return to;
  }
  return duplicate_at(task, from, to, false);
}

Result<Fd> dup3(UnlockedTask task, Fd from, Fd to, abi::OpenFlags flags) {
  if (!flags.within(abi::OpenFlag::kO_CLOEXEC) || from == to) return Errno::kEINVAL;
  return duplicate_at(task, from, to, flags.has(abi::OpenFlag::kO_CLOEXEC));
}

}  // namespace lxss::sys
