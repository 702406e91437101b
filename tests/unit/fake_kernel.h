// A kernel without an instance around it, on the fake backend (pico/fake/fake.h).
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "lxcore/kernel.h"
#include "pico/fake/fake.h"

namespace lxss::fake {

/// One at a time; made and destroyed by the test's fixture. Its thread holds the kernel lock as
/// long as it lives, but for the time of run_at_once().
class Instance {
 public:
  Instance();
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  Kernel& kernel() { return *kernel_; }

  /// A process with one thread: root's credentials, no files, working directory and root at the
  /// kernel's root (which the test mounts), default limits. It is the child of init.
  Task& new_process();
  /// A thread of `task`'s process that shares all it has.
  Task& new_thread(Task& task);
  /// The task ends, as far as the tables are concerned.
  void forget(Task& task);

  /// pico::current() is `task` from now on.
  void run_as(Task& task);

  /// Called when the current task would sleep. It lets others act (run_as) and returns with the
  /// same task current. If the task is still not woken then, and has no deadline, the test fails.
  std::function<void()> on_block;

  /// Each of `tasks` plays `body` on a host thread of its own, as a guest's threads enter lxcore:
  /// all at once, without any lock. Returns when all have ended. A sleep is a real one.
  void run_at_once(std::span<Task* const> tasks, const std::function<void(Task&)>& body);

  /// Copies from or to [begin, begin + size) fault until the next call.
  void make_inaccessible(const void* begin, usize size) { fake::make_inaccessible(begin, size); }

 private:
  void play_all_tasks_here();

  std::unique_ptr<Kernel> kernel_;
};

}  // namespace lxss::fake
