// A host process was killed from outside (DESIGN.md: a death costs what it held).
//
// In guest code that is the guest process's SIGKILL. Inside lxcore each dead thread's record of
// locks says what it was changing. What was the process's own goes with it. What is marked so
// (AfterDeath::kAbandon) is given up: objects that can be thrown away are broken for their users,
// what the host knows better is read again. Anything else is torn for all, and the instance stops
// with one sentence. References on the dead stacks are leaked.
#include "base/text.h"
#include "lxcore/control/launch.h"
#include "lxcore/ipc/sysv.h"
#include "lxcore/kernel.h"
#include "lxcore/task/lifecycle.h"
#include "lxcore/task/names_in_proc.h"

namespace lxss::lifecycle {

namespace {

const char* what_is_guarded(LockRank rank) {
  switch (rank) {
    case LockRank::kKernel:
      return "processes and signals";
    case LockRank::kFileSystem:
      return "a file system";
    case LockRank::kDescriptors:
      return "a descriptor table that others use";
    case LockRank::kPaths:
      return "roots and working directories";
    case LockRank::kDentries:
      return "names of files";
    case LockRank::kMounts:
      return "mounts";
    case LockRank::kObject:
    case LockRank::kPeer:
      return "a pipe, socket, terminal or event set";
    case LockRank::kInode:
      return "a file";
    case LockRank::kNames:
      return "a table of names";
    case LockRank::kWatches:
      return "watches of files";
    case LockRank::kFileLocks:
      return "locks of files";
    case LockRank::kTimers:
      return "timers";
    case LockRank::kWaking:
      return "a queue of waiters";
    case LockRank::kLeaf:
      return "a table of the kernel's";
  }
  return "something";
}

void describe(TextBuilder& out, const Task& dead) {
  out << "thread " << dead.tid.value << " (" << dead.comm.data() << ") in system call "
      << dead.system_call;
}

[[noreturn]] void stop_for(const Task& dead, const char* guarded) {
  TextBuilder line;
  line << "The host killed ";
  describe(line, dead);
  line << " while it was changing " << guarded
       << ", which all processes share; the instance stops.";
  stop_instance(line.view());
}

/// Which process's host process it was; null if that has ended or lives on in another.
RefPtr<Process> find_victim(const pico::Death& death, const RefPtr<Process>& registered) {
  if (registered && registered->thread_count != 0 &&
      registered->host_process == death.host_process) {
    return registered;
  }
  // Not registered yet, or on its way to another host process (exec of a vfork child).
  for (auto& [tid, task] : kernel().tasks) {
    if (task->host_thread == death.host_process && task->process->host_process == 0) {
      return task->process;
    }
  }
  return nullptr;
}

class Undertaker {
 public:
  explicit Undertaker(Process& process) : process_(&process) {}

  /// Stops the instance if anything is torn that others need.
  void settle_locks() {
    for (Task& dead : process_->threads) {
      for (LockWord* lock : dead.held.locks) {
        if (lock && lock->owner() == dead.host_thread) settle(*lock, dead);
      }
      settle_memory(dead);
    }
  }

  /// Undoes what the threads were in the middle of, and ends the process.
  void bury() {
    process_->exiting = true;
    process_->exit_status = abi::wait_status_signaled(abi::kSIGKILL, false);
    if (process_->state == ProcessState::kStopped) process_->state = ProcessState::kRunning;
    for (Task& dead : process_->threads) undo(dead);
    if (abandoned_) wake_everyone();
    if (process_->launch) launches::ended(*process_);
    give_up_memory();
    while (!process_->threads.empty()) end(process_->threads.front());
    process_->child_events.wake();
  }

 private:
  void settle(LockWord& lock, const Task& dead) {
    if (lock.rank() == LockRank::kDescriptors && dead.files &&
        dead.files->lock_owner() == dead.host_thread) {
      if (used_by_others(*dead.files)) stop_for(dead, what_is_guarded(lock.rank()));
      torn_files_ = dead.files.get();
      return;
    }
    if (lock.after_death() == AfterDeath::kStop) stop_for(dead, what_is_guarded(lock.rank()));
    if (lock.is_short()) {
      static_cast<Lock&>(lock).abandon(dead.host_thread);
    } else {
      static_cast<SleepLock&>(lock).abandon(dead.host_thread);
    }
    ++kernel().deaths.broken_objects;
    abandoned_ = true;
  }

  bool used_by_others(const FdTable& files) const {
    u32 own = 0;
    for (Task& thread : process_->threads) {
      own += thread.files.get() == &files && !thread.has_left_files;
    }
    return files.users() > own;
  }

  u32 own_share(const AddressSpace& memory) const {
    u32 own = 0;
    for (Task& thread : process_->threads) {
      own += thread.memory.get() == &memory && !thread.has_left_memory;
    }
    return own;
  }

  void settle_memory(const Task& dead) {
    if (dead.in_kernel == pico::Thread::kInGuest) return;
    AddressSpace& own = *dead.memory;
    if (own.mutex.owner() == dead.host_thread) {
      if (own.task_count > own_share(own)) stop_for(dead, "memory that its parent uses");
      own.abandon();
    }
    // It may have been reading another's list of areas.
    for (auto& [tid, task] : kernel().tasks) {
      if (task->memory) task->memory->abandon_reader(dead.host_thread);
    }
  }

  static void undo(Task& dead) {
    kernel().lock_waits.forget(dead.host_thread);
    wake_decided_by(dead.held);
    for (TaskWaitEntry& entry : dead.wait_entries) entry.unlink_dead();
    for (File*& file : dead.borrowed) {
      if (file) std::exchange(file, nullptr)->unref();
    }
    dead.waiting_semop = nullptr;
    dead.epoch.leave();
    dead.heap_cache.give_back();
    if (RefPtr<Task> child = std::move(dead.starting)) {
      // On the host already, it goes on: its parent's end is nothing to it.
      if (child->process && child->process != dead.process && child->host_thread == 0) {
        discard(*child);
      }
    }
  }

  /// Waits that ended with what was broken look again.
  static void wake_everyone() {
    for (auto& [tid, task] : kernel().tasks) wake_task(*task);
  }

  void give_up_memory() {
    RefPtr<AddressSpace> memory = process_->threads.front().memory;
    const bool last = memory->task_count == own_share(*memory);
    KernelLock::Released released;
    if (last) memory->forget_all();
  }

  void end(Task& dead) {
    RefPtr<Task> pinned(&dead);
    ipc::task_exited(dead);
    if (dead.files) give_up_files(dead);
    dead.fs = nullptr;
    dead.ListNode<ThreadTag>::unlink();
    if (process_->leader == &dead) process_->leader = nullptr;
    dead.pending.discard_all();
    dead.actions->leave();
    if (--process_->thread_count == 0) end_of_process(*process_, dead);
    forget_task(dead);
    procfs::forget_thread(*process_, dead.tid);
    dead.process = nullptr;
    if (!dead.has_left_memory) --dead.memory->task_count;
    dead.memory = nullptr;
  }

  void give_up_files(Task& dead) {
    RefPtr<FdTable> files = std::move(dead.files);
    if (files.get() == torn_files_) {
      ++kernel().deaths.leaked_tables;
      (void)files.leak();
      return;
    }
    KernelLock::Released released;
    if (!dead.has_left_files) {
      files->release(*process_);
    } else if (files->users() == 0) {
      files->close_all(*process_);
    }
  }

  RefPtr<Process> process_;
  FdTable* torn_files_ = nullptr;
  bool abandoned_ = false;
};

/// Which of its threads was inside lxcore, in words; empty if none was.
std::string who_was_inside(Process& process) {
  const Task* inside = nullptr;
  for (Task& thread : process.threads) {
    if (thread.in_kernel == pico::Thread::kInKernel && !thread.sleeping) inside = &thread;
  }
  TextBuilder who;
  if (inside) describe(who, *inside);
  return who.take();
}

void count(const std::string& inside) {
  if (inside.empty()) {
    ++kernel().deaths.in_guest;
    return;
  }
  ++kernel().deaths.in_kernel;
  TextBuilder line;
  line << "the host killed " << inside << "; " << kernel().deaths.in_kernel << " such deaths, "
       << kernel().deaths.broken_objects << " broken objects, " << kernel().deaths.leaked_tables
       << " leaked descriptor tables";
  log_line(line.view());
}

}  // namespace

void host_process_died(const pico::Death& death) {
  heap::host_process_died(death.host_process);
  Kernel& k = kernel();
  RefPtr<Process> registered;
  RefPtr<AddressSpace> memory;
  if (auto at = k.host_processes.find(death.host_process); at != k.host_processes.end()) {
    registered = std::move(at->second.process);
    memory = std::move(at->second.memory);
    k.host_processes.erase(at);
  }
  // One that leaves by itself has ended its tasks, or handed its task on (exec after vfork).
  if (death.killed) {
    if (RefPtr<Process> victim = find_victim(death, registered)) {
      Undertaker undertaker(*victim);
      const std::string inside = who_was_inside(*victim);
      undertaker.settle_locks();
      undertaker.bury();
      count(inside);
    }
  }
  // Last references go without the lock: an address space is large.
  KernelLock::Released released;
  registered = nullptr;
  memory = nullptr;
}

void stop_instance(std::string_view sentence) {
  log_line(sentence);
  pico::exit_process();
}

}  // namespace lxss::lifecycle
