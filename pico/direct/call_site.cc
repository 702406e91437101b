#include "pico/direct/call_site.h"

#include <algorithm>
#include <optional>

namespace lxss::pico::direct {

namespace {

constexpr u8 kShortJump = 0xeb, kNearJump = 0xe9;
constexpr u8 kMovCl = 0xb1, kMovR11[] = {0x41, 0xbb};
constexpr u8 kIndirectJump[] = {0xff, 0x24, 0x25};  // jmp *address
constexpr u8 kLeaRcx[] = {0x48, 0x8d, 0x0d};        // lea distance(%rip), %rcx
constexpr u32 kShortJumpSize = 2, kNearJumpSize = CallSite::kJumpSize;
constexpr u32 kStubSize = CallSite::kStubSize;
/// In 64-bit mode.
constexpr u8 kNoInstruction = 0x06;
bool is_no_instruction(u32 byte) {
  for (u32 none : {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61}) {
    if (byte == none) return true;
  }
  return false;
}

void put_u32(u8* at, u32 value) {
  for (u32 i = 0; i < sizeof value; ++i) at[i] = static_cast<u8>(value >> 8 * i);
}

u32 get_u32(const u8* at) {
  return u32{at[0]} | u32{at[1]} << 8 | u32{at[2]} << 16 | u32{at[3]} << 24;
}

void put_near_jump(std::span<u8> code, usize at, usize target) {
  code[at] = kNearJump;
  put_u32(&code[at + 1], static_cast<u32>(target - (at + kNearJumpSize)));
}

/// Looks for room for one site after the other.
class Finder {
 public:
  Finder(CodeMap& map, usize most)
      : map_(map), most_(most), rounds_left_(kMostReadAgain / (map.code().size() + 1)) {}

  CallSites run() {
    const usize size = map_.code().size();
    for (usize call = map_.find_call(0); call < size && sites_.size() < most_;
         call = map_.find_call(call + 1)) {
      if (!is_plausible(call) || !has_gate()) continue;
      std::optional<CallSite> site = with_near_stub(call);
      if (!site) site = with_near_front(call);
      if (!site) site = with_instructions_before(call);
      if (!site) site = with_instruction_behind(call);
      if (site) sites_.push_back(*site);
    }
    return {std::move(sites_), std::move(gates_)};
  }

 private:
  /// The next site's group has one.
  bool has_gate() {
    if (sites_.size() / kGroupSize < gates_.size()) return true;
    const std::optional<u32> gate = take(kGateSize);
    if (gate) gates_.push_back(*gate);
    return gate.has_value();
  }

  std::optional<CallSite> with_near_stub(usize call) {
    const std::optional<u32> stub = take_near(kStubSize, call);
    if (!stub) return {};
    return CallSite{.begin = static_cast<u32>(call), .stub = *stub};
  }

  std::optional<CallSite> with_near_front(usize call) {
    const std::optional<u32> front = take_near(kNearJumpSize, call);
    if (!front) return {};
    const std::optional<u32> stub = take(kStubSize);
    if (!stub) return {};
    return CallSite{.begin = static_cast<u32>(call), .stub = *stub, .front = *front};
  }

  /// The first of them has the jump to itself, so that the others, and `syscall`, begin where there
  /// is no instruction.
  std::optional<CallSite> with_instructions_before(usize call) {
    constexpr u32 kMost = 4;
    usize begin = call;
    for (u32 i = 0; i < kMost; ++i) {
      if (begin != call && map_.is_target(begin)) return {};
      const usize previous = map_.before(begin);
      const Instruction instruction = map_.at(previous);
      if (previous == begin || previous < end_of_last() || !can_move(instruction)) return {};
      begin = previous;
      if (instruction.size < kNearJumpSize) continue;
      const usize before = call - begin;
      const std::optional<u32> front = take(before + kNearJumpSize);
      const std::optional<u32> stub = front ? take(kStubSize) : std::nullopt;
      if (!stub) return {};
      return CallSite{.begin = static_cast<u32>(begin),
                      .stub = *stub,
                      .front = *front,
                      .before = static_cast<u8>(before)};
    }
    return {};
  }

  /// The second byte of the jump's distance is no instruction: that is where the one behind
  /// `syscall` began.
  std::optional<CallSite> with_instruction_behind(usize call) {
    const usize behind = call + kSyscallSize;
    const Instruction instruction = map_.at(behind);
    if (behind + instruction.size < call + kNearJumpSize || !can_move(instruction) ||
        map_.is_target(behind)) {
      return {};
    }
    const std::optional<u32> rest = take(CallSite{.after = instruction.size}.rest_size());
    if (!rest) return {};
    const std::optional<u32> stub = take(kStubSize, cursor_of_chosen_, [&](usize place) {
      return is_no_instruction((place - (call + kNearJumpSize)) >> 8 & 0xff);
    });
    if (!stub) return {};
    return CallSite{
        .begin = static_cast<u32>(call), .stub = *stub, .rest = *rest, .after = instruction.size};
  }

  /// Not what does nothing: it may be padding, which is room for others.
  static bool can_move(const Instruction& instruction) {
    return instruction.kind == Instruction::kPlain;
  }

  usize end_of_last() const { return sites_.empty() ? 0 : sites_.back().end(); }

  std::optional<u32> take_near(usize size, usize call) {
    constexpr usize kBack = 128, kForward = 127;
    const usize from = call + kShortJumpSize;
    return place(map_.take_idle(size, from - std::min(from, kBack), from + kForward + 1,
                                [&](usize at) { return is_plausible(at); }));
  }

  /// Each cursor goes over the code once, and then so often that the time for all sites has a
  /// bound.
  template <typename Serves>
  std::optional<u32> take(usize size, usize& cursor, Serves serves) {
    const usize end = map_.code().size();
    const auto may = [&](usize at) { return serves(at) && is_plausible(at); };
    cursor = map_.take_idle(size, cursor, end, may);
    if (cursor != end || rounds_left_ == 0) return place(cursor);
    --rounds_left_;
    return place(map_.take_idle(size, 0, end, may));
  }
  std::optional<u32> take(usize size) {
    return take(size, cursor_, [](usize) { return true; });
  }

  std::optional<u32> place(usize at) const {
    if (at == map_.code().size()) return {};
    return static_cast<u32>(at);
  }

  bool is_plausible(usize at) {
    if (looks_left_ == 0) return false;
    --looks_left_;
    return map_.is_plausible(at);
  }

  static constexpr usize kMostReadAgain = usize{64} << 20;

  CodeMap& map_;
  const usize most_;
  usize cursor_ = 0, cursor_of_chosen_ = 0;
  usize rounds_left_;         ///< over all of the code, for room that was too small before
  u32 looks_left_ = 100'000;  ///< at what is around a place
  std::vector<CallSite> sites_;
  std::vector<u32> gates_;
};

/// Copies instructions, and lets those that name an operand by its distance name the same.
void copy_instructions(std::span<u8> code, usize from, usize size, usize to) {
  std::copy_n(&code[from], size, &code[to]);
  for (usize at = 0; at < size;) {
    const Instruction instruction = decode(code.subspan(to + at, size - at));
    if (instruction.size == 0) return;
    if (instruction.relative_operand != 0) {
      u8* const operand = &code[to + at + instruction.relative_operand];
      put_u32(operand, get_u32(operand) + static_cast<u32>(from - to));
    }
    at += instruction.size;
  }
}

void write_gate(u8* at, u32 id_of_group, u64 entry) {
  at = std::copy(std::begin(kMovR11), std::end(kMovR11), at);
  put_u32(at, id_of_group);
  at = std::copy(std::begin(kIndirectJump), std::end(kIndirectJump), at + sizeof id_of_group);
  put_u32(at, static_cast<u32>(entry));
}

void write_site(std::span<u8> code, const CallSite& site, u8 number, u32 gate) {
  code[site.stub] = kMovCl;
  code[site.stub + 1] = number;
  put_near_jump(code, site.stub + CallSite::kStubJump, gate);
  if (site.has_front()) {
    copy_instructions(code, site.begin, site.before, site.front);
    put_near_jump(code, site.front + site.before, site.stub);
  }
  if (site.has_rest()) {
    const u32 copies = site.rest + CallSite::kRestCopies;
    std::copy(std::begin(kLeaRcx), std::end(kLeaRcx), &code[site.rest]);
    put_u32(&code[site.rest + sizeof kLeaRcx], site.behind() - copies);
    copy_instructions(code, site.behind(), site.after, copies);
    put_near_jump(code, copies + site.after, site.end());
  }
  const u32 target = site.has_front() ? site.front : site.stub;
  const u32 size = site.size();
  if (size < kNearJumpSize) {
    code[site.begin] = kShortJump;
    code[site.begin + 1] = static_cast<u8>(target - (site.begin + kShortJumpSize));
    return;
  }
  put_near_jump(code, site.begin, target);
  std::fill_n(&code[site.begin + kNearJumpSize], size - kNearJumpSize, kNoInstruction);
}

}  // namespace

CallSites find_sites(CodeMap& map, usize most) { return Finder(map, most).run(); }

void write_sites(std::span<u8> code, const CallSites& found, u32 id, u64 entry) {
  for (usize i = 0; i < found.gates.size(); ++i) {
    write_gate(&code[found.gates[i]], id + static_cast<u32>(i) * kGroupSize, entry);
  }
  for (usize i = 0; i < found.sites.size(); ++i) {
    write_site(code, found.sites[i], static_cast<u8>(i % kGroupSize), found.gates[i / kGroupSize]);
  }
}

bool is_gate(std::span<const u8, kGateSize> code, u32 id_of_group, u64 entry) {
  u8 gate[kGateSize];
  write_gate(gate, id_of_group, entry);
  return std::equal(code.begin(), code.end(), gate);
}

Place place_in(const CallSite& site, u32 position) {
  // Differences wrap: what is before a piece is not in it.
  if (position - site.stub <= CallSite::kStubJump) return {Place::kToCall, site.call()};
  if (const u32 at = position - site.front; site.has_front() && at <= site.before) {
    return {at == 0 ? Place::kToCall : Place::kCopy, site.begin + at};
  }
  const u32 copies = site.rest + CallSite::kRestCopies;
  if (site.has_rest() && position == site.rest) return {Place::kCopy, site.behind()};
  if (const u32 at = position - copies; site.has_rest() && at <= site.after) {
    return {Place::kCopy, site.behind() + at};
  }
  const u32 at = position - site.begin;
  if (at == 0 || position >= site.end()) return {};
  if (position < site.call()) return {Place::kSite, site.front + at};
  if (position == site.call()) return {Place::kSite, site.stub};
  if (position == site.behind() && site.has_rest()) return {Place::kSite, copies};
  return {};
}

}  // namespace lxss::pico::direct
