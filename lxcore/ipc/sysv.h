// System V shared memory, semaphores and message queues: the objects, and what other parts
// need of them. The system calls are in syscalls/{shared_memory,semaphores,message_queues}.cc.
#pragma once

#include <list>
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

class SemaphoreSet final : public SysvObject {
 public:
  struct Semaphore {
    i32 value = 0;
    i32 pid = 0;  ///< of the last operation
    u32 waiting_increase = 0, waiting_zero = 0;
  };
  SemaphoreSet(const Task& creator, i32 key, u32 mode, usize count)
      : SysvObject(creator, key, mode), semaphores(count) {}

  std::vector<Semaphore> semaphores;
  i64 operated = 0;
  WaitQueue changed_values;
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
  /// SEM_UNDO: what is to be added to each semaphore of a set when a process ends.
  std::map<std::pair<Pid, i32>, std::vector<i32>> undo;
};
Sysv& sysv();

/// A task ends: its semaphore adjustments (SEM_UNDO) are undone with the process's last task.
void task_exited(Task& task);

}  // namespace lxss::ipc
