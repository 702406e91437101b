// Output processing (OPOST) and the column that it keeps.
#include "lxcore/tty/line_discipline.h"

namespace lxss {

namespace {

/// Echo held back while output is stopped; more is dropped.
constexpr usize kMaxHeldEcho = 4096;

bool is_plain(u8 c) { return c >= 0x20 && c < 0x7f; }

/// Of Latin-1, as the discipline's to_lower().
u8 to_upper(u8 c) {
  const bool lower = (c >= 'a' && c <= 'z') || (c >= 0xdf && c != 0xf7 && c != 0xff);
  return lower ? static_cast<u8>(c - 32) : c;
}

}  // namespace

void LineDiscipline::emit(std::span<const u8> bytes, bool echoed) {
  if (!echoed) return device_.display(bytes);
  if (stopped_) {
    if (held_echo_.size() + bytes.size() <= kMaxHeldEcho) held_echo_.append(bytes);
  } else if (device_.takes_echo()) {
    device_.display(bytes);
  }
}

void LineDiscipline::write(std::span<const u8> bytes) {
  if (!output_flag(abi::kOPOST)) return emit(bytes, false);
  const bool changes_case = output_flag(abi::kOLCUC);
  usize done = 0;
  while (done < bytes.size()) {
    usize end = done;
    if (!changes_case) {
      while (end < bytes.size() && is_plain(bytes[end])) ++end;
    }
    if (end != done) {
      emit(bytes.subspan(done, end - done), false);
      column_ += static_cast<u32>(end - done);
      done = end;
    } else {
      process(bytes[done++], false);
    }
  }
}

void LineDiscipline::process(u8 c, bool echoed) {
  if (!output_flag(abi::kOPOST)) return emit(c, echoed);
  switch (c) {
    case '\n':
      if (output_flag(abi::kONLRET)) column_ = line_column_ = 0;
      if (output_flag(abi::kONLCR)) {
        column_ = line_column_ = 0;
        constexpr u8 kReturnAndNewline[] = {'\r', '\n'};
        return emit(kReturnAndNewline, echoed);
      }
      break;
    case '\r':
      if (output_flag(abi::kONOCR) && column_ == 0) return;
      if (output_flag(abi::kOCRNL)) {
        c = '\n';
        if (output_flag(abi::kONLRET)) column_ = line_column_ = 0;
      } else {
        column_ = line_column_ = 0;
      }
      break;
    case '\t': {
      const u32 blanks = 8 - (column_ & 7);
      column_ += blanks;
      if ((settings_.c_oflag & abi::kTABDLY) == abi::kXTABS) {
        constexpr u8 kBlanks[] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};
        return emit({kBlanks, blanks}, echoed);
      }
      break;
    }
    case '\b':
      if (column_ > 0) --column_;
      break;
    default:
      if (c < 0x20 || c == 0x7f) break;
      if (output_flag(abi::kOLCUC)) c = to_upper(c);
      if (!is_continuation(c)) ++column_;
  }
  emit(c, echoed);
}

}  // namespace lxss
