// The guest part of an address space: its areas, and the calls that change them.
//
// The host does the mapping and chooses addresses as Linux does; this keeps what
// Linux must know of it. Guarded by `mutex`, which is taken before the kernel
// lock. The operations act on the calling task's own address space, take the
// mutex themselves, and are called without the kernel lock.
#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "abi/linux/mman.h"
#include "lxcore/mm/text.h"
#include "lxcore/sync/kernel_lock.h"
#include "lxcore/vfs/file.h"

namespace lxss {

struct Area {
  u64 begin = 0, end = 0;
  abi::ProtFlags protection;
  bool shared = false;
  bool grows_down = false;
  RefPtr<File> file;      ///< null for anonymous memory
  u64 offset = 0;         ///< in the file
  const char* name = "";  ///< "[heap]", "[stack]", "[vdso]" in /proc/PID/maps
  bool locked = false;
  bool dont_fork = false, wipe_on_fork = false;
  bool was_writable = false;  ///< private pages may not be the file's any more
  RefPtr<Text> text;          ///< the pages are those of the rewritten copy of the file

  u64 size() const { return end - begin; }
};

enum class MemoryLock : u8 { kNone, kResident, kOnFault };

class AddressSpace final : public RefCounted {
 public:
  static constexpr usize kMaxAreas = 65530;  ///< vm.max_map_count

  AddressSpace();
  ~AddressSpace() override;

  mutable Mutex mutex;
  std::map<u64, Area> areas;  ///< by begin; disjoint
  pico::Space host_space;

  std::atomic<u32> task_count = 0;  ///< tasks that live here; one more only under the kernel lock

  // As set up by exec.
  u64 code_begin = 0, code_end = 0, data_begin = 0, data_end = 0;
  u64 brk_begin = 0, brk_end = 0;
  Mutex break_mutex;    ///< one set_break() at a time; before `mutex`
  u64 stack_begin = 0;  ///< initial stack pointer
  u64 arguments_begin = 0, arguments_end = 0;
  u64 environment_begin = 0, environment_end = 0;
  std::vector<u64> auxv;
  Path executable;                 ///< set by set_executable()
  bool excludes_writers_ = false;  ///< the executable has been begun (Inode::begin_executing)

  /// man 2 mmap, after the file's checks. `file` null: anonymous memory.
  Result<u64> map(u64 hint, u64 length, abi::ProtFlags protection, abi::MapFlags flags,
                  RefPtr<File> file, u64 offset, const char* name = "");
  Result<> unmap(u64 begin, u64 length);
  Result<> protect(u64 begin, u64 length, abi::ProtFlags protection);
  Result<u64> remap(u64 old_begin, u64 old_length, u64 new_length, abi::MremapFlags flags,
                    u64 new_begin);
  /// The program break; unchanged if it cannot be moved to `end`.
  u64 set_break(u64 end);
  Result<> advise(u64 begin, u64 length, i32 advice);
  /// mlock, mlock2 and munlock (kNone). The host's own limit counts too: ENOMEM.
  Result<> set_locked(u64 begin, u64 length, MemoryLock lock);
  /// mlockall and munlockall: what is mapped now, unless `current` is kept as it is, and what will
  /// be.
  Result<> set_all_locked(std::optional<MemoryLock> current, MemoryLock future);
  /// True if every page of the range is in some area.
  bool is_mapped(u64 begin, u64 length) const;

  /// Writes to the caller's memory whatever its protection, as a debugger does; shared areas
  /// must be writable. The number of bytes written.
  usize force_write(u64 begin, const void* from, usize size);
  /// Maps the rewritten copy of the file that the code at `address` is of, if there is one.
  void use_text(u64 address);
  /// The running program, which meanwhile nobody opens for writing (ETXTBSY).
  void set_executable(Path path);
  /// By the monitor: the host has killed the holder of the mutex, and nobody lives here any more.
  /// What it was changing is not looked at again.
  void abandon();
  /// By the monitor: `host_thread` is dead; its hold of the mutex, for reading, is given up.
  void abandon_reader(i32 host_thread);
  /// The last task has left: nothing is mapped any more, though the host still holds the pages.
  void forget_all();
  /// Guest space becomes empty (exec); the host's vDSO is kept.
  void clear();
  /// Takes over the description of a parent whose memory the host has copied. The parent's
  /// mutex is held by the caller.
  void copy_areas(const AddressSpace& parent);
  /// The area that contains `address`, or null. The mutex is held by the caller.
  const Area* find(u64 address) const;
  /// Bytes mapped in all.
  u64 total_size() const { return total_size_.load(std::memory_order_relaxed); }

 private:
  class Change;
  using Iterator = std::map<u64, Area>::iterator;

  /// The highest free range of this size that lies below the kernel window; ENOMEM.
  Result<u64> hole_below_window(u64 size) const;
  /// A reservation without access that covers the whole window is kept outside of it: sanitizers
  /// make one of all that programs do not use.
  Result<u64> reserve_around_window(u64 begin, u64 size, abi::MapFlags flags);
  /// The copy to map instead of the file, if there is one and it is not mapped yet.
  RefPtr<Text> text_for(const Area& area);
  /// Areas that reach into [begin, end) have the bytes of their files, not rewritten ones.
  Result<> undo_rewriting(u64 begin, u64 end);
  void insert(Area area);
  /// Removes what is known of [begin, end); areas that reach beyond are cut.
  void forget(u64 begin, u64 end);
  void split_at(u64 address);
  /// man 2 mlock: EPERM, or `excess`, if that much more may not be locked.
  Result<> may_lock(u64 more, Errno excess) const;
  MemoryLock lock_of_new(abi::MapFlags flags) const;
  static Result<> lock_on_host(u64 begin, u64 size, MemoryLock lock);
  template <typename Update>
  void update(u64 begin, u64 end, Update change);
  Iterator first_behind(u64 address);
  void try_merge(Iterator at);

  std::atomic<u64> total_size_{0};
  MemoryLock future_lock_ = MemoryLock::kNone;
  std::vector<RefPtr<File>> released_;  ///< dropped under the kernel lock after a change
};

}  // namespace lxss
