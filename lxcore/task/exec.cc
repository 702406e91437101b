// execve: a new program in the place of the old one (man 2 execve).
#include <algorithm>

#include "base/text.h"
#include "lxcore/kernel.h"
#include "lxcore/task/argument_stack.h"
#include "lxcore/task/elf_loader.h"
#include "lxcore/task/lifecycle.h"
#include "lxcore/time/posix_timers.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::lifecycle {

namespace {

constexpr u32 kMaxInterpreters = 5;
constexpr usize kScriptLine = 256;

/// All that is decided before the old program goes.
struct Image {
  std::string path;  ///< as AT_EXECFN and scripts see it
  ArgumentStack stack;
  usize argc = 0, envc = 0;
  elf::Program program;
  elf::Program interpreter;
  Path executable;  ///< shown as /proc/PID/exe
  Path identity;    ///< whose setuid bits count; the script's do not
};

struct Opened {
  Path path;
  RefPtr<File> file;
};

Result<Opened> open_program(Task& task, Fd directory, std::string_view name, vfs::WalkFlags walk) {
  Path path = TRY(vfs::resolve(task, directory, name, walk));
  Inode& inode = path.inode();
  if (inode.is_symlink()) return Errno::kELOOP;
  if (!inode.is_regular()) return Errno::kEACCES;
  if (path.mount->flags.has(abi::MountFlag::kMS_NOEXEC)) return Errno::kEACCES;
  TRY(vfs::check_access(*task.credentials, inode, vfs::Access::kExecute));
  constexpr u32 kAnyExecute = 0111;
  if (!(inode.mode() & kAnyExecute)) return Errno::kEACCES;
  if (inode.writers != 0) return Errno::kETXTBSY;
  RefPtr<File> file = TRY(vfs::open_path(task, path, abi::OpenFlag::kO_RDONLY));
  return Opened{std::move(path), std::move(file)};
}

struct ScriptLine {
  std::string interpreter;
  std::string argument;  ///< empty: none
};

/// The "#!" line of a script; nothing if there is none.
Result<std::optional<ScriptLine>> read_script_line(Task& task, File& file) {
  char line[kScriptLine];
  IoBuffer buffer = IoBuffer::kernel(line, sizeof line);
  u64 offset = 0;
  usize size = TRY(file.read(task, buffer, &offset));
  std::string_view text(line, size);
  if (!text.starts_with("#!")) return std::optional<ScriptLine>{};
  usize end = text.find('\n');
  const bool whole_line = end != text.npos || size < kScriptLine;
  text = text.substr(2, end == text.npos ? text.npos : end - 2);
  auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\0'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  usize name_end = 0;
  while (name_end < text.size() && !is_blank(text[name_end])) ++name_end;
  // A name that the buffer cuts is not the interpreter's name.
  if (name_end == 0 || (name_end == text.size() && !whole_line)) return Errno::kENOEXEC;
  ScriptLine result;
  result.interpreter = std::string(text.substr(0, name_end));
  text.remove_prefix(name_end);
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  result.argument = std::string(text);
  return std::optional<ScriptLine>(std::move(result));
}

/// Finds the program behind scripts and opens its dynamic linker. Under the kernel lock.
Result<> find_program(Task& task, Fd directory, std::string_view path, vfs::WalkFlags walk,
                      Image& image) {
  std::string name = image.path;
  Opened opened = TRY(open_program(task, directory, path, walk));
  for (u32 depth = 0;; ++depth) {
    auto script = TRY(read_script_line(task, *opened.file));
    if (!script) break;
    if (depth == kMaxInterpreters) return Errno::kELOOP;
    // By the name below /dev/fd the interpreter would find nothing.
    if (name != path && depth == 0 && TRY(task.files->close_on_exec(directory))) {
      return Errno::kENOENT;
    }
    if (image.argc > 0) {
      image.stack.pop();
      --image.argc;
    }
    TRY(image.stack.push(name));
    ++image.argc;
    if (!script->argument.empty()) {
      TRY(image.stack.push(script->argument));
      ++image.argc;
    }
    TRY(image.stack.push(script->interpreter));
    ++image.argc;
    name = script->interpreter;
    opened = TRY(open_program(task, Fd{abi::kAT_FDCWD}, name, vfs::Walk::kFollow));
  }
  image.executable = image.identity = opened.path;
  image.program = TRY(elf::parse(task, opened.file));
  if (!image.program.interpreter.empty()) {
    Opened linker =
        TRY(open_program(task, Fd{abi::kAT_FDCWD}, image.program.interpreter, vfs::Walk::kFollow));
    auto parsed = elf::parse(task, linker.file);
    if (!parsed) return parsed.is(Errno::kENOEXEC) ? Errno::kELIBBAD : parsed.error();
    image.interpreter = std::move(*parsed);
  }
  return {};
}

/// Ends the process's other threads and takes the leader's id. Under the kernel lock.
Result<> become_only_thread(Task& task) {
  Process& process = *task.process;
  // Of several threads that execute at once, the one that comes first ends the others.
  if (process.exiting || task.exiting) return Errno::kEINTR;
  for (Task& thread : process.threads) {
    if (&thread != &task) signals::end_task(thread);
  }
  while (process.thread_count > 1) {
    process.child_events.add(task.wait_entry);
    auto slept = sleep_killable(task);
    task.wait_entry.unlink();
    if (!slept) return Errno::kEINTR;
  }
  if (process.leader != &task) {
    RefPtr<Task> pinned(&task);
    kernel().tasks.erase(task.tid);
    task.tid = process.pid;
    kernel().tasks[task.tid] = pinned;
    process.leader = &task;
  }
  for (Process& child : process.children) child.parent_thread = task.tid;
  return {};
}

/// Leaves memory that other processes use (vfork) for a copy in a host process of its own.
Result<> own_memory(Task& task, const ArgumentStack& stack) {
  RefPtr<AddressSpace> old = task.memory;
  Process& process = *task.process;
  const i32 old_host_process = process.host_process;
  bool is_shared;
  {
    KernelLock::Held held;
    is_shared = old->task_count > 1;
  }
  leave_user_memory(task, is_shared);
  if (!is_shared) return {};
  {
    KernelLock::Held held;
    // The end of the host process that is left is not the process's end.
    process.host_process = 0;
  }
  RefPtr<AddressSpace> fresh = make_ref<AddressSpace>();
  {
    MutexHeld memory_held(old->mutex);
    KernelLock::Held held;
    fresh->copy_areas(*old);
  }
  auto left = pico::leave_shared_memory(fresh->host_space, stack.address(), stack.size());
  KernelLock::Held held;
  if (!left) {
    process.host_process = old_host_process;
    return left;
  }
  --old->task_count;
  fresh->task_count = 1;
  task.memory = fresh;
  process.host_process = task.host_process;
  kernel().host_processes[task.host_process] = {&process, fresh};
  return {};
}

/// The ids that the program's setuid and setgid bits give. True if it gains anything.
bool change_credentials(Task& task, const Path& program) {
  RefPtr<Credentials> next = task.credentials->copy();
  const Credentials& old = *task.credentials;
  const Inode& inode = program.inode();
  const bool may_gain =
      !program.mount->flags.has(abi::MountFlag::kMS_NOSUID) && !old.no_new_privileges;
  if (may_gain && inode.mode() & abi::kS_ISUID) next->euid = inode.uid();
  constexpr u32 kGroupExecute = 010;
  if (may_gain && inode.mode() & abi::kS_ISGID && inode.mode() & kGroupExecute) {
    next->egid = inode.gid();
  }
  const bool gained = next->euid != old.uid || next->egid != old.gid;
  next->suid = next->fsuid = next->euid;
  next->sgid = next->fsgid = next->egid;
  // man 7 capabilities: root gains all that the bounding set leaves; others keep the ambient set.
  if (next->euid != old.euid || next->egid != old.egid) next->ambient = 0;
  if (next->euid == 0 || next->uid == 0) {
    next->permitted = next->inheritable | next->bounding;
    next->effective = next->euid == 0 ? next->permitted : next->ambient;
  } else {
    next->permitted = next->effective = next->ambient;
  }
  task.credentials = std::move(next);
  return gained;
}

std::vector<u64> make_auxv(const Task& task, const elf::Program& program, const elf::Loaded& loaded,
                           u64 interpreter_base, bool secure) {
  const pico::MachineInfo& machine = pico::machine();
  const Credentials& who = *task.credentials;
  std::vector<u64> auxv;
  auto add = [&](u64 type, u64 value) {
    auxv.push_back(type);
    auxv.push_back(value);
  };
  for (auto& [begin, area] : task.memory->areas) {
    if (machine.vdso != 0 && begin == machine.vdso) add(abi::kAT_SYSINFO_EHDR, begin);
  }
  add(abi::kAT_HWCAP, machine.hwcap);
  add(abi::kAT_PAGESZ, kPageSize);
  add(abi::kAT_CLKTCK, 100);
  add(abi::kAT_PHDR, loaded.headers);
  add(abi::kAT_PHENT, sizeof(abi::Elf64Phdr));
  add(abi::kAT_PHNUM, program.segments.size());
  add(abi::kAT_BASE, interpreter_base);
  add(abi::kAT_FLAGS, 0);
  add(abi::kAT_ENTRY, loaded.entry);
  add(abi::kAT_UID, who.uid);
  add(abi::kAT_EUID, who.euid);
  add(abi::kAT_GID, who.gid);
  add(abi::kAT_EGID, who.egid);
  add(abi::kAT_SECURE, secure);
  add(abi::kAT_RANDOM, 0);
  add(abi::kAT_HWCAP2, machine.hwcap2);
  add(abi::kAT_EXECFN, 0);
  add(abi::kAT_PLATFORM, 0);
  add(abi::kAT_MINSIGSTKSZ, machine.minimum_signal_stack);
  add(abi::kAT_NULL, 0);
  return auxv;
}

u64 random_pages(u64 count) {
  constexpr u32 kNoRandomize = 0x0040000;  // ADDR_NO_RANDOMIZE
  if (Task::current().process->personality & kNoRandomize) return 0;
  u64 value;
  host::random_bytes(std::as_writable_bytes(std::span(&value, 1)));
  return value % count * kPageSize;
}

/// Maps the program into the emptied address space and points the context at it.
Result<> enter_image(Task& task, Image& image, bool secure) {
  AddressSpace& memory = *task.memory;
  // Where Linux puts position-independent programs, with its 28 bits of randomness.
  constexpr u64 kProgramBase = 0x5555'5555'4000;
  u64 place = kProgramBase + random_pages(u64{1} << 28);
  elf::Loaded program = TRY(elf::load(task, image.program, place));
  u64 entry = program.entry, interpreter_base = 0;
  if (image.interpreter.file) {
    elf::Loaded linker = TRY(elf::load(task, image.interpreter, 0));
    entry = linker.entry;
    interpreter_base = linker.bias;
  }
  constexpr u64 kBreakPages = 0x2000;
  memory.code_begin = program.code_begin;
  memory.code_end = program.code_end;
  memory.data_begin = program.data_begin;
  memory.data_end = program.data_end;
  memory.brk_begin = memory.brk_end = page_ceil(program.end) + random_pages(kBreakPages);

  // The stack: at the top of guest space, below a random gap.
  std::vector<u64> auxv = make_auxv(task, image.program, program, interpreter_base, secure);
  abi::ProtFlags protection = abi::ProtFlag::kPROT_READ | abi::ProtFlag::kPROT_WRITE;
  if (image.program.executable_stack) protection |= abi::ProtFlag::kPROT_EXEC;
  u64 top = 0;
  for (int attempt = 0; top == 0; ++attempt) {
    constexpr int kAttempts = 64;
    constexpr u64 kGapPages = u64{1} << 22;
    if (attempt == kAttempts) return Errno::kENOMEM;
    u64 end = pico::kUserEnd - kPageSize - random_pages(kGapPages);
    auto reserved =
        memory.map(end - image.stack.size(), image.stack.size(), protection,
                   abi::MapFlag::kMAP_PRIVATE | abi::MapFlag::kMAP_ANONYMOUS |
                       abi::MapFlag::kMAP_NORESERVE | abi::MapFlag::kMAP_FIXED_NOREPLACE,
                   nullptr, 0, "[stack]");
    if (reserved) top = end;
  }
  ArgumentStack::Layout layout = image.stack.finish(top, image.argc, image.envc, auxv);
  const u64 stack_begin = top - image.stack.size(), stack_size = image.stack.size();
  TRY(image.stack.move_to(top));
  if (image.program.executable_stack) TRY(memory.protect(stack_begin, stack_size, protection));
  memory.stack_begin = layout.stack_pointer;
  memory.arguments_begin = layout.arguments_begin;
  memory.arguments_end = memory.environment_begin = layout.arguments_end;
  memory.environment_end = layout.environment_end;
  memory.auxv = std::move(auxv);
  pico::context().reset(entry, layout.stack_pointer);
  return {};
}

/// What of a task does not outlive its program. Under the kernel lock.
void reset_task(Task& task, std::string_view path) {
  Process& process = *task.process;
  if (task.actions->reference_count() > 1) task.actions = task.actions->duplicate();
  task.actions->reset_for_exec();
  task.alternate_stack = {0, i32(abi::kSS_DISABLE), 0, 0};
  task.clear_child_tid = task.robust_list = UserAddr{};
  task.restart = {};
  // A table of its own stays: record locks belong to it.
  if (task.files->reference_count() > 1) task.files = task.files->duplicate();
  task.files->close_for_exec(process);
  timers_on_exec(process);
  std::string_view name = path.substr(path.rfind('/') + 1);
  task.comm = {};
  std::copy_n(name.data(), std::min(name.size(), task.comm.size() - 1), task.comm.data());
  process.has_executed = true;
  process.exit_signal = abi::kSIGCHLD;
  if (process.shares_parent_memory) {
    process.shares_parent_memory = false;
    process.exec_done.wake();
  }
}

/// From here on there is no way back: a failure ends the process.
void replace_program(Task& task, Image& image) {
  bool secure;
  {
    KernelLock::Held held;
    secure = change_credentials(task, image.identity);
    task.process->dumpable = !secure;
    if (secure) task.process->parent_death_signal = 0;
    task.memory->set_executable(image.executable);
  }
  task.memory->clear();
  auto entered = enter_image(task, image, secure);
  KernelLock::Held held;
  reset_task(task, image.path);
  if (!entered) {
    signals::end_process(*task.process, abi::wait_status_signaled(abi::kSIGKILL, false));
  }
  image.program = {};
  image.interpreter = {};
  image.executable = image.identity = {};
}

Result<> execute_image(Task& task, Fd directory, std::string_view path, vfs::WalkFlags walk,
                       Image& image) {
  {
    KernelLock::Held held;
    auto found = find_program(task, directory, path, walk, image);
    if (found.ok()) found = become_only_thread(task);
    if (!found) {
      image.program = {};
      image.interpreter = {};
      image.executable = image.identity = {};
      return found;
    }
  }
  TRY(own_memory(task, image.stack));
  replace_program(task, image);
  pico::set_host_name(task.comm.data());
  return {};
}

/// man 2 execveat: what is found through a descriptor is named by it.
std::string name_from(Fd directory, std::string_view path) {
  if (directory.value == abi::kAT_FDCWD || path.starts_with('/')) return std::string(path);
  TextBuilder name;
  name << "/dev/fd/" << directory.value;
  if (!path.empty()) name << '/' << path;
  return std::string(name.view());
}

}  // namespace

Result<> execute(Task& task, Fd directory, std::string_view path, vfs::WalkFlags walk,
                 UserAddr arguments, UserAddr environment) {
  Image image;
  image.path = name_from(directory, path);
  TRY(image.stack.create(task.limit(abi::kRLIMIT_STACK)));
  TRY(image.stack.push(image.path));
  image.envc = TRY(image.stack.push_vector(environment));
  image.argc = TRY(image.stack.push_vector(arguments));
  if (image.argc == 0) {
    // Linux: a program always gets an argv[0].
    TRY(image.stack.push(""));
    image.argc = 1;
  }
  return execute_image(task, directory, path, walk, image);
}

Result<> execute(Task& task, std::string_view path, const std::vector<std::string>& arguments,
                 const std::vector<std::string>& environment) {
  Image image;
  image.path = std::string(path);
  TRY(image.stack.create(task.limit(abi::kRLIMIT_STACK)));
  TRY(image.stack.push(path));
  for (usize i = environment.size(); i-- > 0;) TRY(image.stack.push(environment[i]));
  for (usize i = arguments.size(); i-- > 0;) TRY(image.stack.push(arguments[i]));
  image.argc = arguments.size();
  image.envc = environment.size();
  return execute_image(task, Fd{abi::kAT_FDCWD}, path, vfs::Walk::kFollow, image);
}

}  // namespace lxss::lifecycle
