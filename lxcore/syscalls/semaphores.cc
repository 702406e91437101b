// System V semaphores (man 2 semget, semop, semctl).
#include <algorithm>

#include "lxcore/ipc/sysv.h"
#include "lxcore/syscalls/ipc.h"
#include "lxcore/time/clocks.h"

namespace lxss::sys {

namespace {

using ipc::PendingSemop;
using ipc::SemaphoreSet;
using ipc::sysv;

constexpr i16 kNoWait = static_cast<i16>(abi::IpcFlag::kIPC_NOWAIT);

/// Sleeps until others have made the operations possible, or for what else ends the wait.
Result<> sleep_for(Task& task, SemaphoreSet& set, std::vector<abi::SemBuf> operations,
                   usize blocking, host::Deadline deadline) {
  using State = PendingSemop::State;
  auto pending = make_ref<PendingSemop>(set, task, std::move(operations));
  set.wait_in_list(*pending, blocking);
  task.waiting_semop = pending;
  Result<> slept;
  while (slept.ok() && pending->state == State::kWaiting) slept = sleep(task, deadline);
  task.waiting_semop = nullptr;
  switch (pending->state) {
    case State::kDone:
      return {};
    case State::kFailed:
      return pending->error;
    case State::kWaiting:
      break;
  }
  // Never restarted (man 7 signal).
  return slept.is(Errno::kETIMEDOUT) ? Errno::kEAGAIN : Errno::kEINTR;
}

Result<> operate(Task& task, i32 id, UserIn<abi::SemBuf> user, usize count,
                 host::Deadline deadline) {
  if (count < 1 || id < 0) return Errno::kEINVAL;
  if (count > usize(abi::kSEMOPM)) return Errno::kE2BIG;
  std::vector<abi::SemBuf> operations(count);
  TRY(copy_in(operations.data(), user.address, count * sizeof(abi::SemBuf)));
  KernelLock::Held held;
  RefPtr<SemaphoreSet> set = TRY(sysv().sets.find(id));
  bool alters = false;
  for (const abi::SemBuf& operation : operations) {
    if (operation.sem_num >= set->semaphores.size()) return Errno::kEFBIG;
    alters |= operation.sem_op != 0;
  }
  TRY(set->check_access(task, alters ? ipc::kMayWrite : ipc::kMayRead));
  const usize done = TRY(set->perform(task.process->pid, operations));
  if (done == count) {
    if (alters) set->go_on_after(operations);
    return {};
  }
  if (operations[done].sem_flg & kNoWait) return Errno::kEAGAIN;
  return sleep_for(task, *set, std::move(operations), done, deadline);
}

Result<i32> status(Task& task, i32 id, i32 command, UserAddr buffer) {
  const bool by_slot = command != abi::kIPC_STAT;
  i32 result = 0;
  abi::SemidDs out{};
  auto look = [&]() -> Result<> {
    KernelLock::Held held;
    RefPtr<SemaphoreSet> set = TRY(by_slot ? sysv().sets.at(id) : sysv().sets.find(id));
    if (command != abi::kSEM_STAT_ANY) TRY(set->check_access(task, ipc::kMayRead));
    out.sem_perm = set->permissions();
    out.sem_otime = set->operated;
    out.sem_ctime = set->changed;
    out.sem_nsems = set->semaphores.size();
    if (by_slot) result = set->id;
    return {};
  };
  TRY(look());
  TRY(copy_out(buffer, &out, sizeof out));
  return result;
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
  kernel_lock().lock();
  const i32 highest = sysv().sets.highest();
  if (command == abi::kSEM_INFO) {
    info.semusz = static_cast<i32>(sysv().sets.size());
    info.semaem = 0;
    for (auto& [slot, set] : sysv().sets.all()) info.semaem += i32(set->semaphores.size());
  }
  kernel_lock().unlock();
  TRY(copy_out(buffer, &info, sizeof info));
  return highest;
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
  set.set_value(static_cast<usize>(index), value, task.process->pid);
  set.changed = ipc::now_seconds();
  set.go_on(static_cast<usize>(index));
  return 0;
}

Result<i32> get_all(Task& task, i32 id, UserAddr buffer) {
  std::vector<u16> values;
  auto look = [&]() -> Result<> {
    KernelLock::Held held;
    RefPtr<SemaphoreSet> set = TRY(sysv().sets.find(id));
    TRY(set->check_access(task, ipc::kMayRead));
    for (const auto& semaphore : set->semaphores) {
      values.push_back(static_cast<u16>(semaphore.value));
    }
    return {};
  };
  TRY(look());
  TRY(copy_out(buffer, values.data(), values.size() * sizeof(u16)));
  return 0;
}

Result<i32> set_all(Task& task, i32 id, UserAddr buffer) {
  RefPtr<SemaphoreSet> set;
  auto find = [&]() -> Result<> {
    KernelLock::Held held;
    set = TRY(sysv().sets.find(id));
    return set->check_access(task, ipc::kMayWrite);
  };
  TRY(find());
  std::vector<u16> values(set->semaphores.size());
  TRY(copy_in(values.data(), buffer, values.size() * sizeof(u16)));
  for (u16 value : values) {
    if (value > abi::kSEMVMX) return Errno::kERANGE;
  }
  KernelLock::Held held;
  if (set->removed) return Errno::kEIDRM;
  for (usize i = 0; i < values.size(); ++i) set->set_value(i, values[i], task.process->pid);
  set->changed = ipc::now_seconds();
  for (usize i = 0; i < values.size(); ++i) set->go_on(i);
  return 0;
}

}  // namespace

Result<i32> semget(UnlockedTask task, i32 key, i32 count, u32 flags) {
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

Result<> semop(UnlockedTask task, i32 id, UserIn<abi::SemBuf> operations, usize count) {
  return operate(task, id, operations, count, std::nullopt);
}

Result<> semtimedop(UnlockedTask task, i32 id, UserIn<abi::SemBuf> operations, usize count,
                    UserIn<abi::Timespec> timeout) {
  host::Deadline deadline;
  if (timeout) deadline = clocks::deadline_after(TRY(clocks::to_ns(TRY(timeout.read()))));
  return operate(task, id, operations, count, deadline);
}

Result<i32> semctl(UnlockedTask task, i32 id, i32 index, i32 command, u64 argument) {
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
      KernelLock::Held held;
      RefPtr<SemaphoreSet> set = TRY(sysv().sets.find(id));
      TRY(set->check_owner(task));
      TRY(set->set_permissions(wanted.sem_perm));
      return 0;
    }
    case abi::kIPC_RMID: {
      KernelLock::Held held;
      RefPtr<SemaphoreSet> set = TRY(sysv().sets.find(id));
      TRY(set->check_owner(task));
      sysv().sets.remove(*set);
      set->end_all();
      return 0;
    }
    case abi::kGETALL:
      return get_all(task, id, buffer);
    case abi::kSETALL:
      return set_all(task, id, buffer);
    case abi::kGETVAL:
    case abi::kGETPID:
    case abi::kGETNCNT:
    case abi::kGETZCNT:
    case abi::kSETVAL: {
      KernelLock::Held held;
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
