// What a thread keeps of the heap for itself, so that most calls of operator new and delete take no
// lock and touch nothing that other threads use.
#pragma once

#include "base/types.h"

namespace lxss::heap {

struct Magazines;

/// In the object of a thread; all of it is the thread's own.
struct ThreadCache {
  Magazines* magazines = nullptr;  ///< made at the first small allocation
  u64 releasing = 0;  ///< the address of a block of pages that the thread is giving back
  /// Bytes that are in no list at this instant: lost if the thread dies now.
  u32 in_transit = 0;
};

}  // namespace lxss::heap
