// Text for the kernel half, which has no stdio: numbers to strings, and back.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"

namespace lxss {

/// Appends to a string; the kernel's only formatter.
class TextBuilder {
 public:
  TextBuilder& operator<<(std::string_view text) {
    text_.append(text);
    return *this;
  }
  TextBuilder& operator<<(const char* text) { return *this << std::string_view(text); }
  TextBuilder& operator<<(const std::string& text) { return *this << std::string_view(text); }
  TextBuilder& operator<<(char character) {
    text_.push_back(character);
    return *this;
  }
  template <std::integral T>
  requires(!std::same_as<T, char> && !std::same_as<T, bool>) TextBuilder& operator<<(T number) {
    return append(number, 10, 0, ' ');
  }

  /// Lower-case hexadecimal without prefix, padded on the left with zeros.
  TextBuilder& hex(u64 number, usize width = 0) { return append(number, 16, width, '0'); }
  TextBuilder& octal(u64 number, usize width = 0) { return append(number, 8, width, '0'); }
  template <std::integral T>
  TextBuilder& decimal(T number, usize width, char pad = ' ') {
    return append(number, 10, width, pad);
  }
  /// Pads on the right with blanks up to `column` characters after `start`.
  TextBuilder& pad_to(usize length) {
    if (text_.size() < length) text_.append(length - text_.size(), ' ');
    return *this;
  }

  usize size() const { return text_.size(); }
  std::string_view view() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  template <std::integral T>
  TextBuilder& append(T number, int base, usize width, char pad) {
    char digits[72];
    char* end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
    usize length = static_cast<usize>(end - digits);
    if (length < width) text_.append(width - length, pad);
    text_.append(digits, length);
    return *this;
  }

  std::string text_;
};

/// The whole of `text` as a number of the given base, or nothing.
template <std::integral T>
std::optional<T> parse_number(std::string_view text, int base = 10) {
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace lxss
