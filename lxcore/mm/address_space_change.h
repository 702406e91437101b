// What the files of AddressSpace share.
#pragma once

#include "lxcore/mm/address_space.h"

namespace lxss {

/// Holds the mutex; at the end drops the files of areas that went, which needs the kernel lock.
class AddressSpace::Change {
 public:
  explicit Change(AddressSpace& space) : space_(space) {
    LXSS_ASSERT(!kernel_lock().held_by_current());
    space_.mutex.lock();
  }
  ~Change() {
    std::vector<RefPtr<File>> released = std::move(space_.released_);
    space_.released_.clear();
    space_.mutex.unlock();
    if (!released.empty()) {
      KernelLock::Held held;
      released.clear();
    }
  }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

 private:
  AddressSpace& space_;
};

template <typename Update>
void AddressSpace::update(u64 begin, u64 end, Update change) {
  split_at(begin);
  split_at(end);
  auto at = areas.lower_bound(begin);
  while (at != areas.end() && at->first < end) {
    change(at->second);
    auto next = std::next(at);
    try_merge(at);
    at = next;
  }
  if (at != areas.end()) try_merge(at);
}

}  // namespace lxss
