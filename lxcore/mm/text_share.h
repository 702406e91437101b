// How many rewritten texts a file's owner may have (mm/text.h): arithmetic alone.
#pragma once

#include "base/types.h"

namespace lxss {

struct TextShare {
  u64 texts;  ///< at most, of all owners together
  u64 bytes;

  struct Usage {
    u64 texts = 0, bytes = 0;
  };

  /// True if an owner, who has `own` of what all have together, may have one more of that size: no
  /// more than half of what the others leave.
  constexpr bool allows(Usage own, Usage all, u64 size) const {
    return 2 * (own.texts + 1) + (all.texts - own.texts) <= texts &&
           2 * (own.bytes + size) + (all.bytes - own.bytes) <= bytes;
  }
};

}  // namespace lxss
