#include "pico/direct/code_map.h"

#include <algorithm>

namespace lxss::pico::direct {

namespace {

bool is_padding(const Instruction& instruction, u8 first_byte) {
  constexpr u8 kBreakpoint = 0xcc;
  return instruction.kind == Instruction::kNop || first_byte == kBreakpoint;
}

bool goes_on(const Instruction& instruction) {
  return instruction.kind != Instruction::kJump && instruction.kind != Instruction::kEnd;
}

}  // namespace

CodeMap::CodeMap(std::span<const u8> code, std::span<u64> memory)
    : code_(code),
      begins_(memory.data()),
      targets_(begins_ + set_words(code.size())),
      idle_(targets_ + set_words(code.size())) {
  read();
  add_rest_of_last_page();
  drop_targets_from_idle();
}

void CodeMap::read() {
  bool comes_by = true;  // from the instruction before
  for (usize at = 0; at < code_.size();) {
    const Instruction here = this->at(at);
    if (here.size == 0) {
      ++at;
      comes_by = true;
      continue;
    }
    add(begins_, at);
    if (here.kind == Instruction::kBranch || here.kind == Instruction::kJump) {
      add_target(static_cast<i64>(at) + here.size + here.distance);
    }
    if (!comes_by && is_padding(here, code_[at])) {
      for (usize i = at; i < at + here.size; ++i) add(idle_, i);
    } else {
      comes_by = goes_on(here);
    }
    at += here.size;
  }
}

void CodeMap::add_rest_of_last_page() {
  // The first few may belong to what ends there.
  constexpr usize kKept = 64;
  const auto last = std::find_if(code_.rbegin(), code_.rend(), [](u8 byte) { return byte != 0; });
  const usize zeros = static_cast<usize>(last - code_.rbegin());
  for (usize i = kKept; i < zeros; ++i) add(idle_, code_.size() - zeros + i);
}

void CodeMap::add_target(i64 target) {
  if (target >= 0 && static_cast<usize>(target) < code_.size()) {
    add(targets_, static_cast<usize>(target));
  }
}

void CodeMap::drop_targets_from_idle() {
  for (usize word = 0; word < set_words(code_.size()); ++word) {
    while (const u64 both = idle_[word] & targets_[word]) {
      usize at = word * 64 + static_cast<usize>(__builtin_ctzll(both));
      for (; at < code_.size() && has(idle_, at); ++at) remove(idle_, at);
    }
  }
}

usize CodeMap::before(usize at) const {
  for (usize size = 1; size <= std::min<usize>(at, Instruction::kMaxSize); ++size) {
    if (begins_at(at - size)) return this->at(at - size).size == size ? at - size : at;
  }
  return at;
}

usize CodeMap::find_call(usize at) const {
  constexpr u8 kFirst = 0x0f, kSecond = 0x05;
  for (; at + 1 < code_.size(); ++at) {
    if (code_[at] == kFirst && code_[at + 1] == kSecond && begins_at(at)) return at;
  }
  return code_.size();
}

bool CodeMap::is_plausible(usize at) const {
  // Random bytes hold out for three or four instructions.
  constexpr u32 kInstructions = 16;
  auto is_common = [&](usize begin) {
    const Instruction::Kind kind = this->at(begin).kind;
    return kind != Instruction::kNone && kind != Instruction::kRare;
  };
  while (at != 0 && !begins_at(at)) --at;
  usize end = at;
  for (u32 i = 0; i < kInstructions && end != 0; ++i) {
    const usize begin = before(end);
    if (begin == end || !is_common(begin)) return false;
    end = begin;
  }
  for (u32 i = 0; i < kInstructions && at < code_.size(); ++i) {
    if (!is_common(at)) return false;
    at += this->at(at).size;
  }
  return true;
}

}  // namespace lxss::pico::direct
