// Small string helpers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lxss::common {

/// Without blanks, tabs and carriage returns at both ends.
std::string_view trim(std::string_view text);

/// ASCII only.
std::string lower(std::string_view text);

/// The pieces between separators, empty ones included; "" gives one empty piece.
std::vector<std::string> split(std::string_view text, char separator);

/// `word` quoted so that a POSIX shell reads it back as one word.
std::string shell_quote(std::string_view word);

}  // namespace lxss::common
