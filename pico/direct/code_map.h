// What there is in code: where instructions begin, where direct jumps lead, and which bytes nothing
// executes. Found by reading the code once from front to back; pure functions on bytes.
//
// Data between code is read as code, too. Reading falls into step again a few instructions behind
// it; is_plausible() tells whether a place lies amid instructions as programs have them.
#pragma once

#include <algorithm>
#include <span>

#include "pico/direct/instruction.h"

namespace lxss::pico::direct {

class CodeMap {
 public:
  /// Words of memory for the map of so much code.
  static constexpr usize words_for(usize code_size) { return 3 * set_words(code_size); }

  /// `memory` is zero and, like the code, stays what it is while the map is in use.
  CodeMap(std::span<const u8> code, std::span<u64> memory);

  std::span<const u8> code() const { return code_; }
  bool begins_at(usize at) const { return has(begins_, at); }
  bool is_target(usize at) const { return has(targets_, at); }
  /// Takes `size` bytes that nothing executes, at the first place in [first, last) that
  /// `serves(place)`. The code's size if there are none.
  template <typename Serves>
  usize take_idle(usize size, usize first, usize last, Serves serves) {
    usize run = 0;
    last = std::min(last + size - 1, code_.size());
    for (usize at = first; at < last; ++at) {
      if (at % 64 == 0 && idle_[at / 64] == 0) {
        at += 63;
        run = 0;
        continue;
      }
      run = has(idle_, at) ? run + 1 : 0;
      if (run < size || !serves(at + 1 - size)) continue;
      for (usize i = at + 1 - size; i <= at; ++i) remove(idle_, i);
      return at + 1 - size;
    }
    return code_.size();
  }

  Instruction at(usize at) const { return decode(code_.subspan(at)); }
  /// Where the instruction begins that ends at `at`; `at` if there is none.
  usize before(usize at) const;
  /// The next `syscall` at `at` or behind, or the code's size.
  usize find_call(usize at) const;
  /// True if the instruction that has the byte at `at` lies amid instructions of ordinary programs.
  bool is_plausible(usize at) const;

 private:
  static constexpr usize set_words(usize code_size) { return code_size / 64 + 1; }

  static bool has(const u64* set, usize at) { return set[at / 64] >> at % 64 & 1; }
  static void add(u64* set, usize at) { set[at / 64] |= u64{1} << at % 64; }
  static void remove(u64* set, usize at) { set[at / 64] &= ~(u64{1} << at % 64); }
  void read();
  void add_rest_of_last_page();
  void add_target(i64 target);
  /// Padding that is jumped to is not idle.
  void drop_targets_from_idle();

  const std::span<const u8> code_;
  u64 *const begins_, *const targets_, *const idle_;  ///< sets of places in the code, by bit
};

}  // namespace lxss::pico::direct
