// mlock and its kin (man 2 mlock).
#include "abi/linux/capability.h"
#include "host/memory.h"
#include "lxcore/mm/address_space_change.h"
#include "lxcore/task/process.h"

namespace lxss {

Result<> AddressSpace::may_lock(u64 more, Errno excess) const {
  const Task& task = Task::current();
  if (task.has_capability(abi::kCAP_IPC_LOCK)) return {};
  const u64 limit = task.limit(abi::kRLIMIT_MEMLOCK);
  if (limit == 0) return Errno::kEPERM;
  u64 locked = 0;
  for (auto& [begin, area] : areas) {
    if (area.locked) locked += area.size();
  }
  return locked + more <= limit ? Result<>() : Result<>(excess);
}

MemoryLock AddressSpace::lock_of_new(abi::MapFlags flags) const {
  if (future_lock_ != MemoryLock::kNone) return future_lock_;
  return flags.has(abi::MapFlag::kMAP_LOCKED) ? MemoryLock::kResident : MemoryLock::kNone;
}

/// Fails only by the host's limits: memory without access is locked, but cannot be made resident.
Result<> AddressSpace::lock_on_host(u64 begin, u64 size, MemoryLock lock) {
  TRY(host::lock_memory(begin, size, u32(abi::Mlock2Flag::kMLOCK_ONFAULT)));
  if (lock == MemoryLock::kResident) (void)host::lock_memory(begin, size, 0);
  return {};
}

Result<> AddressSpace::set_locked(u64 begin, u64 length, MemoryLock lock) {
  const u64 first = page_floor(begin);
  const u64 size = page_ceil(begin + length) - first;
  if (begin + length < begin) return Errno::kEINVAL;
  Change change(*this);
  if (lock != MemoryLock::kNone) TRY(may_lock(0, Errno::kENOMEM));
  if (size == 0) return {};
  if (!pico::is_user_range(first, size) || !is_mapped(first, size)) return Errno::kENOMEM;
  if (lock == MemoryLock::kNone) {
    TRY(host::unlock_memory(first, size));
  } else {
    u64 more = 0;
    for (auto at = first_behind(first); at != areas.end() && at->first < first + size; ++at) {
      const Area& area = at->second;
      if (!area.locked) more += std::min(area.end, first + size) - std::max(area.begin, first);
    }
    TRY(may_lock(more, Errno::kENOMEM));
    const bool on_fault = lock == MemoryLock::kOnFault;
    TRY(host::lock_memory(first, size, on_fault ? u32(abi::Mlock2Flag::kMLOCK_ONFAULT) : 0));
  }
  update(first, first + size, [lock](Area& area) { area.locked = lock != MemoryLock::kNone; });
  return {};
}

Result<> AddressSpace::set_all_locked(std::optional<MemoryLock> current, MemoryLock future) {
  Change change(*this);
  const bool locks = future != MemoryLock::kNone || current.value_or(future) != MemoryLock::kNone;
  if (locks) TRY(may_lock(0, Errno::kENOMEM));
  if (current && *current != MemoryLock::kNone) {
    u64 more = 0;
    for (auto& [begin, area] : areas) more += area.locked ? 0 : area.size();
    TRY(may_lock(more, Errno::kENOMEM));
  }
  future_lock_ = future;
  if (!current) return {};
  Result<> result;
  update(0, pico::kUserEnd, [&](Area& area) {
    // The host's own pages, which are no memory to lock.
    if (area.name[0] == '[' && area.name[1] == 'v') return;
    if (*current != MemoryLock::kNone) {
      auto locked = lock_on_host(area.begin, area.size(), *current);
      if (!locked) result = locked;
      area.locked |= locked.ok();
    } else if (area.locked) {
      MUST(host::unlock_memory(area.begin, area.size()));
      area.locked = false;
    }
  });
  return result;
}

}  // namespace lxss
