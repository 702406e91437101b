// Compares pico/direct/instruction.h with Zydis, which must find the same lengths, jumps and system
// calls in all that it takes for an instruction.
#pragma once

#include <Zydis/Zydis.h>

#include <cstdio>
#include <span>

#include "pico/direct/instruction.h"

namespace lxss::tests {

class AgainstZydis {
 public:
  AgainstZydis() { ZydisDecoderInit(&zydis_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64); }

  /// From one instruction to the next, as Zydis finds them; with `everywhere`, at each byte.
  void compare(const char* name, std::span<const u8> code, bool everywhere) {
    for (usize at = 0; at < code.size();) {
      const usize size = compare_one(name, code.subspan(at), at);
      at += everywhere || size == 0 ? 1 : size;
    }
  }

  usize instructions() const { return instructions_; }
  usize differences() const { return differences_; }
  /// Of these, Zydis says none, we say rare or none is what there should be.
  usize taken_for_common() const { return taken_for_common_; }
  usize not_instructions() const { return not_instructions_; }

 private:
  usize compare_one(const char* name, std::span<const u8> code, usize at) {
    using pico::direct::Instruction;
    const Instruction ours = pico::direct::decode(code);
    ZydisDecodedInstruction theirs;
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeInstruction(&zydis_, nullptr, code.data(), code.size(), &theirs)) ||
        is_knights_corner(theirs)) {
      ++not_instructions_;
      taken_for_common_ += ours.kind != Instruction::kNone && ours.kind != Instruction::kRare;
      return 0;
    }
    ++instructions_;
    const bool is_direct = theirs.raw.imm[0].is_relative;
    const bool jumps = ours.kind == Instruction::kBranch || ours.kind == Instruction::kJump;
    bool same = ours.size == theirs.length;
    // Zydis knows that xbegin may jump; we say that ordinary programs have none.
    if (theirs.mnemonic != ZYDIS_MNEMONIC_XBEGIN) {
      same &= jumps == is_direct && (!jumps || ours.distance == theirs.raw.imm[0].value.s);
    }
    same &= (ours.kind == Instruction::kSyscall) == (theirs.mnemonic == ZYDIS_MNEMONIC_SYSCALL);
    const bool ends = theirs.mnemonic == ZYDIS_MNEMONIC_RET ||
                      (theirs.mnemonic == ZYDIS_MNEMONIC_JMP && !is_direct &&
                       theirs.meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR);
    if (ends && theirs.meta.branch_type != ZYDIS_BRANCH_TYPE_FAR) {
      same &= ours.kind == Instruction::kEnd;
    }
    if (theirs.mnemonic == ZYDIS_MNEMONIC_JMP && is_direct) same &= ours.kind == Instruction::kJump;
    if (ours.kind == Instruction::kNop) same &= theirs.mnemonic == ZYDIS_MNEMONIC_NOP;
    if (!same && ++differences_ <= 20) {
      std::printf("%s+%#zx:", name, at);
      for (usize i = 0; i < theirs.length; ++i) std::printf(" %02x", code[i]);
      std::printf(" %s: %u bytes, kind %d\n", ZydisMnemonicGetString(theirs.mnemonic), ours.size,
                  int(ours.kind));
    }
    return theirs.length;
  }

  /// Of a coprocessor alone.
  static bool is_knights_corner(const ZydisDecodedInstruction& instruction) {
    return instruction.encoding == ZYDIS_INSTRUCTION_ENCODING_MVEX ||
           instruction.mnemonic == ZYDIS_MNEMONIC_JKNZD ||
           instruction.mnemonic == ZYDIS_MNEMONIC_JKZD;
  }

  ZydisDecoder zydis_;
  usize instructions_ = 0, differences_ = 0, not_instructions_ = 0, taken_for_common_ = 0;
};

}  // namespace lxss::tests
