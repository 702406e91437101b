// wait4 and waitid.
#include "lxcore/ipc/pidfd.h"
#include "lxcore/kernel.h"
#include "lxcore/syscalls/task.h"
#include "lxcore/task/lifecycle.h"

namespace lxss::sys {

using abi::WaitFlag;

namespace {

struct Selection {
  enum class Kind : u8 { kAny, kProcess, kGroup } kind;
  Pid id;
};

struct Report {
  RefPtr<Process> process;
  i32 status = 0;  ///< as wait4 reports it
  i32 code = 0;    ///< CLD_*
  i32 value = 0;   ///< exit code or signal
  u32 uid = 0;
  abi::Rusage usage{};
};

bool matches(const Task& task, const Selection& selection, const Process& child,
             abi::WaitFlags options) {
  if (options.has(WaitFlag::k__WNOTHREAD) && child.parent_thread != task.tid) return false;
  switch (selection.kind) {
    case Selection::Kind::kAny:
      break;
    case Selection::Kind::kProcess:
      if (child.pid != selection.id) return false;
      break;
    case Selection::Kind::kGroup:
      if (!child.group || child.group->id != selection.id) return false;
      break;
  }
  if (options.has(WaitFlag::k__WALL)) return true;
  return (child.exit_signal != abi::kSIGCHLD) == options.has(WaitFlag::k__WCLONE);
}

abi::Timeval to_timeval(u64 ns) {
  return {i64(ns / 1'000'000'000), i64(ns % 1'000'000'000 / 1000)};
}

/// A state of `child` that the options ask for, consumed unless kWNOWAIT.
bool take_report(Process& child, abi::WaitFlags options, Report& report) {
  const bool consume = !options.has(WaitFlag::kWNOWAIT);
  report.process = &child;
  Task* any = child.any_thread();
  report.uid = any ? any->credentials->uid : child.last_credentials->uid;
  if (child.is_zombie()) {
    if (!options.has(WaitFlag::kWEXITED)) return false;
    report.status = child.exit_status;
    const bool exited = (report.status & 0x7f) == 0;
    report.code =
        exited ? abi::kCLD_EXITED : (report.status & 0x80 ? abi::kCLD_DUMPED : abi::kCLD_KILLED);
    report.value = exited ? (report.status >> 8) & 0xff : report.status & 0x7f;
    report.usage.ru_utime = to_timeval(child.cpu_user_ns + child.children_user_ns);
    report.usage.ru_stime = to_timeval(child.cpu_system_ns + child.children_system_ns);
    ResourceUse use = child.use;
    use.add(child.children_use);
    use.report(report.usage);
    if (consume) lifecycle::reap(child);
    return true;
  }
  if (options.has(WaitFlag::kWSTOPPED) && child.state == ProcessState::kStopped &&
      child.stop_signal != 0) {
    report.status = abi::wait_status_stopped(child.stop_signal);
    report.code = abi::kCLD_STOPPED;
    report.value = child.stop_signal;
    if (consume) child.stop_signal = 0;
    child.update_reports();
    return true;
  }
  if (options.has(WaitFlag::kWCONTINUED) && child.continued) {
    report.status = abi::wait_status_continued();
    report.code = abi::kCLD_CONTINUED;
    report.value = abi::kSIGCONT;
    if (consume) child.continued = false;
    child.update_reports();
    return true;
  }
  return false;
}

/// True if the task has a child that the selection is about, whatever its state.
bool has_candidates(const Task& task, const Selection& selection, abi::WaitFlags options) {
  Process& process = *task.process;
  // What counts tell: all children, those that end with SIGCHLD, or those that do not.
  if (selection.kind == Selection::Kind::kAny && !options.has(WaitFlag::k__WNOTHREAD)) {
    if (options.has(WaitFlag::k__WALL)) return process.child_count != 0;
    return options.has(WaitFlag::k__WCLONE) ? process.clone_child_count != 0
                                            : process.child_count != process.clone_child_count;
  }
  for (Process& child : process.children) {
    if (matches(task, selection, child, options)) return true;
  }
  return false;
}

enum class Look : u8 { kReport, kNothingYet, kNoChild };

/// Of one child, found by its id; of several those that have something to report.
Look look(Task& task, const Selection& selection, abi::WaitFlags options, Report& report) {
  if (selection.kind == Selection::Kind::kProcess) {
    RefPtr<Process> child = lifecycle::find_process(selection.id);
    if (!child || child->parent != task.process || !matches(task, selection, *child, options)) {
      return Look::kNoChild;
    }
    return take_report(*child, options, report) ? Look::kReport : Look::kNothingYet;
  }
  for (Process& child : task.process->reports) {
    if (!matches(task, selection, child, options)) continue;
    if (take_report(child, options, report)) return Look::kReport;
  }
  return has_candidates(task, selection, options) ? Look::kNothingYet : Look::kNoChild;
}

/// Waits for a report; an empty one with kWNOHANG if there is none yet. ECHILD.
Result<Report> wait_for(Task& task, const Selection& selection, abi::WaitFlags options) {
  Report report;
  Look seen = Look::kNothingYet;
  KernelLock::Held held;
  TRY(wait_until(task, task.process->child_events, [&] {
    report = {};
    seen = look(task, selection, options, report);
    return seen != Look::kNothingYet || options.has(WaitFlag::kWNOHANG);
  }));
  if (seen == Look::kNoChild) return Errno::kECHILD;
  if (seen == Look::kNothingYet) report = {};
  return report;
}

/// Of the caller; others may change it.
Pid own_group(Task& task) {
  KernelLock::Held held;
  return task.process->group->id;
}

}  // namespace

Result<Pid> wait4(UnlockedTask task, Pid pid, UserOut<i32> status, abi::WaitFlags options,
                  UserOut<abi::Rusage> usage) {
  if (!options.within(WaitFlag::kWNOHANG | WaitFlag::kWUNTRACED | WaitFlag::kWCONTINUED |
                      WaitFlag::k__WALL | WaitFlag::k__WCLONE | WaitFlag::k__WNOTHREAD)) {
    return Errno::kEINVAL;
  }
  if (pid.value == INT32_MIN) return Errno::kESRCH;
  Selection selection{Selection::Kind::kAny, {}};
  if (pid.value > 0) selection = {Selection::Kind::kProcess, pid};
  if (pid.value == 0) selection = {Selection::Kind::kGroup, own_group(task)};
  if (pid.value < -1) selection = {Selection::Kind::kGroup, Pid{-pid.value}};
  Report report = TRY(wait_for(task, selection, options | WaitFlag::kWEXITED));
  if (!report.process) return Pid{0};
  if (status) TRY(status.write(report.status));
  if (usage) TRY(usage.write(report.usage));
  return report.process->pid;
}

Result<> waitid(UnlockedTask task, i32 id_type, Pid id, UserOut<abi::SigInfo> info,
                abi::WaitFlags options, UserOut<abi::Rusage> usage) {
  const abi::WaitFlags states = WaitFlag::kWEXITED | WaitFlag::kWSTOPPED | WaitFlag::kWCONTINUED;
  if (!options.within(states | WaitFlag::kWNOHANG | WaitFlag::kWNOWAIT | WaitFlag::k__WALL |
                      WaitFlag::k__WCLONE | WaitFlag::k__WNOTHREAD) ||
      !options.any(states)) {
    return Errno::kEINVAL;
  }
  Selection selection{Selection::Kind::kAny, {}};
  switch (id_type) {
    case abi::kP_ALL:
      break;
    case abi::kP_PID:
      if (id.value <= 0) return Errno::kEINVAL;
      selection = {Selection::Kind::kProcess, id};
      break;
    case abi::kP_PGID:
      if (id.value < 0) return Errno::kEINVAL;
      selection = {Selection::Kind::kGroup, id.value ? id : own_group(task)};
      break;
    case abi::kP_PIDFD: {
      if (id.value < 0) return Errno::kEINVAL;
      RefPtr<File> file = TRY(task->file(Fd{id.value}));
      RefPtr<Process> process = TRY(process_of_pidfd(*file));
      selection = {Selection::Kind::kProcess, process->pid};
      if (file->nonblocking()) options |= WaitFlag::kWNOHANG;
      break;
    }
    default:
      return Errno::kEINVAL;
  }
  Report report = TRY(wait_for(task, selection, options));
  if (report.process && usage) TRY(usage.write(report.usage));
  if (!info) return {};
  abi::SigInfo result{};
  if (report.process) {
    result.signo = abi::kSIGCHLD;
    result.code = report.code;
    result.child = {report.process->pid.value, report.uid, report.value, 0, 0, 0};
  }
  return info.write(result);
}

}  // namespace lxss::sys
