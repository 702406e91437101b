// System V semaphores (man 2 semget, semop, semctl).
#include <algorithm>

#include "lxcore/ipc/sysv.h"
#include "lxcore/syscalls/ipc.h"
#include "lxcore/time/clocks.h"

namespace lxss::sys {

namespace {

using ipc::SemaphoreSet;
using ipc::sysv;

constexpr i16 kNoWait = static_cast<i16>(abi::IpcFlag::kIPC_NOWAIT);

using Operations = std::span<const abi::SemBuf>;

/// The process's adjustments of a set, made if it has none.
std::vector<i32>& undo_of(const Task& task, const SemaphoreSet& set) {
  auto& adjustments = sysv().undo[{task.process->pid, set.id}];
  adjustments.resize(set.semaphores.size());
  return adjustments;
}

/// A changed set's values make every process's adjustments of `index` (or of all: -1) void.
void forget_undo(const SemaphoreSet& set, i32 index) {
  for (auto& [key, adjustments] : sysv().undo) {
    if (key.second != set.id) continue;
    for (i32 i = 0; i < static_cast<i32>(adjustments.size()); ++i) {
      if (index < 0 || i == index) adjustments[i] = 0;
    }
  }
}

/// Performs all operations or none: the index of the one that would block, or the number of
/// operations when all were done. ERANGE.
Result<usize> perform(Task& task, SemaphoreSet& set, Operations operations) {
  std::vector<i32> values;
  for (const auto& semaphore : set.semaphores) values.push_back(semaphore.value);
  std::vector<i32> undo;
  for (usize i = 0; i < operations.size(); ++i) {
    const abi::SemBuf& operation = operations[i];
    i32& value = values[operation.sem_num];
    if (operation.sem_op == 0) {
      if (value != 0) return i;
      continue;
    }
    if (value + operation.sem_op < 0) return i;
    value += operation.sem_op;
    if (value > abi::kSEMVMX) return Errno::kERANGE;
    if (operation.sem_flg & abi::kSEM_UNDO) {
      if (undo.empty()) undo = undo_of(task, set);
      i32& adjustment = undo[operation.sem_num];
      adjustment -= operation.sem_op;
      if (adjustment < -abi::kSEMAEM - 1 || adjustment > abi::kSEMAEM) return Errno::kERANGE;
    }
  }
  for (const abi::SemBuf& operation : operations) {
    auto& semaphore = set.semaphores[operation.sem_num];
    semaphore.value = values[operation.sem_num];
    semaphore.pid = task.process->pid.value;
  }
  if (!undo.empty()) undo_of(task, set) = std::move(undo);
  set.operated = ipc::now_seconds();
  set.changed_values.wake();
  return operations.size();
}

/// Sleeps while `blocking` would block, counted for GETNCNT and GETZCNT.
Result<> wait_for_change(Task& task, SemaphoreSet& set, const abi::SemBuf& blocking,
                         host::Deadline deadline) {
  auto& semaphore = set.semaphores[blocking.sem_num];
  u32& waiting = blocking.sem_op == 0 ? semaphore.waiting_zero : semaphore.waiting_increase;
  ++waiting;
  set.changed_values.add(task.wait_entry);
  auto slept = sleep(task, deadline);
  task.wait_entry.unlink();
  --waiting;
  if (set.removed) return Errno::kEIDRM;
  return slept;
}

Result<> operate(Task& task, i32 id, UserIn<abi::SemBuf> user, usize count,
                 host::Deadline deadline) {
  if (count < 1 || id < 0) return Errno::kEINVAL;
  if (count > usize(abi::kSEMOPM)) return Errno::kE2BIG;
  std::vector<abi::SemBuf> operations(count);
  TRY(copy_in(operations.data(), user.address, count * sizeof(abi::SemBuf)));
  RefPtr<SemaphoreSet> set = TRY(sysv().sets.find(id));
  bool alters = false;
  for (const abi::SemBuf& operation : operations) {
    if (operation.sem_num >= set->semaphores.size()) return Errno::kEFBIG;
    alters |= operation.sem_op != 0;
  }
  TRY(set->check_access(task, alters ? ipc::kMayWrite : ipc::kMayRead));
  for (;;) {
    const usize done = TRY(perform(task, *set, operations));
    if (done == count) return {};
    if (operations[done].sem_flg & kNoWait) return Errno::kEAGAIN;
    auto waited = wait_for_change(task, *set, operations[done], deadline);
    if (waited.is(Errno::kETIMEDOUT)) return Errno::kEAGAIN;
    // Never restarted (man 7 signal).
    if (waited.is(Errno::kERESTARTSYS)) return Errno::kEINTR;
    TRY(std::move(waited));
  }
}

Result<i32> status(Task& task, i32 id, i32 command, UserAddr buffer) {
  const bool by_slot = command != abi::kIPC_STAT;
  RefPtr<SemaphoreSet> set = TRY(by_slot ? sysv().sets.at(id) : sysv().sets.find(id));
  if (command != abi::kSEM_STAT_ANY) TRY(set->check_access(task, ipc::kMayRead));
  abi::SemidDs out{};
  out.sem_perm = set->permissions();
  out.sem_otime = set->operated;
  out.sem_ctime = set->changed;
  out.sem_nsems = set->semaphores.size();
  TRY(copy_out(buffer, &out, sizeof out));
  return by_slot ? set->id : 0;
}

Result<i32> information(i32 command, UserAddr buffer) {
  abi::SemInfo info{.semmap = abi::kSEMMNS,
                    .semmni = abi::kSEMMNI,
                    .semmns = abi::kSEMMNS,
                    .semmnu = abi::kSEMMNS,
                    .semmsl = abi::kSEMMSL,
                    .semopm = abi::kSEMOPM,
                    .semume = abi::kSEMOPM,
                    .semusz = 20,
                    .semvmx = abi::kSEMVMX,
                    .semaem = abi::kSEMAEM};
  if (command == abi::kSEM_INFO) {
    info.semusz = static_cast<i32>(sysv().sets.size());
    info.semaem = 0;
    for (auto& [slot, set] : sysv().sets.all()) info.semaem += i32(set->semaphores.size());
  }
  TRY(copy_out(buffer, &info, sizeof info));
  return sysv().sets.highest();
}

Result<i32> get_one(const SemaphoreSet::Semaphore& semaphore, i32 command) {
  switch (command) {
    case abi::kGETVAL:
      return semaphore.value;
    case abi::kGETPID:
      return semaphore.pid;
    case abi::kGETNCNT:
      return static_cast<i32>(semaphore.waiting_increase);
    default:
      return static_cast<i32>(semaphore.waiting_zero);
  }
}

Result<i32> set_one(Task& task, SemaphoreSet& set, i32 index, i32 value) {
  if (value < 0 || value > abi::kSEMVMX) return Errno::kERANGE;
  TRY(set.check_access(task, ipc::kMayWrite));
  set.semaphores[static_cast<usize>(index)].value = value;
  set.semaphores[static_cast<usize>(index)].pid = task.process->pid.value;
  forget_undo(set, index);
  set.changed = ipc::now_seconds();
  set.changed_values.wake();
  return 0;
}

Result<i32> get_or_set_all(Task& task, SemaphoreSet& set, i32 command, UserAddr buffer) {
  std::vector<u16> values(set.semaphores.size());
  const usize size = values.size() * sizeof(u16);
  if (command == abi::kGETALL) {
    TRY(set.check_access(task, ipc::kMayRead));
    for (usize i = 0; i < values.size(); ++i) values[i] = static_cast<u16>(set.semaphores[i].value);
    TRY(copy_out(buffer, values.data(), size));
    return 0;
  }
  TRY(set.check_access(task, ipc::kMayWrite));
  TRY(copy_in(values.data(), buffer, size));
  for (u16 value : values) {
    if (value > abi::kSEMVMX) return Errno::kERANGE;
  }
  for (usize i = 0; i < values.size(); ++i) {
    set.semaphores[i].value = values[i];
    set.semaphores[i].pid = task.process->pid.value;
  }
  forget_undo(set, -1);
  set.changed = ipc::now_seconds();
  set.changed_values.wake();
  return 0;
}

}  // namespace

Result<i32> semget(Task& task, i32 key, i32 count, u32 flags) {
  if (count < 0 || count > abi::kSEMMSL) return Errno::kEINVAL;
  auto check = [&](const SemaphoreSet& set) -> Result<> {
    if (usize(count) > set.semaphores.size()) return Errno::kEINVAL;
    return {};
  };
  auto create = [&]() -> Result<RefPtr<SemaphoreSet>> {
    if (count == 0) return Errno::kEINVAL;
    return make_ref<SemaphoreSet>(task, key, flags, usize(count));
  };
  return sysv().sets.get(task, key, flags, check, create);
}

Result<> semop(Task& task, i32 id, UserIn<abi::SemBuf> operations, usize count) {
  return operate(task, id, operations, count, std::nullopt);
}

Result<> semtimedop(Task& task, i32 id, UserIn<abi::SemBuf> operations, usize count,
                    UserIn<abi::Timespec> timeout) {
  host::Deadline deadline;
  if (timeout) deadline = clocks::deadline_after(TRY(clocks::to_ns(TRY(timeout.read()))));
  return operate(task, id, operations, count, deadline);
}

Result<i32> semctl(Task& task, i32 id, i32 index, i32 command, u64 argument) {
  if (id < 0) return Errno::kEINVAL;
  command &= ~abi::kIPC_64;
  const UserAddr buffer{argument};
  switch (command) {
    case abi::kIPC_INFO:
    case abi::kSEM_INFO:
      return information(command, buffer);
    case abi::kIPC_STAT:
    case abi::kSEM_STAT:
    case abi::kSEM_STAT_ANY:
      return status(task, id, command, buffer);
    case abi::kIPC_SET: {
      const auto wanted = TRY(UserIn<abi::SemidDs>{buffer}.read());
      RefPtr<SemaphoreSet> set = TRY(sysv().sets.find(id));
      TRY(set->check_owner(task));
      TRY(set->set_permissions(wanted.sem_perm));
      return 0;
    }
    case abi::kIPC_RMID: {
      RefPtr<SemaphoreSet> set = TRY(sysv().sets.find(id));
      TRY(set->check_owner(task));
      sysv().sets.remove(*set);
      std::erase_if(sysv().undo, [&](const auto& entry) { return entry.first.second == id; });
      set->changed_values.wake();
      return 0;
    }
    case abi::kGETALL:
    case abi::kSETALL:
      return get_or_set_all(task, *TRY(sysv().sets.find(id)), command, buffer);
    case abi::kGETVAL:
    case abi::kGETPID:
    case abi::kGETNCNT:
    case abi::kGETZCNT:
    case abi::kSETVAL: {
      RefPtr<SemaphoreSet> set = TRY(sysv().sets.find(id));
      if (index < 0 || usize(index) >= set->semaphores.size()) return Errno::kEINVAL;
      if (command == abi::kSETVAL) return set_one(task, *set, index, static_cast<i32>(argument));
      TRY(set->check_access(task, ipc::kMayRead));
      return get_one(set->semaphores[usize(index)], command);
    }
    default:
      return Errno::kEINVAL;
  }
}

}  // namespace lxss::sys
