// Names on drives: which ones Windows allows, how the host's others are shown, and case.
//
// A character that no Windows name can have is shown as U+F000 plus its code, and a guest that
// writes the latter means the former: so each host file can be named, and listed names are
// found. Names are UTF-8; bytes that are not stay as they are.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"

namespace lxss::drivefs {

/// The host's name for a guest's; nothing when no drive can have the guest's: one of
/// < > : " \ | ? * or a control character in it, a dot or a blank at its end.
std::optional<std::string> to_host(std::string_view guest_name);

/// The guest's name for the host's; by way of `storage` if it is another.
std::string_view to_guest(std::string_view host_name, std::string& storage);

/// A device of DOS, with or without an extension: CON, PRN, AUX, NUL, COM1.., LPT1..
bool is_reserved(std::string_view name);

/// The same but for case (upper_case.h).
bool equal_but_for_case(std::string_view a, std::string_view b);
/// The same for names that are equal but for case.
u64 hash_but_for_case(std::string_view name);

}  // namespace lxss::drivefs
