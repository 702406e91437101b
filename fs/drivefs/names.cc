#include "fs/drivefs/names.h"

#include <algorithm>

#include "base/types.h"
#include "fs/drivefs/upper_case.h"

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

/// A character of UTF-8 at the front of `text`, and its length; a byte that begins none stands for
/// itself, above all characters.
struct Character {
  u32 code;
  usize size;
};
Character first_character(std::string_view text) {
  constexpr u32 kNoCharacter = 0x110000;
  const u8 lead = u8(text[0]);
  if (lead < 0x80) return {lead, 1};
  const usize size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {kNoCharacter + lead, 1};
  u32 code = lead & (0x7f >> size);
  for (usize i = 1; i < size; ++i) {
    if ((u8(text[i]) & 0xc0) != 0x80) return {kNoCharacter + lead, 1};
    code = code << 6 | (u8(text[i]) & 0x3f);
  }
  return {code, size};
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
  while (!a.empty() && !b.empty()) {
    const Character of_a = first_character(a), of_b = first_character(b);
    if (of_a.code != of_b.code && upper_case(of_a.code) != upper_case(of_b.code)) return false;
    a.remove_prefix(of_a.size);
    b.remove_prefix(of_b.size);
  }
  return a.empty() && b.empty();
}

u64 hash_but_for_case(std::string_view name) {
  u64 hash = 0xcbf29ce484222325;  // FNV-1a
  while (!name.empty()) {
    const Character next = first_character(name);
    hash = (hash ^ upper_case(next.code)) * 0x100000001b3;
    name.remove_prefix(next.size);
  }
  return hash;
}

}  // namespace lxss::drivefs
