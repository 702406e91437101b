// The hosted pico backend for unit tests: lxcore's code in an ordinary process.
//
// One host thread plays all tasks, one at a time; a test says who runs. Guest memory is the
// test's own memory. Nothing here is Linux's semantics: those are the code under test.
#pragma once

#include <functional>
#include <memory>

#include "lxcore/kernel.h"

namespace lxss::fake {

/// A kernel without an instance around it. One at a time; made and destroyed by the test's
/// fixture. The calling thread holds the kernel lock as long as it lives.
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

  /// Copies from or to [begin, begin + size) fault until the next call.
  void make_inaccessible(const void* begin, usize size);

 private:
  friend struct Backend;
  std::unique_ptr<Kernel> kernel_;
  u64 fault_begin_ = 0, fault_end_ = 0;
};

}  // namespace lxss::fake
