// The kernel's allocator: all mutable kernel state lives in the arena.
// operator new and delete are its interface; it has its own locks, the innermost of all.
#pragma once

#include "lxcore/mm/heap_cache.h"

namespace lxss {
class Task;
}

namespace lxss::heap {

/// Largest single allocation, in bytes.
inline constexpr usize kMaxAllocation = usize{64} << 20;

/// Takes [begin, begin + size) of zeroed shared memory. Once, by the first process.
void initialise(u64 begin, u64 size);
/// From here on whoever allocates is a task (Task::current()).
void use_task_caches();

struct Statistics {
  u64 pages_in_use = 0;  ///< what threads keep free for themselves is in use
  u64 pages_limit = 0;
  u64 lost_bytes = 0;  ///< the most that deaths in the allocator can have cost
};
/// Without a lock.
Statistics statistics();

/// False when less than the reserve is left: calls that create objects for the guest then
/// fail with ENOMEM, so that calls which release them always can allocate. One load of a flag.
bool has_room();

/// A task's own cache (heap_cache.h). It goes back when the thread ends, or with the Task.
class TaskCache {
 public:
  explicit TaskCache(const Task& task) : task_(task) {}
  ~TaskCache() { give_back(); }
  TaskCache(const TaskCache&) = delete;
  TaskCache& operator=(const TaskCache&) = delete;

  /// By the task itself, or by the monitor when the host has ended it.
  void give_back();
  /// Only the task itself, while it runs.
  ThreadCache& own() { return cache_; }

 private:
  const Task& task_;  ///< whose member this is
  ThreadCache cache_;
};

/// The monitor has reaped a pico process: what its threads were changing in the heap is put in
/// order. Before anything else that could allocate.
void host_process_died(i32 host_process);

}  // namespace lxss::heap
