// The sets that watch a file, which leaves them before it goes.
#include "lxcore/ipc/epoll.h"

namespace lxss {

EpollWatches::EpollWatches() = default;

EpollWatches::~EpollWatches() { LXSS_ASSERT(!any_.load(std::memory_order_relaxed)); }

void EpollWatches::add(EpollItem& item) {
  Lock::Held held(lock_);
  items_.push_back(item);
  any_.store(true, std::memory_order_relaxed);
}

void EpollWatches::remove(EpollItem& item) {
  Lock::Held held(lock_);
  item.ListNode<EpollWatchTag>::unlink();
  if (items_.empty()) any_.store(false, std::memory_order_relaxed);
}

void EpollWatches::leave_all() {
  for (;;) {
    RefPtr<EpollItem> item;
    {
      Lock::Held held(lock_);
      if (items_.empty()) return;
      item = items_.front();
    }
    // Or its set, which ends or was told to remove it, is faster.
    item->set->forget(*item);
  }
}

}  // namespace lxss
