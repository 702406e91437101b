#include "fs/procfs/process_facts.h"

#include <algorithm>

#include "host/memory.h"
#include "lxcore/kernel.h"
#include "lxcore/time/clocks.h"

namespace lxss::procfs {

bool Subject::alive() const {
  KernelLock::Held held;
  Kernel& instance = kernel();
  auto found = instance.processes.find(process->pid);
  if (found == instance.processes.end() || found->second != process) return false;
  if (!task) return true;
  auto thread = instance.tasks.find(task->tid);
  return thread != instance.tasks.end() && thread->second == task;
}

Task* Subject::thread() const {
  if (task) return task->process ? task.get() : nullptr;
  Task* found = process->leader ? process->leader : process->any_thread();
  return found && !process->is_zombie() ? found : nullptr;
}

Result<RefPtr<Task>> Subject::live_thread() const {
  KernelLock::Held held;
  Task* found = thread();
  if (!found) return Errno::kESRCH;
  return RefPtr<Task>(found);
}

Result<RefPtr<FdTable>> Subject::files() const {
  KernelLock::Held held;
  Task* found = thread();
  if (!found || !found->files) return Errno::kENOENT;
  return found->files;
}

Owner Subject::owner(u32 mode) const {
  KernelLock::Held held;
  // Linux: the directories themselves always show who runs the process.
  constexpr u32 kPublicDirectory = abi::kS_IFDIR | 0555;
  RefPtr<Credentials> who = credentials();
  if (!who || (mode != kPublicDirectory && !process->dumpable)) return {};
  return {who->euid, who->egid};
}

RefPtr<Credentials> Subject::credentials() const {
  Task* found = thread();
  return found ? found->credentials : process->last_credentials;
}

Result<> may_inspect(const Task& reader, Process& target) {
  KernelLock::Held held;
  if (reader.process == &target) return {};
  const Credentials& mine = *reader.credentials;
  if (mine.has_capability(abi::kCAP_SYS_PTRACE)) return {};
  Task* thread = target.any_thread();
  if (!thread || !thread->credentials || !target.dumpable) return Errno::kEACCES;
  const Credentials& theirs = *thread->credentials;
  bool same_user = mine.fsuid == theirs.euid && mine.fsuid == theirs.suid &&
                   mine.fsuid == theirs.uid && mine.fsgid == theirs.egid &&
                   mine.fsgid == theirs.sgid && mine.fsgid == theirs.gid;
  if (!same_user || (theirs.permitted & ~mine.effective) != 0) return Errno::kEACCES;
  return {};
}

Result<> check_inspect(Subject& subject, abi::OpenFlags) {
  return may_inspect(Task::current(), *subject.process);
}

void Ids::add_sorted(Pid id) {
  Pid* end = ids_ + count_;
  if (full()) {
    if (id > back()) return;
    --end;
  } else {
    ++count_;
  }
  Pid* at = std::upper_bound(ids_, end, id);
  std::copy_backward(at, end, end + 1);
  *at = id;
}

char state_letter(const Subject& subject) {
  KernelLock::Held held;
  Task* thread = subject.thread();
  if (!thread || subject.process->is_zombie()) return 'Z';
  // The main thread has ended, others live.
  if (!subject.task && !subject.process->leader) return 'Z';
  if (thread == &Task::current()) return 'R';
  if (subject.process->state == ProcessState::kStopped || thread->stopped) return 'T';
  // What waits on a queue, or in a host call that an interruption ends (a futex).
  if (thread->sleeping) return thread->wake_pending ? 'R' : 'S';
  return thread->in_kernel.load(std::memory_order_relaxed) == pico::Thread::kBlockedInHost ? 'S'
                                                                                           : 'R';
}

const char* state_name(char letter) {
  switch (letter) {
    case 'R':
      return "running";
    case 'S':
      return "sleeping";
    case 'T':
      return "stopped";
    default:
      return "zombie";
  }
}

host::CpuTimes cpu_times(const Subject& subject) {
  const Process& process = *subject.process;
  i32 host_thread = 0, host_process = 0;
  {
    KernelLock::Held held;
    if (subject.task && process.thread_count > 1) {
      if (subject.task->process != Task::current().process) return {};
      host_thread = subject.task->host_thread;
    } else if (process.is_zombie()) {
      return {process.cpu_user_ns, process.cpu_system_ns};
    } else {
      host_process = process.host_process;
    }
  }
  KernelLock::Released released;
  if (host_thread != 0) return host::thread_cpu_times(host_thread);
  // Not yet started: the host has no clock for it.
  if (host_process == 0) return {};
  return host::process_cpu_times(host_process);
}

u64 MemoryImage::total_size() const {
  u64 total = 0;
  for (const Area& area : areas) total += area.size();
  return total;
}

MemoryImage memory_image(const Subject& subject) {
  MemoryImage image;
  {
    KernelLock::Held held;
    Task* thread = subject.thread();
    if (!thread || !thread->memory) return image;
    image.memory = thread->memory;
  }
  const AddressSpace& memory = *image.memory;
  KernelLock::Released released;
  MutexHeld held(memory.mutex);
  image.areas.reserve(memory.areas.size());
  for (const auto& [begin, area] : memory.areas) image.areas.push_back(area);
  image.code_begin = memory.code_begin;
  image.code_end = memory.code_end;
  image.data_begin = memory.data_begin;
  image.data_end = memory.data_end;
  image.brk_begin = memory.brk_begin;
  image.brk_end = memory.brk_end;
  image.stack_begin = memory.stack_begin;
  image.arguments_begin = memory.arguments_begin;
  image.arguments_end = memory.arguments_end;
  image.environment_begin = memory.environment_begin;
  image.environment_end = memory.environment_end;
  image.auxv = memory.auxv;
  return image;
}

bool is_own(const MemoryImage& image) { return image.memory == Task::current().memory; }

Resident resident_bytes(const Area& area, bool own) {
  constexpr u64 kMaxFile = u64{64} << 20;
  constexpr u64 kMaxAnonymous = u64{1} << 20;
  constexpr usize kPagesPerCall = 2048;
  constexpr u64 kMaxMeasured = u64{1} << 30;
  Resident resident;
  u64& bytes = area.file ? resident.file : resident.anonymous;
  if (area.protection.raw() == 0) return resident;
  if (!own) {
    bool whole = area.grows_down || std::string_view(area.name) == "[heap]";
    bytes = area.file ? std::min(area.size(), kMaxFile)
            : whole   ? area.size()
                      : std::min(area.size(), kMaxAnonymous);
    return resident;
  }
  u8 pages[kPagesPerCall];
  u64 end = std::min(area.end, area.begin + kMaxMeasured);
  for (u64 at = area.begin; at < end; at += kPagesPerCall * kPageSize) {
    u64 length = std::min<u64>(end - at, kPagesPerCall * kPageSize);
    if (!host::residency(at, length, pages)) break;
    bytes += kPageSize * static_cast<u64>(std::count_if(pages, pages + length / kPageSize,
                                                        [](u8 page) { return page & 1; }));
  }
  return resident;
}

Resident resident_bytes(const MemoryImage& image) {
  bool own = is_own(image);
  Resident sum;
  KernelLock::Released released;
  for (const Area& area : image.areas) {
    Resident part = resident_bytes(area, own);
    sum.anonymous += part.anonymous;
    sum.file += part.file;
  }
  return sum;
}

namespace {

template <typename OwnCopy, typename OtherCopy>
usize transfer(const Subject& subject, u64 address, usize size, OwnCopy own, OtherCopy other) {
  bool same;
  i32 host_process;
  {
    KernelLock::Held held;
    Task* thread = subject.thread();
    if (!thread || !thread->memory || !pico::is_user_range(address, size)) return 0;
    same = thread->memory == Task::current().memory;
    host_process = thread->host_process;
  }
  KernelLock::Released released;
  return same ? own() : other(host_process);
}

}  // namespace

usize read_memory(const Subject& subject, u64 address, void* kernel, usize size) {
  return transfer(
      subject, address, size, [&] { return copy_in_partial(kernel, UserAddr{address}, size); },
      [&](i32 host_process) {
        return host::read_process_memory(host_process, {reinterpret_cast<u64>(kernel), size},
                                         {address, size})
            .value_or(0);
      });
}

usize write_memory(const Subject& subject, u64 address, const void* kernel, usize size) {
  return transfer(
      subject, address, size,
      [&] { return Task::current().memory->force_write(address, kernel, size); },
      [&](i32 host_process) {
        return host::write_process_memory(host_process, {reinterpret_cast<u64>(kernel), size},
                                          {address, size})
            .value_or(0);
      });
}

std::vector<RefPtr<FdTable>> descriptor_tables() {
  std::vector<RefPtr<FdTable>> tables;
  KernelLock::Held held;
  for (auto& [pid, process] : kernel().processes) {
    // Threads share their table: one counts for all.
    Task* thread = process->any_thread();
    if (thread && thread->files) tables.push_back(thread->files);
  }
  return tables;
}

std::string text_of(Pid id) {
  TextBuilder text;
  text << id.value;
  return text.take();
}

void append_escaped(TextBuilder& out, std::string_view text, std::string_view special) {
  for (char character : text) {
    if (special.find(character) == special.npos) {
      out << character;
    } else {
      out << '\\';
      out.octal(static_cast<u8>(character), 3);
    }
  }
}

}  // namespace lxss::procfs
