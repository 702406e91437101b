// Looking tasks up, and the small objects around them.
#include <algorithm>

#include "lxcore/kernel.h"
#include "lxcore/task/lifecycle.h"
#include "lxcore/task/names_in_proc.h"
#include "lxcore/time/posix_timers.h"
#include "lxcore/tty/tty.h"

namespace lxss {

Process::Process() = default;
Process::~Process() = default;
Session::Session(Pid session_id) : id(session_id) {}
Session::~Session() = default;
ProcessGroup::~ProcessGroup() { kernel().groups.erase(id); }

void ResourceUse::add(const ResourceUse& other) {
  max_resident_kib = std::max(max_resident_kib, other.max_resident_kib);
  minor_faults += other.minor_faults;
  major_faults += other.major_faults;
  voluntary_switches += other.voluntary_switches;
  involuntary_switches += other.involuntary_switches;
}

void ResourceUse::report(abi::Rusage& to) const {
  to.ru_maxrss = max_resident_kib;
  to.ru_minflt = minor_faults;
  to.ru_majflt = major_faults;
  to.ru_nvcsw = voluntary_switches;
  to.ru_nivcsw = involuntary_switches;
}

std::string Process::name() const {
  const auto& comm = leader ? leader->comm : last_comm;
  return std::string(comm.data());
}

Task* Process::any_thread() {
  if (leader) return leader;
  return threads.empty() ? nullptr : &threads.front();
}

bool ProcessGroup::orphaned() {
  for (Process& member : members) {
    if (member.is_zombie() || !member.parent) continue;
    const ProcessGroup& above = *member.parent->group;
    if (&above != this && above.session == session) return false;
  }
  return true;
}

RefPtr<Credentials> Credentials::copy() const {
  auto result = make_ref<Credentials>();
  result->uid = uid;
  result->euid = euid;
  result->suid = suid;
  result->fsuid = fsuid;
  result->gid = gid;
  result->egid = egid;
  result->sgid = sgid;
  result->fsgid = fsgid;
  result->groups = groups;
  result->permitted = permitted;
  result->effective = effective;
  result->inheritable = inheritable;
  result->ambient = ambient;
  result->bounding = bounding;
  result->securebits = securebits;
  result->no_new_privileges = no_new_privileges;
  return result;
}

bool Credentials::in_group(u32 group) const {
  if (group == fsgid) return true;
  for (u32 member : groups) {
    if (member == group) return true;
  }
  return false;
}

namespace lifecycle {

RefPtr<Task> find_task(Pid tid) {
  auto at = kernel().tasks.find(tid);
  return at == kernel().tasks.end() ? nullptr : at->second;
}

RefPtr<Process> find_process(Pid pid) {
  auto at = kernel().processes.find(pid);
  return at == kernel().processes.end() ? nullptr : at->second;
}

RefPtr<ProcessGroup> find_group(Pid id) {
  auto at = kernel().groups.find(id);
  return at == kernel().groups.end() ? nullptr : RefPtr<ProcessGroup>(at->second);
}

void become_session_leader(Process& process) {
  process.ListNode<ProcessGroupMember>::unlink();
  process.group = make_ref<ProcessGroup>(process.pid, make_ref<Session>(process.pid));
  process.group->members.push_back(process);
  kernel().groups[process.pid] = process.group.get();
}

void reap(Process& process) {
  RefPtr<Process> pinned(&process);
  process.state = ProcessState::kDead;
  if (process.parent) {
    Process& parent = *process.parent;
    parent.children_user_ns += process.cpu_user_ns + process.children_user_ns;
    parent.children_system_ns += process.cpu_system_ns + process.children_system_ns;
    parent.children_use.add(process.use);
    parent.children_use.add(process.children_use);
  }
  process.ListNode<SiblingTag>::unlink();
  process.ListNode<ProcessGroupMember>::unlink();
  process.group = nullptr;
  process.parent = nullptr;
  kernel().processes.erase(process.pid);
  procfs::forget_process(process);
}

}  // namespace lifecycle
}  // namespace lxss
