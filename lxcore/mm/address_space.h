// The guest part of an address space: its areas, and the calls that change them.
//
// The host does the mapping; this keeps what Linux must know of it. Guarded by
// `mutex`, which is taken before the kernel lock if both are needed. Operations
// act on the calling task's own address space.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "abi/linux/mman.h"
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

  u64 size() const { return end - begin; }
};

class AddressSpace final : public RefCounted {
 public:
  static constexpr usize kMaxAreas = 65530;  ///< vm.max_map_count

  AddressSpace();
  ~AddressSpace() override;

  mutable Mutex mutex;
  std::map<u64, Area> areas;  ///< by begin; disjoint
  pico::StackSlots stacks;

  // As set up by exec.
  u64 code_begin = 0, code_end = 0, data_begin = 0, data_end = 0;
  u64 brk_begin = 0, brk_end = 0;
  u64 stack_begin = 0;  ///< initial stack pointer
  u64 arguments_begin = 0, arguments_end = 0;
  u64 environment_begin = 0, environment_end = 0;
  std::vector<u64> auxv;
  Path executable;

  /// man 2 mmap, after the file's checks. `file` null: anonymous.
  Result<u64> map(u64 hint, u64 length, abi::ProtFlags protection, abi::MapFlags flags,
                  RefPtr<File> file, u64 offset, const char* name = "");
  Result<> unmap(u64 begin, u64 length);
  Result<> protect(u64 begin, u64 length, abi::ProtFlags protection);
  Result<u64> remap(u64 old_begin, u64 old_length, u64 new_length, abi::MremapFlags flags,
                    u64 new_begin);
  Result<u64> set_break(u64 end);
  Result<> advise(u64 begin, u64 length, i32 advice);
  /// Everything in guest space goes (exec); the host's vDSO is kept.
  void clear();
  /// Copies the description for fork.
  void copy_areas(const AddressSpace& parent);
  /// The area that contains `address`, or null.
  const Area* find(u64 address) const;
  /// Bytes mapped in all.
  u64 total_size() const;

 private:
  Result<u64> choose_address(u64 hint, u64 length, bool low) const;
  bool is_free(u64 begin, u64 length) const;
  void insert(Area area);
  void forget(u64 begin, u64 end, std::vector<RefPtr<File>>& released);
  void split_at(u64 address);
};

}  // namespace lxss
