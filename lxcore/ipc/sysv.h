// System V shared memory, semaphores and message queues: the objects, and what other parts
// need of them. The system calls are in syscalls/{shared_memory,semaphores,message_queues}.cc.
#pragma once

#include <list>
#include <span>
#include <vector>

#include "lxcore/ipc/sysv_object.h"

namespace lxss::ipc {

class SharedMemory final : public SysvObject {
 public:
  SharedMemory(const Task& creator, i32 key, u32 mode, usize size, host::UniqueFd memory);

  const usize size;
  const host::UniqueFd memory;
  usize attachments = 0;  ///< by shmat; those that fork copied count as one with theirs
  i64 attached = 0, detached = 0;
  i32 creator_pid, last_pid = 0;
  bool locked = false;
};

/// What an address space maps: one shmat, shared with the copies that fork makes.
class SharedMemoryFile final : public File {
 public:
  static constexpr char kKind = 0;
  explicit SharedMemoryFile(RefPtr<SharedMemory> segment);
  ~SharedMemoryFile() override;
  const void* kind() const override { return &kKind; }
  Result<MapSource> map() override { return MapSource{segment_->memory.get()}; }
  const SharedMemory& segment() const { return *segment_; }

 private:
  RefPtr<SharedMemory> segment_;
};

class SemaphoreSet;

/// The operations of a semop that cannot be done yet. Whoever changes the set does them for the
/// sleeper, so that nobody is woken who would sleep again. Held by the sleeping task.
class PendingSemop final : public RefCounted, public ListNode<PendingSemop> {
 public:
  PendingSemop(SemaphoreSet& set, Task& task, std::vector<abi::SemBuf> operations);
  /// Leaves the lists of the set.
  ~PendingSemop() override;

  enum class State : u8 { kWaiting, kDone, kFailed };

  const RefPtr<SemaphoreSet> set;
  Task& task;
  const std::vector<abi::SemBuf> operations;
  State state = State::kWaiting;
  Errno error{};       ///< kFailed
  usize blocking = 0;  ///< the operation that waits
};

/// Guarded by the kernel lock.
class SemaphoreSet final : public SysvObject {
 public:
  struct Semaphore {
    i32 value = 0;
    i32 pid = 0;  ///< of the last operation
    u32 waiting_increase = 0, waiting_zero = 0;
    List<PendingSemop> pending;  ///< single operations on it
  };
  SemaphoreSet(const Task& creator, i32 key, u32 mode, usize count)
      : SysvObject(creator, key, mode), semaphores(count) {}

  /// Performs all operations for `process` or none: the index of the one that would block, or the
  /// number of operations when all were done. ERANGE.
  Result<usize> perform(Pid process, std::span<const abi::SemBuf> operations);
  /// Sets a value (SETVAL, SETALL): the adjustments of all processes for it are void.
  void set_value(usize index, i32 value, Pid process);
  /// Does what became possible by changes of semaphore `index`, and wakes whom it was done for.
  void go_on(usize index);
  /// The same after `operations`, which were done.
  void go_on_after(std::span<const abi::SemBuf> operations);
  /// `pending` waits because of its operation `blocking`.
  void wait_in_list(PendingSemop& pending, usize blocking);
  /// It was removed: all sleepers learn of it.
  void end_all();
  /// What SEM_UNDO asks for at the end of `process`.
  void undo_all(Pid process);

  std::vector<Semaphore> semaphores;
  i64 operated = 0;

 private:
  friend class PendingSemop;
  /// True if some that changed the value were done.
  bool go_on_once(Semaphore& semaphore);
  /// True if it was done.
  bool try_pending(PendingSemop& pending);
  void finish(PendingSemop& pending, PendingSemop::State state, Errno error);
  void count_waiting(const PendingSemop& pending, i32 by);
  List<PendingSemop>& list_of(const PendingSemop& pending);
  /// The process's adjustments, made if it has none.
  std::vector<i32>& undo_of(Pid process);

  List<PendingSemop> several_;  ///< of more than one operation
  /// SEM_UNDO: what is to be added to each semaphore when a process ends.
  std::map<Pid, std::vector<i32>> undo_;
};

class MessageQueue final : public SysvObject {
 public:
  struct Message {
    i64 type;
    std::string text;
  };
  MessageQueue(const Task& creator, i32 key, u32 mode) : SysvObject(creator, key, mode) {}

  std::list<Message> messages;
  u64 bytes = 0;
  u64 max_bytes = abi::kMSGMNB;
  i64 sent = 0, received = 0;
  i32 last_sender = 0, last_receiver = 0;
  WaitQueue senders, receivers;
};

/// The instance's System V objects.
class Sysv final : public RefCounted {
 public:
  SysvTable<SharedMemory> segments{abi::kSHMMNI};
  SysvTable<SemaphoreSet> sets{abi::kSEMMNI};
  SysvTable<MessageQueue> queues{abi::kMSGMNI};
  /// Which processes have adjustments (SEM_UNDO) of which sets.
  std::set<std::pair<Pid, i32>> undo;
};
Sysv& sysv();

/// A task ends: its semaphore adjustments (SEM_UNDO) are undone with the process's last task.
void task_exited(Task& task);

}  // namespace lxss::ipc
