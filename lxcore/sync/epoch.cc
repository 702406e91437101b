#include "lxcore/sync/epoch.h"

#include "lxcore/kernel.h"

namespace lxss {

Epoch::Reading::Reading(bool now) : reader_(Task::current().epoch) {
  if (now) again();
}

void Epoch::Reading::again() {
  if (active_) return;
  active_ = true;
  if (reader_.depth_++ != 0) return;
  // A time that has passed meanwhile only keeps it from moving on.
  reader_.inside_.store(kernel().epoch.now_.load(std::memory_order_relaxed),
                        std::memory_order_seq_cst);
}

void Epoch::Reading::end() {
  if (!active_) return;
  active_ = false;
  if (--reader_.depth_ == 0) reader_.inside_.store(0, std::memory_order_release);
}

void Epoch::add(EpochReader& reader) {
  Lock::Held held(lock_);
  readers_.push_back(reader);
}

u64 Epoch::advance() {
  Lock::Held held(lock_);
  const u64 now = now_.load(std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (EpochReader& reader : readers_) {
    const u64 inside = reader.inside_.load(std::memory_order_acquire);
    if (inside != 0 && inside != now) return now;
  }
  now_.store(now + 1, std::memory_order_release);
  return now + 1;
}

EpochReader::~EpochReader() { leave(); }

void EpochReader::retire(Retirable& object) {
  object.retired_at_ = kernel().epoch.now_.load(std::memory_order_seq_cst);
  object.next_retired_ = nullptr;
  (newest_ ? newest_->next_retired_ : oldest_) = &object;
  newest_ = &object;
  ++retired_count_;
}

void EpochReader::reclaim_now() {
  Epoch& epoch = kernel().epoch;
  const u64 now = epoch.advance();
  // What they hold may be retired in its turn.
  while (oldest_ && oldest_->retired_at_ + 2 <= now) {
    Retirable* object = oldest_;
    oldest_ = object->next_retired_;
    if (!oldest_) newest_ = nullptr;
    object->free();
  }
  Retirable* orphans = nullptr;
  {
    Lock::Held held(epoch.lock_);
    if (epoch.newest_orphan_ && epoch.newest_orphan_->retired_at_ + 2 <= now) {
      orphans = std::exchange(epoch.orphans_, nullptr);
      epoch.newest_orphan_ = nullptr;
    }
  }
  while (orphans) std::exchange(orphans, orphans->next_retired_)->free();
  // Counted anew: what could not go waits for the next batch.
  retired_count_ = 0;
}

void EpochReader::drain() {
  // What is freed may retire what it held.
  constexpr int kRounds = 8;
  for (int i = 0; i < kRounds; ++i) reclaim_now();
}

void EpochReader::leave() {
  if (!linked()) return;
  Epoch& epoch = kernel().epoch;
  Lock::Held held(epoch.lock_);
  unlink();
  inside_.store(0, std::memory_order_release);
  if (!oldest_) return;
  (epoch.newest_orphan_ ? epoch.newest_orphan_->next_retired_ : epoch.orphans_) = oldest_;
  epoch.newest_orphan_ = newest_;
  oldest_ = newest_ = nullptr;
}

void retire(Retirable& object) { Task::current().epoch.retire(object); }

}  // namespace lxss
