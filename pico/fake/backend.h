// What the parts of the fake backend share.
#pragma once

#include "pico/fake/fake.h"

namespace lxss::fake {

struct Backend {
  /// What the calling host thread plays; null for none.
  static pico::Thread*& current();
  /// Bytes of a copy that do not fault.
  static usize accessible(u64 address, usize size);
  /// Null if sleeps are the host's.
  static const OnSleep& on_sleep();
  /// Whether `thread` was interrupted since it was last asked.
  static bool take_interruption(const pico::Thread& thread);
};

}  // namespace lxss::fake
