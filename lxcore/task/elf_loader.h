// ELF64 programs: reading their headers and mapping them (man 5 elf).
#pragma once

#include <vector>

#include "abi/linux/elf.h"
#include "lxcore/task/process.h"

namespace lxss::elf {

/// A program or its interpreter, opened and parsed.
struct Program {
  RefPtr<File> file;
  abi::Elf64Ehdr header{};
  std::vector<abi::Elf64Phdr> segments;
  std::string interpreter;  ///< path of the dynamic linker, or empty
  bool executable_stack = false;
};

inline constexpr usize kMaxSegments = 65536 / sizeof(abi::Elf64Phdr);

/// ENOEXEC if it is no x86-64 program, ELIBBAD inside a bad interpreter path.
Result<Program> parse(Task& task, RefPtr<File> file);

struct Loaded {
  u64 bias = 0;  ///< added to the addresses in the file
  u64 entry = 0;
  u64 headers = 0;  ///< where the program headers are in memory, 0 if they are not
  u64 code_begin = 0, code_end = 0, data_begin = 0, data_end = 0;
  u64 end = 0;  ///< of the highest segment, bss included
};
/// Maps the segments into the caller's empty address space. `place` is where a
/// position-independent program goes; 0: anywhere. Without the kernel lock.
Result<Loaded> load(Task& task, const Program& program, u64 place);

}  // namespace lxss::elf
