// Echo, and the editing of the current line.
#include "lxcore/tty/line_discipline.h"

namespace lxss {

namespace {

bool is_control(u8 c) { return c < 0x20 || c == 0x7f; }

}  // namespace

void LineDiscipline::echo(u8 c) {
  if (local_flag(abi::kECHOCTL) && is_control(c) && c != '\t') {
    echo_plain('^');
    echo_plain(c ^ 0x40);
  } else {
    echo_plain(c);
  }
}

void LineDiscipline::echo_text(std::string_view text) {
  for (char c : text) echo_plain(static_cast<u8>(c));
}

void LineDiscipline::bell() { echo_plain('\a'); }

void LineDiscipline::finish_erasing() {
  if (!erasing_) return;
  erasing_ = false;
  echo_plain('/');
}

void LineDiscipline::reprint() {
  finish_erasing();
  echo(settings_.c_cc[abi::kVREPRINT]);
  echo_plain('\n');
  for (usize i = line_; i != head_; ++i) echo(at(i));
}

void LineDiscipline::erase(Erase what) {
  if (line_ == head_) return;
  const bool echoes = local_flag(abi::kECHO);
  const bool rubs_out = local_flag(abi::kECHOE);
  if (what == Erase::kLine &&
      !(echoes && local_flag(abi::kECHOK) && local_flag(abi::kECHOKE) && rubs_out)) {
    head_ = line_;
    if (!echoes) return;
    finish_erasing();
    echo(settings_.c_cc[abi::kVKILL]);
    if (local_flag(abi::kECHOK)) echo_plain('\n');
    return;
  }

  bool seen_word = false;
  while (head_ != line_) {
    // A character in UTF-8 goes as a whole, if its first byte is in this line.
    usize start = head_ - 1;
    while (is_continuation(at(start)) && start != line_) --start;
    if (is_continuation(at(start))) break;
    if (what == Erase::kWord) {
      if (is_word_part(start)) {
        seen_word = true;
      } else if (seen_word) {
        break;
      }
    }
    const u8 first = at(start);
    const usize bytes = head_ - start;
    head_ = start;
    if (echoes) {
      if (local_flag(abi::kECHOPRT)) {
        if (!erasing_) {
          echo_plain('\\');
          erasing_ = true;
        }
        echo(first);
        for (usize i = 1; i < bytes; ++i) emit(at(start + i), true);
      } else if (what == Erase::kCharacter && !rubs_out) {
        echo(settings_.c_cc[abi::kVERASE]);
      } else if (first == '\t') {
        erase_tab();
      } else {
        if (is_control(first) && local_flag(abi::kECHOCTL)) echo_text("\b \b");
        if (!is_control(first) || local_flag(abi::kECHOCTL)) echo_text("\b \b");
      }
    }
    if (what == Erase::kCharacter) break;
  }
  if (head_ == line_ && echoes) finish_erasing();
}

void LineDiscipline::erase_tab() {
  // Where the tab began follows from what precedes it in the line.
  u32 column = line_column_;
  for (usize i = line_; i != head_; ++i) {
    const u8 c = at(i);
    if (c == '\t') {
      column = (column | 7) + 1;
    } else if (is_control(c)) {
      if (local_flag(abi::kECHOCTL)) column += 2;
    } else if (!is_continuation(c)) {
      ++column;
    }
  }
  for (u32 i = column & 7; i < 8; ++i) echo_plain('\b');
}

}  // namespace lxss
