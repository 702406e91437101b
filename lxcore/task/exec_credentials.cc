// execve: who the program runs as (man 7 credentials, man 7 capabilities).
#include "lxcore/kernel.h"
#include "lxcore/task/exec.h"

namespace lxss::exec {

bool change_credentials(Task& task, const Path& program) {
  RefPtr<Credentials> next = task.credentials->copy();
  const Credentials& old = *task.credentials;
  const Inode& inode = program.inode();
  const bool may_gain =
      !program.mount->flags().has(abi::MountFlag::kMS_NOSUID) && !old.no_new_privileges;
  if (may_gain && inode.mode() & abi::kS_ISUID) next->euid = inode.uid();
  constexpr u32 kGroupExecute = 010;
  if (may_gain && inode.mode() & abi::kS_ISGID && inode.mode() & kGroupExecute) {
    next->egid = inode.gid();
  }
  const bool gained = next->euid != old.uid || next->egid != old.gid;
  next->suid = next->fsuid = next->euid;
  next->sgid = next->fsgid = next->egid;
  // man 7 capabilities: root gains all that the bounding set leaves; others keep the ambient set.
  if (next->euid != old.euid || next->egid != old.egid) next->ambient = 0;
  if (next->euid == 0 || next->uid == 0) {
    next->permitted = next->inheritable | next->bounding;
    next->effective = next->euid == 0 ? next->permitted : next->ambient;
  } else {
    next->permitted = next->effective = next->ambient;
  }
  {
    KernelLock::Held held;
    std::swap(task.credentials, next);
  }
  return gained;
}

}  // namespace lxss::exec
