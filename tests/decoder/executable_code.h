// The code of an ELF file: its sections of instructions, or its executable segments.
#pragma once

#include <elf.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace lxss::tests {

class ExecutableCode {
 public:
  /// Empty if the file is not of this machine.
  explicit ExecutableCode(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    char magic[SELFMAG];
    if (!file.read(magic, SELFMAG) || std::memcmp(magic, ELFMAG, SELFMAG) != 0) return;
    file.seekg(0);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    if (bytes_.size() < sizeof header_) return;
    std::memcpy(&header_, bytes_.data(), sizeof header_);
    if (header_.e_ident[EI_CLASS] != ELFCLASS64 || header_.e_machine != EM_X86_64) header_ = {};
  }

  std::vector<std::span<const u8>> sections() const {
    std::vector<std::span<const u8>> found;
    for (const auto& section : table<Elf64_Shdr>(header_.e_shoff, header_.e_shnum)) {
      if (section.sh_type == SHT_PROGBITS && section.sh_flags & SHF_EXECINSTR) {
        add(found, section.sh_offset, section.sh_size);
      }
    }
    return found;
  }

  std::vector<std::span<const u8>> segments() const {
    std::vector<std::span<const u8>> found;
    for (const auto& segment : table<Elf64_Phdr>(header_.e_phoff, header_.e_phnum)) {
      if (segment.p_type == PT_LOAD && segment.p_flags & PF_X) {
        add(found, segment.p_offset, segment.p_filesz);
      }
    }
    return found;
  }

 private:
  template <typename Entry>
  std::vector<Entry> table(u64 offset, usize count) const {
    if (offset > bytes_.size() || count > (bytes_.size() - offset) / sizeof(Entry)) return {};
    std::vector<Entry> entries(count);
    if (count) std::memcpy(entries.data(), bytes_.data() + offset, count * sizeof(Entry));
    return entries;
  }

  void add(std::vector<std::span<const u8>>& found, u64 offset, u64 size) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) return;
    found.emplace_back(reinterpret_cast<const u8*>(bytes_.data()) + offset, size);
  }

  std::vector<char> bytes_;
  Elf64_Ehdr header_{};
};

}  // namespace lxss::tests
