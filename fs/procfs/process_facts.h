// Facts about processes that several files show.
#pragma once

#include <vector>

#include "fs/procfs/internal.h"
#include "host/clock.h"

namespace lxss::procfs {

/// Linux's clock ticks per second in files (USER_HZ).
inline constexpr u64 kTicksPerSecond = 100;
inline constexpr u64 kNsPerTick = 1'000'000'000 / kTicksPerSecond;

/// Under the kernel lock: EACCES unless `reader` may read what only a tracer may (man 2 ptrace,
/// PTRACE_MODE_READ).
Result<> may_inspect(const Task& reader, Process& target);

/// Ids that a listing shows next: as many as are looked up under one hold of the kernel lock.
class Ids {
 public:
  bool full() const { return count_ == kMost; }
  void add(Pid id) { ids_[count_++] = id; }
  /// Keeps the lowest ones, in order.
  void add_sorted(Pid id);
  const Pid* begin() const { return ids_; }
  const Pid* end() const { return ids_ + count_; }
  Pid back() const { return ids_[count_ - 1]; }

 private:
  static constexpr usize kMost = 64;
  usize count_ = 0;
  Pid ids_[kMost];
};

/// R running, S waiting in the kernel, T stopped, Z zombie.
char state_letter(const Subject& subject);
const char* state_name(char letter);

/// Of the subject: a process's with all its threads. Single threads of other processes are not
/// told by the host. Gives the kernel lock up meanwhile.
host::CpuTimes cpu_times(const Subject& subject);

/// A copy of what an address space is.
struct MemoryImage {
  RefPtr<AddressSpace> memory;
  std::vector<Area> areas;
  u64 code_begin = 0, code_end = 0, data_begin = 0, data_end = 0;
  u64 brk_begin = 0, brk_end = 0, stack_begin = 0;
  u64 arguments_begin = 0, arguments_end = 0;
  u64 environment_begin = 0, environment_end = 0;
  std::vector<u64> auxv;

  u64 total_size() const;
};
/// Empty for a zombie. Gives the kernel lock up meanwhile.
MemoryImage memory_image(const Subject& subject);

struct Resident {
  u64 anonymous = 0, file = 0;
  u64 total() const { return anonymous + file; }
};
/// Bytes of memory in use, as well as they can be known: see README.md. The only place where
/// this is derived. Gives the kernel lock up meanwhile.
Resident resident_bytes(const Area& area, bool own);
Resident resident_bytes(const MemoryImage& image);
/// The image is the current task's.
bool is_own(const MemoryImage& image);

/// Copies from or to the memory of the subject's process: the bytes copied before the first that
/// cannot be accessed. Gives the kernel lock up meanwhile; `kernel` is memory of the kernel.
usize read_memory(const Subject& subject, u64 address, void* kernel, usize size);
usize write_memory(const Subject& subject, u64 address, const void* kernel, usize size);

/// The descriptor tables of all processes, each once per process.
std::vector<RefPtr<FdTable>> descriptor_tables();

/// The name of a process's or thread's directory.
std::string text_of(Pid id);
/// Appends text with blanks, control characters and backslashes as \ooo.
void append_escaped(TextBuilder& out, std::string_view text, std::string_view special);

}  // namespace lxss::procfs
