// Input: from the keyboard to the reader.
#include "lxcore/tty/line_discipline.h"

#include "abi/linux/signal.h"

namespace lxss {

namespace {

// Linux: letters are those of Latin-1, whatever IUTF8 says.
bool is_upper(u8 c) { return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7); }
bool is_lower(u8 c) { return (c >= 'a' && c <= 'z') || (c >= 0xdf && c != 0xf7 && c != 0xff); }
bool is_alphanumeric(u8 c) {
  return is_upper(c) || is_lower(c) || (c >= '0' && c <= '9') || c == 0xff;
}

u8 to_lower(u8 c) { return is_upper(c) ? static_cast<u8>(c + 32) : c; }

}  // namespace

abi::Termios2 LineDiscipline::default_settings() {
  abi::Termios2 settings{};
  settings.c_iflag = abi::kICRNL | abi::kIXON;
  settings.c_oflag = abi::kOPOST | abi::kONLCR;
  settings.c_cflag = abi::kB38400 | abi::kCS8 | abi::kCREAD;
  settings.c_lflag = abi::kISIG | abi::kICANON | abi::kECHO | abi::kECHOE | abi::kECHOK |
                     abi::kECHOCTL | abi::kECHOKE | abi::kIEXTEN;
  constexpr u8 kKeys[] = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0};
  std::copy(std::begin(kKeys), std::end(kKeys), settings.c_cc);
  settings.c_ispeed = settings.c_ospeed = 38400;
  return settings;
}

void LineDiscipline::set_settings(const abi::Termios2& settings) {
  const bool was_canonical = canonical();
  settings_ = settings;
  if (was_canonical != canonical()) {
    if (canonical() && count() != 0) marks_[(head_ - 1) % kCapacity] = Mark::kEndOfLine;
    line_ = canonical() ? head_ : tail_;
    if (!canonical()) std::fill(std::begin(marks_), std::end(marks_), Mark::kNone);
    literal_next_ = erasing_ = false;
  }
  if (!input_flag(abi::kIXON)) start();
}

usize LineDiscipline::receive(std::span<const u8> bytes) {
  usize taken = 0;
  for (; taken < bytes.size(); ++taken) {
    // A line without an end must go on, or nobody could ever read it.
    const bool unfinished_line = canonical() && line_ == tail_;
    if (count() >= kLimit && !unfinished_line) break;
    receive_one(bytes[taken]);
  }
  return taken;
}

void LineDiscipline::receive_one(u8 c) {
  if (literal_next_) {
    literal_next_ = false;
    receive_literal(c);
    return;
  }
  if (input_flag(abi::kISTRIP)) c &= 0x7f;
  if (input_flag(abi::kIUCLC) && local_flag(abi::kIEXTEN)) c = to_lower(c);
  // The other end edits lines itself (telnet's LINEMODE).
  if (local_flag(abi::kEXTPROC)) return put(c, Mark::kNone);

  if (receive_flow_control(c) || receive_signal(c)) return;
  const u8 typed = c;
  if (c == '\r') {
    if (input_flag(abi::kIGNCR)) return;
    if (input_flag(abi::kICRNL)) c = '\n';
  } else if (c == '\n' && input_flag(abi::kINLCR)) {
    c = '\r';
  }
  if (canonical() && receive_editing(c)) return;
  if (c == '\n' && typed == '\r') {
    // Linux: in raw mode a newline that was typed is shown as ^J, but not one that ICRNL made.
    if (local_flag(abi::kECHO)) echo_plain(c);
    return put(c, Mark::kNone);
  }
  receive_data(c, Mark::kNone);
}

void LineDiscipline::receive_literal(u8 c) {
  if (input_flag(abi::kISTRIP)) c &= 0x7f;
  if (input_flag(abi::kIUCLC) && local_flag(abi::kIEXTEN)) c = to_lower(c);
  receive_data(c, Mark::kNone);
}

bool LineDiscipline::receive_flow_control(u8 c) {
  if (!input_flag(abi::kIXON)) return false;
  if (is_control_key(c, abi::kVSTART)) {
    start();
    return true;
  }
  if (is_control_key(c, abi::kVSTOP)) {
    stop();
    return true;
  }
  return false;
}

bool LineDiscipline::receive_signal(u8 c) {
  i32 signal = 0;
  if (local_flag(abi::kISIG)) {
    if (is_control_key(c, abi::kVINTR)) signal = abi::kSIGINT;
    if (is_control_key(c, abi::kVQUIT)) signal = abi::kSIGQUIT;
    if (is_control_key(c, abi::kVSUSP)) signal = abi::kSIGTSTP;
  }
  if (signal == 0) {
    if (stopped_ && input_flag(abi::kIXON) && input_flag(abi::kIXANY)) start();
    return false;
  }
  if (!local_flag(abi::kNOFLSH)) {
    held_echo_.clear();
    flush_input();
    device_.discard_output();
  }
  if (input_flag(abi::kIXON)) start();
  if (local_flag(abi::kECHO)) echo(c);
  device_.signal_foreground(signal);
  return true;
}

bool LineDiscipline::receive_editing(u8 c) {
  const bool extended = local_flag(abi::kIEXTEN);
  if (is_control_key(c, abi::kVERASE)) {
    erase(Erase::kCharacter);
  } else if (is_control_key(c, abi::kVKILL)) {
    erase(Erase::kLine);
  } else if (extended && is_control_key(c, abi::kVWERASE)) {
    erase(Erase::kWord);
  } else if (extended && is_control_key(c, abi::kVLNEXT)) {
    literal_next_ = true;
    if (local_flag(abi::kECHO)) {
      finish_erasing();
      if (local_flag(abi::kECHOCTL)) echo_text("^\b");
    }
  } else if (extended && local_flag(abi::kECHO) && is_control_key(c, abi::kVREPRINT)) {
    reprint();
  } else if (c == '\n') {
    if (local_flag(abi::kECHO | abi::kECHONL)) echo_plain('\n');
    put(c, Mark::kEndOfLine);
  } else if (is_control_key(c, abi::kVEOF)) {
    put(0, Mark::kEndOfFile);
  } else if (is_control_key(c, abi::kVEOL) || (extended && is_control_key(c, abi::kVEOL2))) {
    receive_data(c, Mark::kEndOfLine);
  } else {
    return false;
  }
  return true;
}

void LineDiscipline::receive_data(u8 c, Mark mark) {
  const bool full = canonical() && count() >= kLimit && mark == Mark::kNone;
  if (full && input_flag(abi::kIMAXBEL)) return bell();
  if (local_flag(abi::kECHO)) {
    if (mark == Mark::kNone) finish_erasing();
    if (line_ == head_) line_column_ = column_;
    echo(c);
  }
  // PARMRK marks errors as \377 \0 X, so that a real \377 has to be doubled.
  if (c == 0xff && input_flag(abi::kPARMRK) && !input_flag(abi::kISTRIP)) put(c, Mark::kNone);
  put(c, mark);
}

void LineDiscipline::put(u8 c, Mark mark) {
  if (count() >= (mark == Mark::kNone ? kLimit : kCapacity)) return;
  bytes_[head_ % kCapacity] = c;
  marks_[head_ % kCapacity] = mark;
  ++head_;
  if (mark != Mark::kNone) line_ = head_;
}

usize LineDiscipline::available() const {
  if (!canonical()) return count();
  usize bytes = 0;
  for (usize i = tail_; i != line_; ++i) bytes += marks_[i % kCapacity] != Mark::kEndOfFile;
  return bytes;
}

LineDiscipline::Piece LineDiscipline::next(usize limit) const {
  const usize end = canonical() ? line_ : head_;
  const usize start = tail_ % kCapacity;
  const usize most = std::min({end - tail_, limit, kCapacity - start});
  if (!canonical()) return {{bytes_ + start, most}, most, false};
  usize size = 0;
  while (size < most && marks_[start + size] == Mark::kNone) ++size;
  // A read that takes the last byte before an end of file takes that too.
  const usize behind = tail_ + size;
  const Mark mark = behind == end ? Mark::kNone : marks_[behind % kCapacity];
  if (mark == Mark::kEndOfFile) return {{bytes_ + start, size}, size + 1, true};
  if (size == most) return {{bytes_ + start, size}, size, false};
  return {{bytes_ + start, size + 1}, size + 1, true};
}

void LineDiscipline::consume(usize count) {
  LXSS_ASSERT(count <= head_ - tail_);
  tail_ += count;
  if (!canonical()) line_ = tail_;
}

void LineDiscipline::flush_input() {
  tail_ = line_ = head_;
  literal_next_ = erasing_ = false;
  device_.input_discarded();
}

void LineDiscipline::stop() {
  if (stopped_) return;
  stopped_ = true;
  device_.flow_changed(true);
}

void LineDiscipline::start() {
  if (!stopped_) return;
  stopped_ = false;
  if (!held_echo_.empty()) device_.display(held_echo_.front());
  held_echo_.clear();
  device_.flow_changed(false);
}

bool LineDiscipline::is_word_part(usize index) const {
  const u8 c = at(index);
  return is_alphanumeric(c) || c == '_';
}

}  // namespace lxss
