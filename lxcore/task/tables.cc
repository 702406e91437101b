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
Task::Task() {
  wait_entry.attach(*this);
  lock_entry.attach(*this);
}
Task::~Task() = default;

Session::Session(Pid session_id) : id(session_id) { kernel().ids.take(id); }
Session::~Session() { kernel().ids.drop(id); }
void Session::last_unref() {
  KernelLock::Held held;
  delete this;
}

ProcessGroup::ProcessGroup(Pid group_id, RefPtr<Session> in)
    : id(group_id), session(std::move(in)) {
  kernel().ids.take(id);
}
ProcessGroup::~ProcessGroup() {
  // One of the same id may have been made since this one was found to be going.
  auto at = kernel().groups.find(id);
  if (at != kernel().groups.end() && at->second == this) kernel().groups.erase(at);
  kernel().ids.drop(id);
}
void ProcessGroup::last_unref() {
  KernelLock::Held held;
  delete this;
}

void Process::set_parent(Process* to) {
  const bool is_clone = exit_signal != abi::kSIGCHLD;
  if (parent && ListNode<SiblingTag>::linked()) {
    ListNode<SiblingTag>::unlink();
    --parent->child_count;
    parent->clone_child_count -= is_clone;
  }
  ListNode<ReportTag>::unlink();
  parent = to;
  parent_pid.store(to ? to->pid : Pid{}, std::memory_order_relaxed);
  if (!to) return;
  to->children.push_back(*this);
  ++to->child_count;
  to->clone_child_count += is_clone;
  update_reports();
}

void Process::set_exit_signal(i32 signal) {
  if (parent) {
    parent->clone_child_count -= exit_signal != abi::kSIGCHLD;
    parent->clone_child_count += signal != abi::kSIGCHLD;
  }
  exit_signal = signal;
}

void Process::update_reports() {
  const bool reports =
      is_zombie() || continued || (state == ProcessState::kStopped && stop_signal != 0);
  if (reports == ListNode<ReportTag>::linked()) return;
  if (reports && parent) {
    parent->reports.push_back(*this);
  } else {
    ListNode<ReportTag>::unlink();
  }
}

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

void unshare_files(Task& task) {
  RefPtr<FdTable> old = task.files->duplicate();
  {
    KernelLock::Held held;
    std::swap(task.files, old);
  }
  old->release(*task.process);
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
  if (at == kernel().groups.end() || !at->second->try_ref()) return nullptr;
  return RefPtr<ProcessGroup>::adopt(at->second);
}

void forget_task(Task& task) {
  kernel().users.remove_task(task.credentials->uid);
  if (kernel().tasks.erase(task.tid) != 0) kernel().ids.drop(task.tid);
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
  process.set_parent(nullptr);
  process.ListNode<ProcessGroupMember>::unlink();
  process.group = nullptr;
  if (kernel().processes.erase(process.pid) != 0) kernel().ids.drop(process.pid);
  procfs::forget_process(process);
}

}  // namespace lifecycle
}  // namespace lxss
