#include "lxcore/vfs/locks.h"

#include <algorithm>

#include "base/text.h"
#include "lxcore/kernel.h"
#include "lxcore/mm/heap.h"

namespace lxss {

namespace {

using Kind = FileLock::Kind;
using State = WaitingLock::State;

/// Cuts [lock.begin, lock.last] out of what the owner of `lock` holds. True if there was any.
bool cut(std::vector<FileLock>& held, const FileLock& lock) {
  bool found = false;
  for (usize i = 0; i < held.size();) {
    FileLock& each = held[i];
    if (each.owner != lock.owner || each.kind != lock.kind || !each.overlaps(lock)) {
      ++i;
      continue;
    }
    found = true;
    FileLock rest = each;
    const bool left = each.begin < lock.begin;
    const bool right = each.last > lock.last;
    rest.begin = lock.last + 1;
    if (left) {
      each.last = lock.begin - 1;
      if (right) held.push_back(rest);
      ++i;
    } else if (right) {
      each = rest;
      ++i;
    } else {
      held[i] = held.back();
      held.pop_back();
    }
  }
  return found;
}

/// Adds a lock where its owner holds nothing, joining it with equal neighbours.
void add(std::vector<FileLock>& held, FileLock lock) {
  for (usize i = 0; i < held.size();) {
    const FileLock& each = held[i];
    const bool touches = each.last + 1 == lock.begin || lock.last + 1 == each.begin;
    if (each.owner == lock.owner && each.kind == lock.kind && each.exclusive == lock.exclusive &&
        touches) {
      lock.begin = std::min(lock.begin, each.begin);
      lock.last = std::max(lock.last, each.last);
      held[i] = held.back();
      held.pop_back();
      i = 0;
    } else {
      ++i;
    }
  }
  held.push_back(lock);
}

}  // namespace

// FileLockWaits.

bool FileLockWaits::leads_to(const void* from, const void* to) const {
  // An owner may wait in several threads. Linux looks ten steps far, too.
  constexpr usize kMostSteps = 32;
  const void* reached[kMostSteps] = {from};
  usize count = 1;
  for (usize i = 0; i < count; ++i) {
    if (reached[i] == to) return true;
    auto [first, end] = by_owner_.equal_range(reached[i]);
    for (auto at = first; at != end && count < kMostSteps; ++at) {
      const void* next = at->second->blocker;
      if (std::find(reached, reached + count, next) == reached + count) reached[count++] = next;
    }
  }
  return false;
}

bool FileLockWaits::note(WaitingLock& request, const void* blocker) {
  Lock::Held held(lock_);
  if (request.blocker == blocker) return true;
  const void* owner = request.lock.owner;
  if (request.blocker) {
    auto [first, end] = by_owner_.equal_range(owner);
    by_owner_.erase(std::find_if(first, end, [&](auto& each) { return each.second == &request; }));
    request.blocker = nullptr;
  }
  if (!blocker) return true;
  if (leads_to(blocker, owner)) return false;
  request.blocker = blocker;
  by_owner_.emplace(owner, &request);
  return true;
}

// FileLocks.

FileLocks::FileLocks(Inode& of) : inode_(of) {
  FileLockTable& table = kernel().file_locks;
  Lock::Held held(table.lock);
  table.files.push_back(*this);
}

FileLocks::~FileLocks() {
  Lock::Held held(kernel().file_locks.lock);
  ListNode<FileLocks>::unlink();
}

const FileLock* FileLocks::find_conflict(const FileLock& lock) const {
  auto at = std::ranges::find_if(held_, [&](const FileLock& h) { return lock.conflicts_with(h); });
  return at == held_.end() ? nullptr : &*at;
}

bool FileLocks::take(const FileLock& lock) {
  const bool had = cut(held_, lock);
  add(held_, lock);
  return had;
}

bool FileLocks::settle(WaitingLock& request) {
  const FileLock* conflict = find_conflict(request.lock);
  const bool is_record =
      conflict && conflict->kind == Kind::kRecord && request.lock.kind == Kind::kRecord;
  if (!kernel().file_locks.waits.note(request, is_record ? conflict->owner : nullptr)) {
    request.state = State::kWouldDeadlock;
  } else if (!conflict) {
    request.state = State::kGranted;
  }
  return request.state != State::kWaits;
}

void FileLocks::hand_on() {
  for (bool again = true; again;) {
    again = false;
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      WaitingLock& request = *at;
      ++at;
      if (!settle(request)) continue;
      static_cast<ListNode<WaitingLock>&>(request).unlink();
      // An exclusive lock may have become a shared one by this.
      if (request.state == State::kGranted) again |= take(request.lock);
      request.changed.wake();
    }
  }
}

Result<> FileLocks::acquire(Task& task, const FileLock& lock, bool wait) {
  std::unique_ptr<WaitingLock> request;
  if (wait) {
    request = std::make_unique<WaitingLock>();
    request->lock = lock;
  }
  Lock::Held held(lock_);
  if (find_conflict(lock)) {
    // Linux: a conversion of flock first gives up the old lock, whatever becomes of the new one.
    if (lock.kind == Kind::kFlock && cut(held_, lock)) hand_on();
    if (!wait) return Errno::kEAGAIN;
    if (!settle(*request)) {
      waiting_.push_back(*request);
      auto waited = wait_until(task, lock_, request->changed,
                               [&] { return request->state != State::kWaits; });
      if (!waited.ok()) {
        static_cast<ListNode<WaitingLock>&>(*request).unlink();
        kernel().file_locks.waits.note(*request, nullptr);
        return waited;
      }
      return request->state == State::kGranted ? Result<>() : Errno::kEDEADLK;
    }
    if (request->state == State::kWouldDeadlock) return Errno::kEDEADLK;
  }
  // An exclusive lock may have become a shared one.
  if (take(lock)) hand_on();
  return {};
}

void FileLocks::release_range(const FileLock& lock) {
  Lock::Held held(lock_);
  if (cut(held_, lock)) hand_on();
}

void FileLocks::release(const void* owner) {
  Lock::Held held(lock_);
  if (std::erase_if(held_, [&](const FileLock& l) { return l.owner == owner; })) hand_on();
}

std::optional<FileLock> FileLocks::conflict(const FileLock& lock) {
  Lock::Held held(lock_);
  const FileLock* found = find_conflict(lock);
  if (!found) return std::nullopt;
  return *found;
}

bool FileLocks::show(std::vector<Shown>& out, usize room) {
  const u64 device = inode_.filesystem().device(), number = inode_.number();
  Lock::Held held(lock_);
  for (const FileLock& lock : held_) {
    if (out.size() == room) return false;
    out.push_back({device, number, lock, false});
    for (const WaitingLock& request : waiting_) {
      if (!request.lock.conflicts_with(lock)) continue;
      if (out.size() == room) return false;
      out.push_back({device, number, request.lock, true});
    }
  }
  return true;
}

namespace locks {

namespace {

FileLocks& locks_of(Inode& inode) {
  FileLocks* locks = inode.locks.load(std::memory_order_acquire);
  if (locks) return *locks;
  auto made = std::make_unique<FileLocks>(inode);
  if (inode.locks.compare_exchange_strong(locks, made.get())) locks = made.release();
  return *locks;
}

std::vector<FileLocks::Shown> snapshot() {
  constexpr usize kRoom = 256;
  std::vector<FileLocks::Shown> shown;
  FileLockTable& table = kernel().file_locks;
  for (usize room = kRoom;; room *= 2) {
    shown.clear();
    shown.reserve(room);
    Lock::Held held(table.lock);
    bool complete = true;
    for (FileLocks& file : table.files) complete = complete && file.show(shown, room);
    if (complete) return shown;
  }
}

}  // namespace

Result<> acquire(Task& task, Inode& inode, const FileLock& lock, bool wait) {
  if (!heap::has_room()) return Errno::kENOLCK;
  return locks_of(inode).acquire(task, lock, wait);
}

void release_range(Inode& inode, const FileLock& lock) {
  if (FileLocks* locks = inode.locks.load(std::memory_order_acquire)) locks->release_range(lock);
}

void release(Inode& inode, const void* owner) {
  if (FileLocks* locks = inode.locks.load(std::memory_order_acquire)) locks->release(owner);
}

std::optional<FileLock> conflict(Inode& inode, const FileLock& lock) {
  FileLocks* locks = inode.locks.load(std::memory_order_acquire);
  return locks ? locks->conflict(lock) : std::nullopt;
}

std::string list() {
  TextBuilder text;
  int number = 0;
  for (const FileLocks::Shown& each : snapshot()) {
    constexpr const char* kKinds[] = {"FLOCK ", "POSIX ", "OFDLCK"};
    const FileLock& lock = each.lock;
    if (!each.waits) ++number;
    text << number << (each.waits ? ": -> " : ": ") << kKinds[static_cast<int>(lock.kind)]
         << " ADVISORY  " << (lock.exclusive ? "WRITE " : "READ ") << lock.pid.value << ' ';
    text.hex(abi::dev_major(each.device), 2) << ':';
    text.hex(abi::dev_minor(each.device), 2) << ':' << each.inode << ' ' << lock.begin << ' ';
    if (lock.last == FileLock{}.last) {
      text << "EOF\n";
    } else {
      text << lock.last << '\n';
    }
  }
  return text.take();
}

}  // namespace locks
}  // namespace lxss
