// Semaphore sets: operations, done at once or when others make them possible.
#include <algorithm>

#include "lxcore/ipc/sysv.h"

namespace lxss::ipc {

PendingSemop::PendingSemop(SemaphoreSet& set, Task& task, std::vector<abi::SemBuf> operations)
    : set(&set), task(task), operations(std::move(operations)) {}

PendingSemop::~PendingSemop() {
  if (linked()) set->finish(*this, State::kFailed, Errno::kEINTR);
}

std::vector<i32>& SemaphoreSet::undo_of(Pid process) {
  auto& adjustments = undo_[process];
  if (adjustments.empty()) {
    adjustments.resize(semaphores.size());
    sysv().undo.insert({process, id});
  }
  return adjustments;
}

Result<usize> SemaphoreSet::perform(Pid process, std::span<const abi::SemBuf> operations) {
  std::vector<i32>* undo = nullptr;
  usize done = 0;
  Errno error{};
  for (; done < operations.size(); ++done) {
    const abi::SemBuf& operation = operations[done];
    i32& value = semaphores[operation.sem_num].value;
    if (operation.sem_op == 0) {
      if (value != 0) break;
      continue;
    }
    if (value + operation.sem_op < 0) break;
    if (value + operation.sem_op > abi::kSEMVMX) {
      error = Errno::kERANGE;
      break;
    }
    if (operation.sem_flg & abi::kSEM_UNDO) {
      if (!undo) undo = &undo_of(process);
      i32& adjustment = (*undo)[operation.sem_num];
      const i32 next = adjustment - operation.sem_op;
      if (next < -abi::kSEMAEM - 1 || next > abi::kSEMAEM) {
        error = Errno::kERANGE;
        break;
      }
      adjustment = next;
    }
    value += operation.sem_op;
  }
  if (done < operations.size()) {
    for (usize i = done; i-- > 0;) {
      const abi::SemBuf& operation = operations[i];
      semaphores[operation.sem_num].value -= operation.sem_op;
      if (operation.sem_flg & abi::kSEM_UNDO && operation.sem_op != 0) {
        (*undo)[operation.sem_num] += operation.sem_op;
      }
    }
    if (error != Errno{}) return error;
    return done;
  }
  for (const abi::SemBuf& operation : operations) {
    semaphores[operation.sem_num].pid = process.value;
  }
  operated = now_seconds();
  return done;
}

void SemaphoreSet::set_value(usize index, i32 value, Pid process) {
  semaphores[index].value = value;
  semaphores[index].pid = process.value;
  for (auto& [of, adjustments] : undo_) adjustments[index] = 0;
}

List<PendingSemop>& SemaphoreSet::list_of(const PendingSemop& pending) {
  if (pending.operations.size() > 1) return several_;
  return semaphores[pending.operations[0].sem_num].pending;
}

void SemaphoreSet::count_waiting(const PendingSemop& pending, i32 by) {
  const abi::SemBuf& operation = pending.operations[pending.blocking];
  Semaphore& semaphore = semaphores[operation.sem_num];
  u32& count = operation.sem_op == 0 ? semaphore.waiting_zero : semaphore.waiting_increase;
  count += static_cast<u32>(by);
}

void SemaphoreSet::wait_in_list(PendingSemop& pending, usize blocking) {
  pending.blocking = blocking;
  count_waiting(pending, 1);
  list_of(pending).push_back(pending);
}

void SemaphoreSet::finish(PendingSemop& pending, PendingSemop::State state, Errno error) {
  count_waiting(pending, -1);
  pending.unlink();
  pending.state = state;
  pending.error = error;
  wake_task(pending.task);
}

bool SemaphoreSet::try_pending(PendingSemop& pending) {
  auto done = perform(pending.task.process->pid, pending.operations);
  if (!done.ok()) {
    finish(pending, PendingSemop::State::kFailed, done.error());
    return false;
  }
  if (*done == pending.operations.size()) {
    finish(pending, PendingSemop::State::kDone, {});
    return true;
  }
  if (*done != pending.blocking) {
    count_waiting(pending, -1);
    pending.blocking = *done;
    count_waiting(pending, 1);
  }
  return false;
}

bool SemaphoreSet::go_on_once(Semaphore& semaphore) {
  bool changed = false;
  for (PendingSemop& pending : semaphore.pending) {
    // The rest waits for an increase.
    if (semaphore.value == 0 && semaphore.waiting_zero == 0) break;
    changed |= try_pending(pending) && pending.operations[0].sem_op != 0;
  }
  return changed;
}

void SemaphoreSet::go_on(usize index) {
  while (go_on_once(semaphores[index])) {
  }
  bool changed = !several_.empty();
  while (changed) {
    changed = false;
    for (PendingSemop& pending : several_) {
      if (!try_pending(pending)) continue;
      changed = true;
      for (const abi::SemBuf& operation : pending.operations) {
        while (go_on_once(semaphores[operation.sem_num])) {
        }
      }
    }
  }
}

void SemaphoreSet::go_on_after(std::span<const abi::SemBuf> operations) {
  for (const abi::SemBuf& operation : operations) {
    if (operation.sem_op != 0) go_on(operation.sem_num);
  }
}

void SemaphoreSet::end_all() {
  auto end = [this](List<PendingSemop>& list) {
    while (!list.empty()) finish(list.front(), PendingSemop::State::kFailed, Errno::kEIDRM);
  };
  end(several_);
  for (Semaphore& semaphore : semaphores) end(semaphore.pending);
  for (auto& [process, adjustments] : undo_) sysv().undo.erase({process, id});
  undo_.clear();
}

void SemaphoreSet::undo_all(Pid process) {
  auto found = undo_.find(process);
  if (found == undo_.end()) return;
  const std::vector<i32> adjustments = std::move(found->second);
  undo_.erase(found);
  for (usize i = 0; i < semaphores.size(); ++i) {
    if (adjustments[i] == 0) continue;
    // Linux: a value that cannot be lowered so far becomes 0.
    semaphores[i].value = std::clamp(semaphores[i].value + adjustments[i], 0, abi::kSEMVMX);
    semaphores[i].pid = process.value;
  }
  operated = now_seconds();
  for (usize i = 0; i < semaphores.size(); ++i) {
    if (adjustments[i] != 0) go_on(i);
  }
}

}  // namespace lxss::ipc
