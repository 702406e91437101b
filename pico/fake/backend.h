// What the parts of the fake backend share.
#pragma once

#include "pico/fake/fake.h"

namespace lxss::fake {

/// The backend's view of the instance.
struct Backend {
  static Instance& instance();
  static pico::Thread*& current();
  /// Bytes of a copy that do not fault.
  static usize accessible(u64 address, usize size);
};

}  // namespace lxss::fake
