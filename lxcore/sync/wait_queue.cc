#include "lxcore/sync/wait_queue.h"

#include "lxcore/kernel.h"

namespace lxss {

TaskWaitEntry& wait_entry(Task& task) { return task.wait_entry; }

void wake_task(Task& task) {
  task.woken = true;
  task.wait_word.fetch_add(1, std::memory_order_release);
  // Pending from an earlier decision: that waker has not made its host call yet and its
  // call serves this decision too.
  if (task.wake_pending.exchange(true)) return;
  Task& self = Task::current();
  task.ref();
  task.next_to_wake = self.tasks_to_wake;
  self.tasks_to_wake = &task;
}

void TaskWaitEntry::notify(PollEvents) {
  if (task_->sleeping) wake_task(*task_);
}

namespace {

/// False at the deadline.
bool block(Task& task, host::Deadline deadline) {
  task.woken = false;
  task.sleeping = true;
  u32 seen = task.wait_word.load(std::memory_order_acquire);
  while (!task.woken) {
    kernel_lock().unlock();
    Result<> result =
        host::wait_word(reinterpret_cast<const u32*>(&task.wait_word), seen, deadline);
    kernel_lock().lock();
    if (result.is(Errno::kETIMEDOUT)) break;
    seen = task.wait_word.load(std::memory_order_acquire);
  }
  task.sleeping = false;
  return task.woken;
}

}  // namespace

Result<> sleep(Task& task, host::Deadline deadline) {
  if (signals::interrupted(task)) return Errno::kERESTARTSYS;
  if (!block(task, deadline)) return Errno::kETIMEDOUT;
  if (signals::interrupted(task)) return Errno::kERESTARTSYS;
  return {};
}

Result<> sleep_killable(Task& task) {
  if (signals::killed(task)) return Errno::kEINTR;
  block(task, std::nullopt);
  if (signals::killed(task)) return Errno::kEINTR;
  return {};
}

Result<usize> sleep_on_host(Task& task, std::span<abi::PollFd> host_fds, host::Deadline deadline) {
  if (signals::interrupted(task)) return Errno::kERESTARTSYS;
  task.woken = false;
  task.sleeping = true;
  task.waits_in_host = true;
  kernel_lock().unlock();
  Result<usize> ready = host::poll(host_fds, deadline);
  kernel_lock().lock();
  task.sleeping = false;
  task.waits_in_host = false;
  if (signals::interrupted(task)) return Errno::kERESTARTSYS;
  if (ready.is(Errno::kEINTR)) return usize{0};
  if (ready.ok() && ready.value() == 0 && !task.woken && deadline) return Errno::kETIMEDOUT;
  return ready;
}

}  // namespace lxss
