// Case as Windows's file systems have it: letter by letter, whatever the language.
#pragma once

#include "base/types.h"

namespace lxss::drivefs {

/// The capital of a letter, by its code in Unicode; anything else is its own.
u32 upper_case(u32 letter);

}  // namespace lxss::drivefs
