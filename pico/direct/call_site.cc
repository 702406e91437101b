#include "pico/direct/call_site.h"

#include <algorithm>

namespace lxss::pico::direct {

namespace {

constexpr u8 kMovEdi[] = {0xbf, 0x9c, 0xff, 0xff, 0xff};
constexpr u8 kMovR9[] = {0x4c, 0x8b, 0x4c, 0x24, 0x08};
constexpr u8 kXorEax[] = {0x31, 0xc0};
constexpr u8 kCmpRax[] = {0x48, 0x3d};
constexpr u8 kMovEaxOpcode = 0xb8;

constexpr u8 kJump[] = {0xff, 0x24, 0x25};  // jmp *address, four bytes of which follow
constexpr u8 kInvalid = 0x06;               // in 64-bit mode
static_assert((kCallTable >> 16 & 0xff) == kInvalid && kCallTable >> 24 < 0x80);

template <usize kSize>
bool has(const u8* at, const u8 (&bytes)[kSize]) {
  return std::equal(bytes, bytes + kSize, at);
}

u32 read_u32(const u8* at) {
  return u32{at[0]} | u32{at[1]} << 8 | u32{at[2]} << 16 | u32{at[3]} << 24;
}

/// True if the byte at `at` may be the displacement of an instruction whose immediate operand
/// follows, rather than the opcode of mov.
bool may_be_displacement(const u8* at) {
  auto has_immediate = [](u8 opcode) {
    return opcode == 0xc7 || opcode == 0x81 || opcode == 0x69 || opcode == 0xf7;
  };
  const bool by_register = has_immediate(at[-2]) && (at[-1] & 0xc0) == 0x40;
  const bool by_index = has_immediate(at[-3]) && (at[-2] & 0xc7) == 0x44;
  return by_register || by_index;
}

}  // namespace

std::optional<CallSite> find_site(std::span<const u8> code, usize at) {
  if (at < kBefore || code.size() - at < kSyscallSize + kBehind) return {};
  const u8* here = code.data() + at;
  if (!has(here, kSyscall)) return {};
  CallSite site;
  site.offset = static_cast<u32>(at - 5);
  if (here[-5] == kMovEaxOpcode) {
    // With a REX or an operand size prefix it would be another instruction.
    const bool has_prefix = (here[-6] & 0xf0) == 0x40 || here[-6] == 0x66;
    const u32 number = read_u32(here - 4);
    constexpr u32 kMaxNumber = 1023;
    if (has_prefix || number > kMaxNumber || may_be_displacement(here - 5)) return {};
    site.displaced = Displaced::kMovEax;
    site.operand = static_cast<u16>(number);
  } else if (has(here - 5, kMovEdi) && (here[-6] & 0xf0) != 0x40) {
    site.displaced = Displaced::kMovEdi;
  } else if (has(here - 5, kMovR9)) {
    site.displaced = Displaced::kMovR9;
  } else if (has(here - 2, kXorEax) && (here[-3] & 0xf0) != 0x40 &&
             has(here + kSyscallSize, kCmpRax)) {
    const u32 operand = read_u32(here + kSyscallSize + sizeof kCmpRax);
    if (operand != 0xffff'f000 && operand != 0xffff'f001) return {};
    site.displaced = Displaced::kXorEax;
    site.operand = static_cast<u16>(operand);
    site.offset = static_cast<u32>(at - 2);
  } else {
    return {};
  }
  return site;
}

bool is_jumped_into(std::span<const u8> code, const CallSite& site) {
  const i64 call = i64{site.offset} + 2, behind = call + i64{kSyscallSize};
  auto leads_in = [&](i64 target) { return target == call || target == behind; };
  const i64 size = static_cast<i64>(code.size());
  for (i64 at = 0; at + 6 <= size; ++at) {
    const u8* here = code.data() + at;
    if ((here[0] & 0xfe) == 0xe8) {
      if (leads_in(at + 5 + i32(read_u32(here + 1)))) return true;
    } else if (here[0] == 0x0f && (here[1] & 0xf0) == 0x80) {
      if (leads_in(at + 6 + i32(read_u32(here + 2)))) return true;
    }
  }
  constexpr i64 kReach = 130;
  for (i64 at = std::max<i64>(call - kReach, 0); at < std::min(call + kReach, size - 1); ++at) {
    const u8* here = code.data() + at;
    const bool is_short = (here[0] & 0xf0) == 0x70 || here[0] == 0xeb || (here[0] & 0xfc) == 0xe0;
    if (is_short && leads_in(at + 2 + static_cast<i8>(here[1]))) return true;
  }
  return false;
}

void write_jump(u8* at, Displaced displaced, u32 slot) {
  const u64 address = kCallTable + slot * sizeof(u64);
  at = std::copy(std::begin(kJump), std::end(kJump), at);
  for (u32 i = 0; i < 4; ++i) *at++ = static_cast<u8>(address >> 8 * i);
  if (displaced == Displaced::kXorEax) std::fill_n(at, 3, kInvalid);
}

u32 slot_of_jump(const u8* at) {
  if (!has(at, kJump)) return kNoSlot;
  const u64 address = read_u32(at + sizeof kJump);
  if (address < kCallTable || address % sizeof(u64) != 0) return kNoSlot;
  return static_cast<u32>(std::min<u64>((address - kCallTable) / sizeof(u64), kNoSlot));
}

}  // namespace lxss::pico::direct
