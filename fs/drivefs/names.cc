#include "fs/drivefs/names.h"

#include <algorithm>

#include "base/types.h"

namespace lxss::drivefs {

namespace {

constexpr u32 kPrivateUse = 0xf000;

bool illegal_anywhere(u8 c) {
  return c < 0x20 ||
         std::string_view("<>:\"\\|?*").find(static_cast<char>(c)) != std::string_view::npos;
}
bool illegal_at_end(u8 c) { return c == '.' || c == ' '; }

/// The code below 128 that three bytes of UTF-8 stand for as U+F000 + code.
std::optional<u8> mapped_character(std::string_view text) {
  if (text.size() < 3 || u8(text[0]) != 0xef) return std::nullopt;
  const u8 second = u8(text[1]), third = u8(text[2]);
  if ((second & 0xfe) != 0x80 || (third & 0xc0) != 0x80) return std::nullopt;
  return static_cast<u8>((second & 1) << 6 | (third & 0x3f));
}

void append_mapped(std::string& text, u8 c) {
  const u32 code = kPrivateUse + c;
  text.push_back(static_cast<char>(0xe0 | code >> 12));
  text.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
  text.push_back(static_cast<char>(0x80 | (code & 0x3f)));
}

char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

/// Upper case of the letters that two bytes of UTF-8 hold; others are their own.
u32 fold(u32 c) {
  auto in = [c](u32 first, u32 last) { return c >= first && c <= last; };
  if (in(0xe0, 0xfe) && c != 0xf7) return c - 32;
  if (c == 0xff) return 0x178;
  if (c == 0x131 || c == 0x138 || c == 0x149 || c == 0x17f) return c;
  if (in(0x139, 0x148) || in(0x179, 0x17e)) return c % 2 == 0 ? c - 1 : c;
  if (in(0x100, 0x177)) return c & ~1u;
  if (c == 0x3c2) return 0x3a3;  // final sigma
  if (in(0x3b1, 0x3cb)) return c - 32;
  if (c == 0x3ac) return 0x386;
  if (in(0x3ad, 0x3af)) return c - 37;
  if (c == 0x3cc) return 0x38c;
  if (in(0x3cd, 0x3ce)) return c - 63;
  if (in(0x430, 0x44f)) return c - 32;
  if (in(0x450, 0x45f)) return c - 80;
  if (in(0x460, 0x481) || in(0x48a, 0x4bf) || in(0x4d0, 0x52f)) return c & ~1u;
  return c;
}

}  // namespace

std::optional<std::string> to_host(std::string_view guest_name) {
  std::string result;
  result.reserve(guest_name.size());
  for (usize at = 0; at < guest_name.size();) {
    const u8 c = u8(guest_name[at]);
    const bool last = at + 1 == guest_name.size();
    if (illegal_anywhere(c) || (last && illegal_at_end(c))) return std::nullopt;
    auto mapped = mapped_character(guest_name.substr(at));
    const bool mapped_last = at + 3 == guest_name.size();
    if (mapped && *mapped != 0 && *mapped != '/' &&
        (illegal_anywhere(*mapped) || (mapped_last && illegal_at_end(*mapped)))) {
      result.push_back(static_cast<char>(*mapped));
      at += 3;
    } else {
      result.push_back(guest_name[at++]);
    }
  }
  // Not a way around the path walk.
  if (result == "." || result == "..") return std::nullopt;
  return result;
}

std::string_view to_guest(std::string_view host_name, std::string& storage) {
  const bool same =
      host_name == "." || host_name == ".." ||
      (std::ranges::none_of(host_name, [](char c) { return illegal_anywhere(u8(c)); }) &&
       !illegal_at_end(u8(host_name.back())));
  if (same) return host_name;
  storage.clear();
  for (usize at = 0; at < host_name.size(); ++at) {
    const u8 c = u8(host_name[at]);
    const bool last = at + 1 == host_name.size();
    if (illegal_anywhere(c) || (last && illegal_at_end(c))) {
      append_mapped(storage, c);
    } else {
      storage.push_back(host_name[at]);
    }
  }
  return storage;
}

bool is_reserved(std::string_view name) {
  std::string_view stem = name.substr(0, name.find('.'));
  while (stem.ends_with(' ')) stem.remove_suffix(1);
  auto is = [](std::string_view text, std::string_view device) {
    return std::ranges::equal(text, device, {}, ascii_upper);
  };
  if (stem.size() == 3)
    return is(stem, "CON") || is(stem, "PRN") || is(stem, "AUX") || is(stem, "NUL");
  if (stem.size() < 4 || !(is(stem.substr(0, 3), "COM") || is(stem.substr(0, 3), "LPT")))
    return false;
  const std::string_view unit = stem.substr(3);
  if (unit.size() == 1) return unit[0] >= '1' && unit[0] <= '9';
  return unit == "\xc2\xb9" || unit == "\xc2\xb2" || unit == "\xc2\xb3";  // superscript 1 to 3
}

bool equal_but_for_case(std::string_view a, std::string_view b) {
  // Letters of either case have the same number of bytes.
  if (a.size() != b.size()) return false;
  for (usize at = 0; at < a.size(); ++at) {
    if (a[at] == b[at]) {
      continue;
    }
    if (ascii_upper(a[at]) == ascii_upper(b[at])) continue;
    // The bytes of a two-byte letter may differ in the first, the second or both.
    auto letter = [](std::string_view text, usize from) -> u32 {
      if (from + 1 >= text.size()) return 0;
      const u8 first = u8(text[from]), second = u8(text[from + 1]);
      if ((first & 0xe0) != 0xc0 || (second & 0xc0) != 0x80) return 0;
      return u32(first & 0x1f) << 6 | (second & 0x3f);
    };
    usize start = at;
    if ((u8(a[at]) & 0xc0) == 0x80 && at > 0) --start;
    const u32 letter_a = letter(a, start), letter_b = letter(b, start);
    if (letter_a == 0 || letter_b == 0 || fold(letter_a) != fold(letter_b)) return false;
    at = start + 1;
  }
  return true;
}

}  // namespace lxss::drivefs
