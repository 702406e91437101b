// execve: the new program's memory.
#include <algorithm>

#include "lxcore/kernel.h"
#include "lxcore/task/exec.h"

namespace lxss::exec {

namespace {

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

}  // namespace

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

}  // namespace lxss::exec
