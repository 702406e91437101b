// Sets that watch sets: never in a circle, and not too deep.
#include <algorithm>

#include "lxcore/ipc/epoll_set.h"

namespace lxss {

EpollNesting::EpollNesting(EpollSet& outer, EpollSet& inner) : outer(outer), inner(inner) {
  outer.below_.push_back(*this);
  outer.nests_.store(true, std::memory_order_release);
  inner.above_.push_back(*this);
}

void EpollNesting::end() {
  ListNode<EpollAboveTag>::unlink();
  ListNode<EpollBelowTag>::unlink();
}

Result<usize> EpollSet::depth_below(const EpollSet& sought, usize level) {
  if (this == &sought || level > kMaxDepth) return Errno::kELOOP;
  usize depth = 1;
  for (EpollNesting& nesting : below_) {
    depth = std::max(depth, 1 + TRY(nesting.inner->depth_below(sought, level + 1)));
  }
  return depth;
}

usize EpollSet::depth_above(usize level) {
  usize depth = 1;
  if (level > kMaxDepth) return depth;
  for (EpollNesting& nesting : above_) {
    depth = std::max(depth, 1 + nesting.outer.depth_above(level + 1));
  }
  return depth;
}

}  // namespace lxss
