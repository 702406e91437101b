#include "lxcore/ipc/sysv.h"

namespace lxss::ipc {

i64 now_seconds() { return static_cast<i64>(host::realtime_ns() / abi::kNSEC_PER_SEC); }

SysvObject::SysvObject(const Task& creator, i32 key, u32 mode)
    : key(key),
      uid(creator.credentials->euid),
      gid(creator.credentials->egid),
      creator_uid(uid),
      creator_gid(gid),
      mode(mode & kModeMask),
      changed(now_seconds()) {}

Result<> SysvObject::check_access(const Task& task, u32 wanted) const {
  const Credentials& who = *task.credentials;
  const u32 needed = (wanted >> 6 | wanted >> 3 | wanted) & 7;
  u32 granted = mode;
  if (who.euid == uid || who.euid == creator_uid) {
    granted >>= 6;
  } else if (who.egid == gid || who.egid == creator_gid || who.in_group(gid) ||
             who.in_group(creator_gid)) {
    granted >>= 3;
  }
  if ((needed & ~granted) && !who.has_capability(abi::kCAP_IPC_OWNER)) return Errno::kEACCES;
  return {};
}

Result<> SysvObject::check_owner(const Task& task) const {
  const Credentials& who = *task.credentials;
  if (who.euid == uid || who.euid == creator_uid) return {};
  return who.has_capability(abi::kCAP_SYS_ADMIN) ? Result<>() : Errno::kEPERM;
}

abi::IpcPerm SysvObject::permissions() const {
  abi::IpcPerm perm{};
  perm.key = key;
  perm.uid = uid;
  perm.gid = gid;
  perm.cuid = creator_uid;
  perm.cgid = creator_gid;
  perm.mode = mode;
  perm.seq = static_cast<u16>(id / SysvTable<SysvObject>::kSlots);
  return perm;
}

Result<> SysvObject::set_permissions(const abi::IpcPerm& from) {
  if (from.uid == ~0u || from.gid == ~0u) return Errno::kEINVAL;
  uid = from.uid;
  gid = from.gid;
  mode = (mode & ~kModeMask) | (from.mode & kModeMask);
  changed = now_seconds();
  return {};
}

SharedMemory::SharedMemory(const Task& creator, i32 key, u32 mode, usize size,
                           host::UniqueFd memory)
    : SysvObject(creator, key, mode),
      size(size),
      memory(std::move(memory)),
      creator_pid(creator.process->pid.value) {}

SharedMemoryFile::SharedMemoryFile(RefPtr<SharedMemory> segment) : segment_(std::move(segment)) {
  segment_->attachments += 1;
  segment_->attached = now_seconds();
  segment_->last_pid = Task::current().process->pid.value;
}

SharedMemoryFile::~SharedMemoryFile() {
  segment_->detached = now_seconds();
  segment_->last_pid = Task::current().process->pid.value;
  if (--segment_->attachments == 0 && (segment_->mode & abi::kSHM_DEST)) {
    sysv().segments.remove(*segment_);
  }
}

Sysv& sysv() {
  if (!kernel().sysv_ipc) kernel().sysv_ipc = make_ref<Sysv>();
  return static_cast<Sysv&>(*kernel().sysv_ipc);
}

void task_exited(Task& task) {
  if (!kernel().sysv_ipc || task.process->thread_count > 1) return;
  const Pid pid = task.process->pid;
  auto& undo = sysv().undo;
  for (auto at = undo.lower_bound({pid, 0}); at != undo.end() && at->first == pid;) {
    auto set = sysv().sets.find(at->second);
    at = undo.erase(at);
    if (set.ok()) (*set)->undo_all(pid);
  }
}

}  // namespace lxss::ipc
