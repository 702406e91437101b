// System V shared memory (man 2 shmget, shmop, shmctl): memory objects of the host.
#include <algorithm>

#include "host/file.h"
#include "host/memory.h"
#include "lxcore/ipc/sysv.h"
#include "lxcore/syscalls/ipc.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::sys {

namespace {

using abi::MapFlag;
using abi::ProtFlag;
using abi::ShmFlag;
using ipc::SharedMemory;
using ipc::SharedMemoryFile;

/// The attachment that an area maps, or null.
SharedMemoryFile* attachment_of(const Area& area) {
  return area.file ? file_as<SharedMemoryFile>(*area.file) : nullptr;
}

/// How many address spaces have the segment attached, each attachment counted. Without the kernel
/// lock.
u64 count_attachments(const SharedMemory& segment) {
  std::vector<RefPtr<AddressSpace>> spaces;
  {
    KernelLock::Held held;
    for (auto& [tid, task] : kernel().tasks) {
      if (task->memory) spaces.push_back(task->memory);
    }
  }
  std::sort(spaces.begin(), spaces.end());
  spaces.erase(std::unique(spaces.begin(), spaces.end()), spaces.end());
  u64 count = 0;
  for (auto& space : spaces) {
    MutexHeld held(space->mutex);
    std::vector<const SharedMemoryFile*> seen;
    for (auto& [begin, area] : space->areas) {
      const SharedMemoryFile* file = attachment_of(area);
      if (!file || &file->segment() != &segment) continue;
      if (std::find(seen.begin(), seen.end(), file) == seen.end()) seen.push_back(file);
    }
    count += seen.size();
  }
  return count;
}

Result<i32> status(Task& task, i32 id, i32 command, UserAddr buffer) {
  auto& segments = ipc::sysv().segments;
  const bool by_slot = command != abi::kIPC_STAT;
  RefPtr<SharedMemory> segment;
  auto find = [&]() -> Result<> {
    KernelLock::Held held;
    segment = TRY(by_slot ? segments.at(id) : segments.find(id));
    if (command != abi::kSHM_STAT_ANY) TRY(segment->check_access(task, ipc::kMayRead));
    return {};
  };
  TRY(find());
  abi::ShmidDs out{};
  out.shm_nattch = count_attachments(*segment);
  kernel_lock().lock();
  const i32 result = by_slot ? segment->id : 0;
  out.shm_perm = segment->permissions();
  if (segment->locked) out.shm_perm.mode |= abi::kSHM_LOCKED;
  out.shm_segsz = segment->size;
  out.shm_atime = segment->attached;
  out.shm_dtime = segment->detached;
  out.shm_ctime = segment->changed;
  out.shm_cpid = segment->creator_pid;
  out.shm_lpid = segment->last_pid;
  kernel_lock().unlock();
  TRY(copy_out(buffer, &out, sizeof out));
  return result;
}

Result<i32> information(i32 command, UserAddr buffer) {
  auto& segments = ipc::sysv().segments;
  if (command == abi::kIPC_INFO) {
    abi::ShmLimits limits{};
    limits.shmmax = abi::kSHMMAX;
    limits.shmmin = abi::kSHMMIN;
    limits.shmmni = abi::kSHMMNI;
    limits.shmseg = abi::kSHMSEG;
    limits.shmall = abi::kSHMALL;
    TRY(copy_out(buffer, &limits, sizeof limits));
  } else {
    abi::ShmInfo info{};
    {
      KernelLock::Held held;
      info.used_ids = static_cast<i32>(segments.size());
      for (auto& [slot, segment] : segments.all()) {
        info.shm_tot += page_ceil(segment->size) / kPageSize;
      }
    }
    info.shm_rss = info.shm_tot;
    TRY(copy_out(buffer, &info, sizeof info));
  }
  KernelLock::Held held;
  return segments.highest();
}

}  // namespace

Result<i32> shmget(UnlockedTask task, i32 key, usize size, u32 flags) {
  auto check = [&](const SharedMemory& segment) -> Result<> {
    if (size > segment.size) return Errno::kEINVAL;
    return {};
  };
  auto create = [&]() -> Result<RefPtr<SharedMemory>> {
    if (size < abi::kSHMMIN || size > pico::kUserEnd) return Errno::kEINVAL;
    if (flags & static_cast<u32>(ShmFlag::kSHM_HUGETLB)) return Errno::kEINVAL;
    host::UniqueFd memory = TRY(host::create_memory_object("sysv"));
    TRY(host::set_size(memory.get(), page_ceil(size)));
    return make_ref<SharedMemory>(task, key, flags, size, std::move(memory));
  };
  return ipc::sysv().segments.get(task, key, flags, check, create);
}

Result<u64> shmat(UnlockedTask task, i32 id, UserAddr address, abi::ShmFlags flags) {
  u64 at = address.value;
  abi::MapFlags how = MapFlag::kMAP_SHARED;
  if (at % kPageSize != 0) {
    if (!flags.has(ShmFlag::kSHM_RND)) return Errno::kEINVAL;
    at = page_floor(at);
  }
  if (flags.has(ShmFlag::kSHM_REMAP)) {
    if (at == 0) return Errno::kEINVAL;
    how |= MapFlag::kMAP_FIXED;
  } else if (at != 0) {
    how |= MapFlag::kMAP_FIXED_NOREPLACE;
  }
  abi::ProtFlags protection = ProtFlag::kPROT_READ;
  u32 access = ipc::kMayRead;
  if (!flags.has(ShmFlag::kSHM_RDONLY)) {
    protection |= ProtFlag::kPROT_WRITE;
    access |= ipc::kMayWrite;
  }
  if (flags.has(ShmFlag::kSHM_EXEC)) {
    protection |= ProtFlag::kPROT_EXEC;
    access |= 0111;
  }
  RefPtr<File> file;
  usize size;
  {
    KernelLock::Held held;
    RefPtr<SharedMemory> segment = TRY(ipc::sysv().segments.find(id));
    TRY(segment->check_access(task, access));
    size = segment->size;
    TextBuilder name;
    name << "/SYSV";
    name.hex(static_cast<u32>(segment->key), 8) << " (deleted)";
    file = make_ref<SharedMemoryFile>(std::move(segment));
    vfs::initialise_anonymous(*file, name.view(), 0600, abi::OpenFlag::kO_RDWR);
  }
  auto mapped = task->memory->map(at, size, protection, how, std::move(file), 0);
  if (mapped.is(Errno::kEEXIST)) return Errno::kEINVAL;
  return mapped;
}

Result<> shmdt(UnlockedTask task, UserAddr address) {
  if (address.value % kPageSize != 0) return Errno::kEINVAL;
  AddressSpace& space = *task->memory;
  std::vector<std::pair<u64, u64>> parts;
  {
    MutexHeld held(space.mutex);
    const SharedMemoryFile* found = nullptr;
    for (auto& [begin, area] : space.areas) {
      SharedMemoryFile* file = attachment_of(area);
      // Parts of it may have been unmapped or moved.
      if (!file || (found && file != found) || area.begin - area.offset != address.value) continue;
      found = file;
      parts.push_back({area.begin, area.size()});
    }
  }
  if (parts.empty()) return Errno::kEINVAL;
  for (auto [begin, size] : parts) TRY(space.unmap(begin, size));
  return {};
}

Result<i32> shmctl(UnlockedTask task, i32 id, i32 command, UserAddr buffer) {
  auto& segments = ipc::sysv().segments;
  if (id < 0) return Errno::kEINVAL;
  switch (command & ~abi::kIPC_64) {
    case abi::kIPC_STAT:
    case abi::kSHM_STAT:
    case abi::kSHM_STAT_ANY:
      return status(task, id, command & ~abi::kIPC_64, buffer);
    case abi::kIPC_INFO:
    case abi::kSHM_INFO:
      return information(command & ~abi::kIPC_64, buffer);
    case abi::kIPC_SET: {
      const auto wanted = TRY(UserIn<abi::ShmidDs>{buffer}.read());
      RefPtr<SharedMemory> segment;
      KernelLock::Held held;
      segment = TRY(segments.find(id));
      TRY(segment->check_owner(task));
      TRY(segment->set_permissions(wanted.shm_perm));
      return 0;
    }
    case abi::kIPC_RMID: {
      RefPtr<SharedMemory> segment;
      KernelLock::Held held;
      segment = TRY(segments.find(id));
      TRY(segment->check_owner(task));
      if (segment->attachments == 0) {
        segments.remove(*segment);
      } else {
        // It goes with its last attachment; nobody finds it by its key any more.
        segment->mode |= abi::kSHM_DEST;
        segments.forget_key(*segment);
      }
      return 0;
    }
    case abi::kSHM_LOCK:
    case abi::kSHM_UNLOCK: {
      RefPtr<SharedMemory> segment;
      KernelLock::Held held;
      segment = TRY(segments.find(id));
      if (!task->has_capability(abi::kCAP_IPC_LOCK)) TRY(segment->check_owner(task));
      segment->locked = (command & ~abi::kIPC_64) == abi::kSHM_LOCK;
      return 0;
    }
    default:
      return Errno::kEINVAL;
  }
}

}  // namespace lxss::sys
