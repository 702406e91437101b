#include "pico/direct/instruction.h"

#include <algorithm>
#include <array>

namespace lxss::pico::direct {

namespace {

/// A set of bytes, spelled as in "06-07 0e".
class ByteSet {
 public:
  consteval explicit ByteSet(const char* spelled) {
    while (*spelled) {
      const u32 first = read_byte(spelled);
      const u32 last = *spelled == '-' ? read_byte(++spelled) : first;
      for (u32 byte = first; byte <= last; ++byte) words_[byte / 64] |= u64{1} << byte % 64;
      if (*spelled == ' ') ++spelled;
    }
  }
  constexpr bool has(u8 byte) const { return words_[byte / 64] >> byte % 64 & 1; }

 private:
  static consteval u32 read_byte(const char*& at) {
    const u32 byte = digit(at[0]) * 16 + digit(at[1]);
    at += 2;
    return byte;
  }
  static consteval u32 digit(char c) { return static_cast<u32>(c <= '9' ? c - '0' : c - 'a' + 10); }

  u64 words_[4] = {};
};

// Opcodes of one byte.
constexpr ByteSet kInvalid("06-07 0e 16-17 1e-1f 27 2f 37 3f 60-61 82 9a ce d4-d6 ea");
constexpr ByteSet kModRm(
    "00-03 08-0b 10-13 18-1b 20-23 28-2b 30-33 38-3b 63 69 6b 80-81 83-8f c0-c1 c6-c7 d0-d3 d8-df "
    "f6-f7 fe-ff");
constexpr ByteSet kImmediate8(
    "04 0c 14 1c 24 2c 34 3c 6a-6b 70-80 83 a8 b0-b7 c0-c1 c6 cd e0-e7 eb");
/// Four bytes, or two with an operand size prefix.
constexpr ByteSet kImmediate32("05 0d 15 1d 25 2d 35 3d 68-69 81 a9 b8-bf c7 e8-e9");
/// Ports, interrupts, far calls and returns, flags of the system's.
constexpr ByteSet kRare("6c-6f ca-cb cd cf e4-e7 ec-ef f1 fa-fb");
/// What special_opcode() knows more about.
constexpr ByteSet kSpecial(
    "70-7f 8f-90 a0-a3 b8-bf c2-c3 c6-c8 ca cc-cd e0-e3 e8-e9 eb f4 f6-f7 fe-ff");

/// The same by opcode, as decoding is most of the work of rewriting.
enum Trait : u8 {
  kHasModRm = 1,
  kHasImmediate8 = 2,
  kHasImmediate32 = 4,
  kIsRare = 8,
  kIsSpecial = 16,
  kIsInvalid = 32,
};
constexpr std::array<u8, 256> kTraits = [] {
  std::array<u8, 256> traits{};
  for (u32 i = 0; i < 256; ++i) {
    const u8 opcode = static_cast<u8>(i);
    u32 found = 0;
    if (kModRm.has(opcode)) found |= kHasModRm;
    if (kImmediate8.has(opcode)) found |= kHasImmediate8;
    if (kImmediate32.has(opcode)) found |= kHasImmediate32;
    if (kRare.has(opcode)) found |= kIsRare;
    if (kSpecial.has(opcode)) found |= kIsSpecial;
    if (kInvalid.has(opcode)) found |= kIsInvalid;
    traits[i] = static_cast<u8>(found);
  }
  return traits;
}();

// Opcodes behind 0f.
constexpr ByteSet kInvalid0f("04 0a 0c 24-27 36 39 3b-3f 7a-7b");
constexpr ByteSet kNoModRm0f("05-09 0b 0e 30-37 77 80-8f a0-a2 a8-aa c8-cf");
constexpr ByteSet kImmediate8In0f("0f 70-73 a4 ac ba c2 c4-c6");
/// What manages the system.
constexpr ByteSet kRare0f("00 02-03 06-09 0e-0f 20-23 30 32-35 78-79 a6-a7 aa b2 b4-b5 b9 ff");

constexpr ByteSet kVectorImmediate8("70-73 c2 c4-c6");  // VEX and EVEX, map 1

i32 read_signed(std::span<const u8> code, usize at, usize size) {
  u32 value = 0;
  for (usize i = 0; i < size; ++i) value |= u32{code[at + i]} << 8 * i;
  const u32 unused = 32 - static_cast<u32>(8 * size);
  return static_cast<i32>(value << unused) >> unused;
}

/// Reads one instruction, front to back.
class Decoder {
 public:
  explicit Decoder(std::span<const u8> code)
      : code_(code.first(std::min<usize>(code.size(), Instruction::kMaxSize))) {}

  Instruction run() {
    read_prefixes();
    if (!has(1)) return {};
    opcode_at_ = at_;
    const u8 opcode = code_[at_++];
    if (opcode == 0x0f) {
      two_byte_opcode();
    } else if (opcode == 0xc4 || opcode == 0xc5) {
      vex(opcode == 0xc4);
    } else if (opcode == 0x62) {
      evex();
    } else {
      one_byte_opcode(opcode);
    }
    if (found_.kind == Instruction::kNone || at_ > code_.size()) return {};
    found_.size = static_cast<u8>(at_);
    const bool jumps = found_.kind == Instruction::kBranch || found_.kind == Instruction::kJump;
    if (jumps) found_.distance = read_signed(code_, at_ - immediate_, immediate_);
    return found_;
  }

 private:
  bool has(usize size) const { return code_.size() - at_ >= size; }

  void read_prefixes() {
    for (; at_ < code_.size(); ++at_) {
      const u8 byte = code_[at_];
      if ((byte & 0xf0) == 0x40) {
        rex_ = byte;
        continue;
      }
      switch (byte) {
        case 0x66:
          operand_16_ = true;
          break;
        case 0x67:
          address_32_ = true;
          break;
        case 0xf2:
        case 0xf3:
          repeat_ = byte;
          break;
        case 0xf0:
          lock_ = true;
          break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x64:
        case 0x65:
          break;
        default:
          return;
      }
      rex_ = 0;  // only the last prefix may be REX
    }
  }

  /// ModRM with what belongs to it.
  void operand() {
    if (!has(1)) return cut_off();
    modrm_ = code_[at_++];
    const u8 mode = modrm_ >> 6, base = modrm_ & 7;
    if (mode == 3) return;
    usize size = mode == 1 ? 1 : mode == 2 ? 4 : 0;
    if (base == 4) {
      if (!has(1)) return cut_off();
      const u8 sib = code_[at_++];
      if (mode == 0 && (sib & 7) == 5) size = 4;
    } else if (mode == 0 && base == 5) {
      size = 4;
      found_.relative_operand = static_cast<u8>(at_);
    }
    at_ += size;
  }

  void immediate(usize size) {
    at_ += size;
    immediate_ = size;
  }

  void cut_off() { at_ = Instruction::kMaxSize + 1; }

  bool is_wide() const { return rex_ & 8; }
  u8 selector() const { return modrm_ >> 3 & 7; }
  bool names_memory() const { return modrm_ >> 6 != 3; }

  void one_byte_opcode(u8 opcode) {
    const u8 traits = kTraits[opcode];
    if (traits & kIsInvalid) return;
    found_.kind = traits & kIsRare ? Instruction::kRare : Instruction::kPlain;
    // LOCK before what cannot have it is an invalid instruction; more would be in vain here.
    if (lock_ && !(traits & kHasModRm)) found_.kind = Instruction::kRare;
    if (traits & kHasModRm) operand();
    if (at_ > code_.size()) return;
    if (traits & kHasImmediate8) immediate(1);
    // A branch has no use for the operand size prefix, a 64-bit operand takes precedence of it.
    const bool is_branch = (opcode & 0xfe) == 0xe8;
    if (traits & kHasImmediate32) immediate(operand_16_ && !is_wide() && !is_branch ? 2 : 4);
    if (traits & kIsSpecial) special_opcode(opcode);
  }

  void special_opcode(u8 opcode) {
    if ((opcode & 0xfc) == 0xa0) at_ += address_32_ ? 4 : 8;  // mov from and to an address
    if ((opcode & 0xf8) == 0xb8 && is_wide()) at_ += 4;       // movabs
    switch (opcode) {
      case 0x8f:  // pop, or XOP
        if (selector() != 0) xop();
        break;
      case 0x90:
        if (!(rex_ & 1) && !repeat_) found_.kind = Instruction::kNop;
        break;
      case 0xc2:
        at_ += 2;
        found_.kind = Instruction::kEnd;
        break;
      case 0xca:
        at_ += 2;
        break;
      case 0xc3:
      case 0xcc:
      case 0xf4:
        found_.kind = Instruction::kEnd;
        break;
      case 0xc6:
      case 0xc7:  // mov, xbegin, xabort
        if (modrm_ == 0xf8) {
          found_.kind = Instruction::kRare;
        } else if (selector() != 0) {
          found_.kind = Instruction::kNone;
        }
        break;
      case 0xc8:
        at_ += 3;
        found_.kind = Instruction::kRare;
        break;
      case 0xcd:  // int $3 is how Go's assembler spells a breakpoint
        if (at_ <= code_.size() && code_[at_ - 1] == 3) found_.kind = Instruction::kEnd;
        break;
      case 0xe8:
      case 0xe0:
      case 0xe1:
      case 0xe2:
      case 0xe3:
        found_.kind = Instruction::kBranch;
        break;
      case 0xe9:
      case 0xeb:
        found_.kind = Instruction::kJump;
        break;
      case 0xf6:
        if (selector() < 2) at_ += 1;
        break;
      case 0xf7:
        if (selector() < 2) at_ += operand_16_ && !is_wide() ? 2 : 4;
        break;
      case 0xfe:
        if (selector() > 1) found_.kind = Instruction::kNone;
        break;
      case 0xff:
        indirect();
        break;
      default:
        if ((opcode & 0xf0) == 0x70) found_.kind = Instruction::kBranch;
    }
  }

  void indirect() {
    switch (selector()) {
      case 3:  // far
      case 5:
        found_.kind = names_memory() ? Instruction::kRare : Instruction::kNone;
        break;
      case 4:
        found_.kind = Instruction::kEnd;
        break;
      case 7:
        found_.kind = Instruction::kNone;
    }
  }

  void two_byte_opcode() {
    if (!has(1)) return;
    const u8 opcode = code_[at_++];
    if (opcode == 0x38 || opcode == 0x3a) {
      if (!has(1)) return;
      ++at_;
      found_.kind = Instruction::kPlain;
      operand();
      if (opcode == 0x3a) immediate(1);
      return;
    }
    if (kInvalid0f.has(opcode)) return;
    found_.kind = kRare0f.has(opcode) ? Instruction::kRare : Instruction::kPlain;
    if (!kNoModRm0f.has(opcode)) {
      // Moves from and to control registers name registers whatever ModRM says.
      if ((opcode & 0xfc) == 0x20) {
        ++at_;
      } else {
        operand();
      }
    }
    if (at_ > code_.size()) return;
    if (kImmediate8In0f.has(opcode)) immediate(1);
    switch (opcode) {
      case 0x05:
        found_.kind = Instruction::kSyscall;
        break;
      case 0x0b:
      case 0xb9:
        found_.kind = Instruction::kEnd;
        break;
      case 0x1e:
      case 0x1f:
        // endbr64 and its kin are marks.
        found_.kind = repeat_ ? Instruction::kPlain : Instruction::kNop;
        break;
      case 0x78:  // extrq and insertq have two bytes, vmread none
        if (operand_16_ || repeat_ == 0xf2) at_ += 2;
        break;
      default:
        if ((opcode & 0xf0) == 0x80) {
          immediate(4);
          found_.kind = Instruction::kBranch;
        }
    }
  }

  void vex(bool has_three_bytes) {
    if (!has(has_three_bytes ? 3 : 2)) return;
    const u32 map = has_three_bytes ? code_[at_] & 0x1f : 1;
    at_ += has_three_bytes ? 2 : 1;
    if (map == 0 || map > 3 || rex_ || lock_ || operand_16_ || repeat_) return;
    const u8 opcode = code_[at_++];
    found_.kind = Instruction::kPlain;
    const bool is_zero_upper = map == 1 && opcode == 0x77;
    if (!is_zero_upper) operand();
    if (map == 3 || (map == 1 && kVectorImmediate8.has(opcode))) immediate(1);
  }

  void evex() {
    if (!has(4)) return;
    const u32 map = code_[at_] & 7;
    const bool is_marked = code_[at_ + 1] & 4;
    at_ += 3;
    if (map == 0 || map == 4 || map == 7 || !is_marked || rex_ || lock_ || operand_16_ || repeat_) {
      return;
    }
    const u8 opcode = code_[at_++];
    found_.kind = Instruction::kPlain;
    operand();
    if (map == 3 || (map == 1 && kVectorImmediate8.has(opcode))) immediate(1);
  }

  /// AMD's. `modrm_` was the byte behind 8f.
  void xop() {
    const u32 map = modrm_ & 0x1f;
    found_.kind = Instruction::kNone;
    at_ = opcode_at_ + 4;
    if (map < 8 || map > 10 || at_ > code_.size()) return;
    found_.kind = Instruction::kRare;
    operand();
    if (map == 8) immediate(1);
    if (map == 10) immediate(4);
  }

  const std::span<const u8> code_;
  usize at_ = 0, opcode_at_ = 0;
  Instruction found_;
  usize immediate_ = 0;
  u8 modrm_ = 0, rex_ = 0, repeat_ = 0;
  bool operand_16_ = false, address_32_ = false, lock_ = false;
};

}  // namespace

Instruction decode(std::span<const u8> code) { return Decoder(code).run(); }

}  // namespace lxss::pico::direct
