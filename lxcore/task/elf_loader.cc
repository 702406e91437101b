#include "lxcore/task/elf_loader.h"

#include <algorithm>

namespace lxss::elf {

using abi::MapFlag;
using abi::ProtFlag;

namespace {

/// Reads exactly `size` bytes at `offset`; ENOEXEC if the file is shorter.
Result<> read_exactly(Task& task, File& file, u64 offset, void* data, usize size) {
  IoBuffer buffer = IoBuffer::kernel(data, size);
  while (!buffer.empty()) {
    usize got = TRY(file.read(task, buffer, &offset));
    if (got == 0) return Errno::kENOEXEC;
    offset += got;
  }
  return {};
}

abi::ProtFlags protection_of(const abi::Elf64Phdr& segment) {
  abi::ProtFlags result;
  if (segment.p_flags & abi::kPF_R) result |= ProtFlag::kPROT_READ;
  if (segment.p_flags & abi::kPF_W) result |= ProtFlag::kPROT_WRITE;
  if (segment.p_flags & abi::kPF_X) result |= ProtFlag::kPROT_EXEC;
  return result;
}

Result<> map_segment(Task& task, const Program& program, const abi::Elf64Phdr& segment, u64 bias) {
  AddressSpace& memory = *task.memory;
  const u64 begin = segment.p_vaddr + bias;
  const u64 first_page = page_floor(begin);
  const u64 file_end = begin + segment.p_filesz;
  const u64 end = begin + segment.p_memsz;
  const abi::ProtFlags protection = protection_of(segment);
  const abi::MapFlags fixed = MapFlag::kMAP_PRIVATE | MapFlag::kMAP_FIXED;
  if (segment.p_filesz != 0) {
    TRY(memory.map(first_page, file_end - first_page, protection, fixed, program.file,
                   segment.p_offset - (begin - first_page)));
    // The rest of the last page belongs to bss; the dynamic linker allocates there too.
    if (protection.has(ProtFlag::kPROT_WRITE) && file_end % kPageSize) {
      TRY(clear_user(UserAddr{file_end}, page_ceil(file_end) - file_end));
    }
  }
  const u64 anonymous = segment.p_filesz != 0 ? page_ceil(file_end) : first_page;
  if (end > anonymous) {
    TRY(memory.map(anonymous, end - anonymous, protection, fixed | MapFlag::kMAP_ANONYMOUS, nullptr,
                   0));
  }
  return {};
}

}  // namespace

Result<Program> parse(Task& task, RefPtr<File> file) {
  Program program;
  TRY(read_exactly(task, *file, 0, &program.header, sizeof program.header));
  const abi::Elf64Ehdr& header = program.header;
  if (__builtin_memcmp(header.e_ident, "\177ELF", 4) != 0 ||
      header.e_ident[4] != abi::kELFCLASS64 || header.e_machine != abi::kEM_X86_64 ||
      (header.e_type != abi::kET_EXEC && header.e_type != abi::kET_DYN) ||
      header.e_phentsize != sizeof(abi::Elf64Phdr) || header.e_phnum == 0 ||
      header.e_phnum > kMaxSegments) {
    return Errno::kENOEXEC;
  }
  program.segments.resize(header.e_phnum);
  TRY(read_exactly(task, *file, header.e_phoff, program.segments.data(),
                   header.e_phnum * sizeof(abi::Elf64Phdr)));
  bool loadable = false;
  for (const abi::Elf64Phdr& segment : program.segments) {
    switch (segment.p_type) {
      case abi::kPT_LOAD:
        if (segment.p_filesz > segment.p_memsz ||
            (segment.p_filesz != 0 &&
             segment.p_vaddr % kPageSize != segment.p_offset % kPageSize)) {
          return Errno::kENOEXEC;
        }
        if (segment.p_memsz > pico::kUserEnd || segment.p_vaddr > pico::kUserEnd) {
          return Errno::kENOEXEC;
        }
        loadable |= segment.p_memsz != 0;
        break;
      case abi::kPT_INTERP: {
        if (segment.p_filesz < 2 || segment.p_filesz > 4096 || !program.interpreter.empty()) {
          return Errno::kENOEXEC;
        }
        program.interpreter.resize(segment.p_filesz);
        TRY(read_exactly(task, *file, segment.p_offset, program.interpreter.data(),
                         segment.p_filesz));
        if (program.interpreter.back() != 0) return Errno::kENOEXEC;
        program.interpreter.resize(__builtin_strlen(program.interpreter.c_str()));
        break;
      }
      case abi::kPT_GNU_STACK:
        program.executable_stack = segment.p_flags & abi::kPF_X;
        break;
    }
  }
  if (!loadable) return Errno::kENOEXEC;
  program.file = std::move(file);
  return program;
}

Result<Loaded> load(Task& task, const Program& program, u64 place) {
  u64 low = ~u64{0}, high = 0, alignment = kPageSize;
  for (const abi::Elf64Phdr& segment : program.segments) {
    if (segment.p_type != abi::kPT_LOAD || segment.p_memsz == 0) continue;
    low = std::min(low, page_floor(segment.p_vaddr));
    high = std::max(high, page_ceil(segment.p_vaddr + segment.p_memsz));
    if ((segment.p_align & (segment.p_align - 1)) == 0) {
      alignment = std::max(alignment, segment.p_align);
    }
  }
  Loaded result;
  if (program.header.e_type == abi::kET_DYN) {
    if (place == 0) {
      // Reserves a range that fits; the segments then take it piece by piece.
      place = TRY(task.memory->map(
          0, high - low + alignment, {},
          MapFlag::kMAP_PRIVATE | MapFlag::kMAP_ANONYMOUS | MapFlag::kMAP_NORESERVE, nullptr, 0));
      TRY(task.memory->unmap(place, high - low + alignment));
    }
    result.bias = align_up(place, alignment) - low;
  }
  if (!pico::is_user_range(low + result.bias, high - low) || low + result.bias < pico::kUserBegin) {
    return Errno::kENOMEM;
  }
  result.entry = program.header.e_entry + result.bias;
  result.code_begin = ~u64{0};
  for (const abi::Elf64Phdr& segment : program.segments) {
    if (segment.p_type != abi::kPT_LOAD || segment.p_memsz == 0) continue;
    TRY(map_segment(task, program, segment, result.bias));
    const u64 begin = segment.p_vaddr + result.bias;
    const u64 file_end = begin + segment.p_filesz;
    if (segment.p_flags & abi::kPF_X) {
      result.code_begin = std::min(result.code_begin, begin);
      result.code_end = std::max(result.code_end, file_end);
    }
    result.data_begin = std::max(result.data_begin, begin);
    result.data_end = std::max(result.data_end, file_end);
    result.end = std::max(result.end, begin + segment.p_memsz);
    const u64 headers = program.header.e_phoff;
    if (headers >= segment.p_offset && headers < segment.p_offset + segment.p_filesz) {
      result.headers = headers - segment.p_offset + begin;
    }
  }
  return result;
}

}  // namespace lxss::elf
