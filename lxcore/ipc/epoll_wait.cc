// epoll_wait: what is ready, and waiting for it.
#include <algorithm>

#include "host/event_set.h"
#include "lxcore/ipc/epoll_set.h"
#include "lxcore/ipc/poller.h"

namespace lxss {

using abi::EpollFlag;

namespace {

constexpr u32 kReadiness = 0xffff;
constexpr u32 kEdge = static_cast<u32>(EpollFlag::kEPOLLET);
constexpr u32 kOneShot = static_cast<u32>(EpollFlag::kEPOLLONESHOT);

}  // namespace

/// Few lie on the stack. Never more than members: that many the host can tell in one call.
class EpollSet::HostEvents {
 public:
  HostEvents(usize limit, usize members) {
    constexpr usize kMost = 4096;
    size_ = std::min({limit, std::max(members, std::size(few_)), kMost});
    if (size_ > std::size(few_)) many_ = std::make_unique_for_overwrite<abi::EpollEvent[]>(size_);
  }
  std::span<abi::EpollEvent> room() { return {many_ ? many_.get() : few_, size_}; }

 private:
  abi::EpollEvent few_[64];
  std::unique_ptr<abi::EpollEvent[]> many_;
  usize size_;
};

EpollItem* EpollSet::pop_listed() {
  Lock::Held held(ready_lock_);
  if (ready_.empty()) return nullptr;
  ready_count_.fetch_sub(1, std::memory_order_relaxed);
  return &ready_.pop_front();
}

void EpollSet::put_back(EpollItem& item, bool in_front) {
  Lock::Held held(ready_lock_);
  if (item.ListNode<EpollReadyTag>::linked()) return;
  if (in_front) {
    ready_.push_front(item);
  } else {
    ready_.push_back(item);
  }
  ready_count_.fetch_add(1, std::memory_order_seq_cst);
}

bool EpollSet::is_listed(EpollItem& item) {
  Lock::Held held(ready_lock_);
  return item.ListNode<EpollReadyTag>::linked();
}

Result<> EpollSet::report(EpollItem& item, u32 events, UserOut<abi::EpollEvent> out, usize index) {
  TRY(out.write({events, item.data}, index));
  if (item.events.load(std::memory_order_relaxed) & kOneShot) {
    item.events.fetch_and(~kReadiness, std::memory_order_relaxed);
  }
  return {};
}

Result<usize> EpollSet::collect_listed(UserOut<abi::EpollEvent> out, usize done, usize limit) {
  // Each item listed now is looked at once; level-triggered ones go to the end, so that all have
  // their turn.
  for (usize left = ready_count_.load(std::memory_order_relaxed); left != 0 && done < limit;
       --left) {
    EpollItem* item = pop_listed();
    if (!item) break;
    // From here on a notification lists it again.
    const u32 told = item->told & item->events.load(std::memory_order_relaxed);
    const u32 events = told != 0 ? told : item->file.has_own_events() ? ready_events(*item) : 0;
    if (events == 0) continue;
    auto reported = report(*item, events, out, done);
    if (!reported.ok()) {
      put_back(*item, true);
      if (done == 0) return reported.error();
      break;
    }
    item->told = 0;
    ++done;
    const u32 wanted = item->events.load(std::memory_order_relaxed);
    if (told == 0 && (wanted & kReadiness) && !(wanted & kEdge)) put_back(*item, false);
  }
  return done;
}

Result<usize> EpollSet::deliver(std::span<const abi::EpollEvent> found,
                                UserOut<abi::EpollEvent> out, usize done) {
  Result<> reported;
  for (const abi::EpollEvent& event : found) {
    EpollItem* item = item_of(event.data);
    if (!item) continue;
    const u32 wanted = item->events.load(std::memory_order_relaxed);
    u32 events = event.events & wanted & kReadiness;
    if (item->nesting) {
      // The ready list may have told of it, or will.
      if (is_listed(*item)) continue;
      events = ready_events(*item);
    }
    if (events == 0) continue;
    if (reported.ok()) reported = report(*item, events, out, done);
    if (reported.ok()) {
      ++done;
    } else if (wanted & (kEdge | kOneShot)) {
      // The host does not say it again.
      item->told |= events;
      put_back(*item, false);
    }
  }
  if (!reported.ok() && done == 0) return reported.error();
  return done;
}

Result<usize> EpollSet::collect(UserOut<abi::EpollEvent> out, usize limit) {
  SleepLock::Guard held(lock_);
  usize done = 0;
  const bool host_first = host_set_ && host_first_;
  host_first_ = !host_first;
  if (!host_first) {
    done = TRY(collect_listed(out, done, limit));
    if (!host_set_ || done == limit) return done;
  }
  HostEvents events(limit - done, host_items_.load(std::memory_order_relaxed));
  const usize count = host::take_events(host_set_.get(), events.room()).value_or(0);
  done = TRY(deliver(events.room().first(count), out, done));
  if (host_first && done < limit) done = TRY(collect_listed(out, done, limit));
  return done;
}

void EpollSet::pass_on() {
  if (has_listed()) waiters_.wake(kReadable);
}

Result<usize> EpollSet::sleep(Task& task, Wait& wait, HostEvents& found, host::Deadline deadline) {
  const host::Fd host = host_fd();
  waiters_.add_exclusive(task.wait_entry);
  Result<usize> result = usize{0};
  // What happened before the task was on the queue woke others, or none.
  if (!has_listed() && host_fd() == host) {
    if (host != host::kNoFd) {
      // A busy server nearly always finds something: asking is one call of the host, a sleep that
      // can be interrupted is five.
      result = host::take_events(host, found.room());
      if (result.ok() && *result == 0) result = wait.sleep_on_events(host, found.room(), deadline);
    } else if (auto slept = wait.sleep(deadline); !slept.ok()) {
      result = slept.error();
    }
  }
  task.wait_entry.unlink();
  // One waiter was woken to look at the host's set: so the next is to be.
  if (host_fd() != host) waiters_.wake(PollEvents{});
  return result;
}

Result<usize> EpollSet::wait(Task& task, UserOut<abi::EpollEvent> out, usize limit,
                             host::Deadline deadline) {
  const bool waits = !deadline || *deadline != 0;
  Result<usize> count = usize{0};
  for (;;) {
    Wait wait(task);
    if (!waits || has_listed()) {
      count = collect(out, limit);
      if (!waits || !count.ok() || count.value() != 0) break;
    }
    HostEvents found(limit, host_items_.load(std::memory_order_relaxed));
    auto slept = sleep(task, wait, found, deadline);
    if (slept.ok() && slept.value() == 0) continue;
    if (slept.ok()) {
      SleepLock::Guard held(lock_);
      count = deliver(found.room().first(slept.value()), out, 0);
      if (count.ok() && count.value() == 0) continue;
      break;
    }
    if (signals::killed(task)) {
      count = slept.error();
      break;
    }
    // The last look. At the deadline the host has just given its answer.
    const bool in_time = !slept.is(Errno::kETIMEDOUT);
    if (in_time || has_listed()) count = collect(out, limit);
    if (in_time && count.ok() && count.value() == 0) count = slept.error();
    break;
  }
  pass_on();
  return count;
}

PollEvents EpollSet::poll(PollRegistration* registration) {
  if (registration) registration->on(waiters_);
  if (has_listed()) {
    SleepLock::Guard held(lock_);
    for (usize left = ready_count_.load(std::memory_order_relaxed); left != 0; --left) {
      EpollItem* item = pop_listed();
      if (!item) break;
      if (item->told == 0 && ready_events(*item) == 0) continue;
      put_back(*item, true);
      return kReadable;
    }
  }
  if (const host::Fd host = host_fd(); host != host::kNoFd) {
    abi::PollFd set{host.value, static_cast<i16>(abi::PollFlag::kPOLLIN), 0};
    if (host::poll({&set, 1}, 0).value_or(0) != 0) return kReadable;
  }
  return {};
}

}  // namespace lxss
