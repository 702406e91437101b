// Sessions, process groups and their terminals (man 7 credentials, POSIX chapter 11).
#include "lxcore/kernel.h"
#include "lxcore/task/lifecycle.h"
#include "lxcore/tty/tty.h"

namespace lxss {

namespace {

bool is_session_leader(const Task& task) { return task.process->pid == task.session().id; }

bool blocks_or_ignores(const Task& task, i32 signal) {
  return task.blocked.has(signal) || task.actions->at(signal).handler == abi::kSIG_IGN;
}

/// True if the task's group is not the one that the terminal serves now.
bool in_background(const Task& task, const Tty& tty) {
  return task.session().terminal == &tty && task.process->group->id != tty.foreground();
}

Result<> refuse(Task& task, i32 signal) {
  RefPtr<ProcessGroup> group = task.process->group;
  if (group->orphaned()) return Errno::kEIO;
  signals::send(*group, signals::kernel_info(signal));
  return Errno::kERESTARTSYS;
}

}  // namespace

RefPtr<ProcessGroup> Tty::foreground_group() const {
  RefPtr<ProcessGroup> group = lifecycle::find_group(foreground_);
  return group && group->session == session_ ? group : nullptr;
}

void Tty::send_foreground(i32 signal) {
  KernelLock::Held held;
  if (RefPtr<ProcessGroup> group = foreground_group()) {
    signals::send(*group, signals::kernel_info(signal));
  }
}

void Tty::attach(Session& session, Pid foreground) {
  LXSS_ASSERT(!session_ && !session.terminal);
  session_ = RefPtr<Session>(session);
  session.terminal = RefPtr<Tty>(*this);
  session.hung_up_foreground = Pid{};
  foreground_ = foreground;
}

void Tty::detach() {
  if (!session_) return;
  RefPtr<Tty> pinned(*this);
  session_->terminal = nullptr;
  session_ = nullptr;
  foreground_ = Pid{};
}

namespace tty {

Tty* controlling_terminal(const Task& task) { return task.session().terminal.get(); }

bool is_controlling(const Task& task, const Tty& tty) {
  KernelLock::Held held;
  return controlling_terminal(task) == &tty;
}

Result<> check_read(Task& task, const Tty& tty) {
  KernelLock::Held held;
  if (!in_background(task, tty)) return {};
  if (blocks_or_ignores(task, abi::kSIGTTIN)) return Errno::kEIO;
  return refuse(task, abi::kSIGTTIN);
}

Result<> check_change(Task& task, const Tty& tty) {
  KernelLock::Held held;
  if (!in_background(task, tty) || blocks_or_ignores(task, abi::kSIGTTOU)) return {};
  return refuse(task, abi::kSIGTTOU);
}

Result<> acquire(Task& task, Tty& tty, bool readable, bool steal) {
  KernelLock::Held held;
  Session& session = task.session();
  if (is_session_leader(task) && session.terminal == &tty) return {};
  if (!is_session_leader(task) || session.terminal) return Errno::kEPERM;
  const bool privileged = task.has_capability(abi::kCAP_SYS_ADMIN);
  if (tty.session() && !(steal && privileged)) return Errno::kEPERM;
  if (!readable && !privileged) return Errno::kEPERM;
  tty.detach();
  tty.attach(session, task.process->group->id);
  return {};
}

void acquire_on_open(Task& task, Tty& tty, abi::OpenFlags flags) {
  const bool readable = (flags.raw() & abi::kO_ACCMODE) != 1;
  KernelLock::Held held;
  if (flags.has(abi::OpenFlag::kO_NOCTTY) || !readable || tty.session()) return;
  (void)acquire(task, tty, true, false);
}

void session_leader_exited(Task& leader) {
  KernelLock::Held held;
  Session& session = leader.session();
  if (RefPtr<Tty> terminal = session.terminal) {
    // Linux: no SIGCONT. Groups that are orphaned by this and have stopped members get both
    // signals for that.
    RefPtr<ProcessGroup> group = terminal->foreground_group();
    terminal->detach();
    if (group) signals::send(*group, signals::kernel_info(abi::kSIGHUP));
    return;
  }
  RefPtr<ProcessGroup> group = lifecycle::find_group(session.hung_up_foreground);
  if (!group || group->session != &session) return;
  session.hung_up_foreground = Pid{};
  signals::send(*group, signals::kernel_info(abi::kSIGHUP));
  signals::send(*group, signals::kernel_info(abi::kSIGCONT));
}

Result<> hang_up_own(Task& task) {
  if (!task.has_capability(abi::kCAP_SYS_TTY_CONFIG)) return Errno::kEPERM;
  RefPtr<Tty> terminal;
  {
    KernelLock::Held held;
    terminal = controlling_terminal(task);
  }
  if (terminal) terminal->hang_up();
  return {};
}

}  // namespace tty
}  // namespace lxss
