// What the files of procfs share: the subjects of its tables, and the tables' entry points.
#pragma once

#include <array>

#include "fs/synthetic/synthetic.h"
#include "lxcore/task/process.h"

namespace lxss::procfs {

using synthetic::Directory;
using synthetic::Owner;

class ProcFs final : public FileSystem {
 public:
  ProcFs();
  Result<RefPtr<Inode>> root() override;
  /// Processes come and go.
  bool dentries_are_stable() const override { return false; }
  /// /proc/sys/kernel/random/boot_id.
  const std::array<u8, 16>& boot_id() const { return boot_id_; }

 private:
  std::array<u8, 16> boot_id_;
};

/// Subject of the files that describe the instance and the machine.
struct Machine {
  using Guard = synthetic::Unguarded;
  ProcFs* filesystem;  ///< kept by every inode
  bool alive() const { return true; }
  Owner owner(u32) const { return {}; }
};
using MachineEntry = synthetic::Entry<Machine>;

/// Subject of the files in /proc/PID and /proc/PID/task/TID.
struct Subject {
  /// The functions of its tables run under the kernel lock.
  using Guard = KernelLock::Held;
  RefPtr<Process> process;
  RefPtr<Task> task;  ///< null where the process as a whole is meant

  /// It has not been reaped.
  bool alive() const;
  /// The effective ids; root's if the process is not dumpable and the file tells its secrets.
  Owner owner(u32 mode) const;
  /// Those of the thread; a zombie's last. May be null.
  RefPtr<Credentials> credentials() const LXSS_REQUIRES(kernel_lock());
  /// The thread that stands for the subject; null for a zombie. Valid under this hold of the lock.
  Task* thread() const LXSS_REQUIRES(kernel_lock());
  /// As thread(); ESRCH for a zombie.
  Result<RefPtr<Task>> live_thread() const;
  /// Its descriptors; ENOENT if there are none (any more).
  Result<RefPtr<FdTable>> files() const;
  Pid id() const { return task ? task->tid : process->pid; }
};
using SubjectEntry = synthetic::Entry<Subject>;

/// /proc/PID.
RefPtr<Inode> make_process_directory(FileSystem& filesystem, u64 number, Subject subject);

// Entries with a `make` of their own.
Result<RefPtr<Inode>> make_sys(Directory& parent, Machine& machine, u64 number);
Result<RefPtr<Inode>> make_process_net(Directory& parent, Subject& subject, u64 number);
Result<RefPtr<Inode>> make_task(Directory& parent, Subject& subject, u64 number);
Result<RefPtr<Inode>> make_fd(Directory& parent, Subject& subject, u64 number);
Result<RefPtr<Inode>> make_fdinfo(Directory& parent, Subject& subject, u64 number);
Result<RefPtr<Inode>> make_ns(Directory& parent, Subject& subject, u64 number);
Result<RefPtr<Inode>> make_mem(Directory& parent, Subject& subject, u64 number);

/// What the root shows besides processes (machine_files.cc).
std::span<const MachineEntry> root_table();

// sysv_files.cc
Result<> sysv_shm(Machine&, TextBuilder& out);
Result<> sysv_msg(Machine&, TextBuilder& out);
Result<> sysv_sem(Machine&, TextBuilder& out);

// process_status.cc
Result<> stat(Subject& subject, TextBuilder& out);
Result<> statm(Subject& subject, TextBuilder& out);
Result<> status(Subject& subject, TextBuilder& out);
Result<> limits(Subject& subject, TextBuilder& out);
Result<> sched(Subject& subject, TextBuilder& out);
Result<> schedstat(Subject& subject, TextBuilder& out);

// process_memory.cc
Result<> cmdline(Subject& subject, TextBuilder& out);
Result<> environment(Subject& subject, TextBuilder& out);
Result<> auxv(Subject& subject, TextBuilder& out);
Result<> maps(Subject& subject, TextBuilder& out);
Result<> smaps(Subject& subject, TextBuilder& out);
Result<> smaps_rollup(Subject& subject, TextBuilder& out);

// process_mounts.cc
Result<> mounts(Subject& subject, TextBuilder& out);
Result<> mountinfo(Subject& subject, TextBuilder& out);
Result<> mountstats(Subject& subject, TextBuilder& out);

// process_controls.cc
Result<> comm(Subject& subject, TextBuilder& out);
Result<> set_comm(Subject& subject, std::string_view text);
Result<> oom_score(Subject& subject, TextBuilder& out);
Result<> oom_score_adj(Subject& subject, TextBuilder& out);
Result<> set_oom_score_adj(Subject& subject, std::string_view text);
Result<> oom_adj(Subject& subject, TextBuilder& out);
Result<> set_oom_adj(Subject& subject, std::string_view text);
Result<> timer_slack(Subject& subject, TextBuilder& out);
Result<> set_timer_slack(Subject& subject, std::string_view text);
Result<> personality(Subject& subject, TextBuilder& out);
Result<> id_map(Subject& subject, TextBuilder& out);
Result<> io(Subject& subject, TextBuilder& out);
Result<> children(Subject& subject, TextBuilder& out);

// process_links.cc
Result<> exe_text(Subject& subject, TextBuilder& out);
Result<> cwd_text(Subject& subject, TextBuilder& out);
Result<> root_text(Subject& subject, TextBuilder& out);
Result<Path> exe_path(Subject& subject);
Result<Path> cwd_path(Subject& subject);
Result<Path> root_path(Subject& subject);

/// EACCES unless the current task may look into the subject's process (process_facts.h).
Result<> check_inspect(Subject& subject, abi::OpenFlags);

}  // namespace lxss::procfs
