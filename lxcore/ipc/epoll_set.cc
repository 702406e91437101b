#include "lxcore/ipc/epoll_set.h"

#include <algorithm>

#include "base/text.h"
#include "host/event_set.h"
#include "lxcore/ipc/epoll.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/kernel.h"
#include "lxcore/mm/heap.h"

namespace lxss {

using abi::EpollFlag;

namespace {

constexpr u32 raw(EpollFlag flag) { return static_cast<u32>(flag); }

/// The part of an item's events that are readiness, not flags.
constexpr u32 kReadiness = 0xffff;
constexpr u32 kExclusiveAllowed = raw(EpollFlag::kEPOLLIN) | raw(EpollFlag::kEPOLLOUT) |
                                  raw(EpollFlag::kEPOLLERR) | raw(EpollFlag::kEPOLLHUP) |
                                  raw(EpollFlag::kEPOLLWAKEUP) | raw(EpollFlag::kEPOLLET) |
                                  raw(EpollFlag::kEPOLLEXCLUSIVE);
/// What the host is told of an item's events.
constexpr u32 kPassedOn = kReadiness | raw(EpollFlag::kEPOLLET) | raw(EpollFlag::kEPOLLONESHOT) |
                          raw(EpollFlag::kEPOLLEXCLUSIVE);

/// What may change who watches whom: held if `needed`.
class NestingHeld {
 public:
  explicit NestingHeld(bool needed) LXSS_NO_THREAD_SAFETY_ANALYSIS : needed_(needed) {
    if (needed_) kernel().epoll_nesting.lock();
  }
  ~NestingHeld() LXSS_NO_THREAD_SAFETY_ANALYSIS {
    if (needed_) kernel().epoll_nesting.unlock();
  }
  NestingHeld(const NestingHeld&) = delete;
  NestingHeld& operator=(const NestingHeld&) = delete;

 private:
  const bool needed_;
};

}  // namespace

EpollItem::EpollItem(EpollSet& set, Fd fd, File& file, const abi::EpollEvent& event)
    : set(set), fd(fd), file(file), events(event.events | kAlwaysPolled.raw()), data(event.data) {}

void EpollItem::on(WaitQueue& queue) {
  Hook* hook = &first_hook_;
  if (hook->linked()) {
    more_hooks_.push_back(std::make_unique<Hook>());
    hook = more_hooks_.back().get();
  }
  hook->item = this;
  if (events.load(std::memory_order_relaxed) & raw(EpollFlag::kEPOLLEXCLUSIVE)) {
    queue.add_exclusive(*hook);
  } else {
    queue.add(*hook);
  }
}

bool EpollItem::notified(PollEvents happened) {
  const u32 wanted = events.load(std::memory_order_relaxed) & kReadiness;
  // A notification without events says that something about the file changed.
  if (wanted == 0 || (happened && !(happened.raw() & wanted))) return false;
  return set->list(*this);
}

bool EpollSet::list(EpollItem& item) {
  {
    Lock::Held held(ready_lock_);
    if (!item.ListNode<EpollReadyTag>::linked()) {
      ready_.push_back(item);
      ready_count_.fetch_add(1, std::memory_order_seq_cst);
    }
  }
  waiters_.wake(kReadable);
  return waiters_.has_waiters();
}

u32 EpollSet::ready_events(EpollItem& item) {
  const u32 wanted = item.events.load(std::memory_order_relaxed) & kReadiness;
  if (wanted == 0) return 0;
  KernelLock::HeldFor guard(item.file.locking());
  return item.file.poll(nullptr).raw() & wanted;
}

Result<EpollItem*> EpollSet::find(Fd fd, File& file) {
  auto found = items_.find(Key{fd, &file});
  if (found == items_.end()) return Errno::kENOENT;
  return found->second.get();
}

u64 EpollSet::give_host_id(EpollItem& item) {
  if (slots_.empty()) slots_.emplace_back();
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<u32>(slots_.size()));
    slots_.emplace_back();
  }
  const u32 number = free_slots_.back();
  free_slots_.pop_back();
  Slot& slot = slots_[number];
  slot.item = &item;
  ++slot.generation;
  item.host_id = u64{slot.generation} << 32 | number;
  host_items_.fetch_add(1, std::memory_order_relaxed);
  return item.host_id;
}

void EpollSet::take_host_id(EpollItem& item) {
  const u32 number = static_cast<u32>(std::exchange(item.host_id, 0));
  slots_[number].item = nullptr;
  free_slots_.push_back(number);
  host_items_.fetch_sub(1, std::memory_order_relaxed);
}

EpollItem* EpollSet::item_of(u64 host_id) {
  const Slot& slot = slots_[static_cast<u32>(host_id)];
  return slot.item && slot.item->host_id == host_id ? slot.item : nullptr;
}

abi::EpollEvent EpollSet::host_event(const EpollItem& item) const {
  return {item.events.load(std::memory_order_relaxed) & kPassedOn, item.host_id};
}

Result<> EpollSet::make_host_set() {
  if (host_set_) return {};
  host_set_ = TRY(host::create_event_set());
  host_fd_.store(host_set_.get().value, std::memory_order_release);
  // Who waits has to ask the host too from now on.
  waiters_.wake(PollEvents{});
  return {};
}

Result<> EpollSet::enter_host_set(EpollItem& item) {
  const host::Fd fd = item.file.host_poll_fd();
  if (fd == host::kNoFd) return {};
  TRY(make_host_set());
  give_host_id(item);
  auto added = host::add_to_event_set(host_set_.get(), fd, host_event(item));
  // EEXIST: the same open file is a member under another number, which the host cannot hold.
  if (!added.ok()) take_host_id(item);
  return added;
}

Result<> EpollSet::add(Fd fd, File& file, const abi::EpollEvent& event) {
  Epoll* nested = file_as<Epoll>(file);
  if (event.events & raw(EpollFlag::kEPOLLEXCLUSIVE)) {
    if (nested || (event.events & ~kExclusiveAllowed)) return Errno::kEINVAL;
  }
  NestingHeld nesting(nested);
  SleepLock::Guard held(lock_);
  if (nested) {
    EpollSet& inner = nested->set();
    const usize below = TRY(inner.depth_below(*this, 1));
    if (below + depth_above(1) > kMaxDepth) return Errno::kELOOP;
    // A set in a set has a host's event set from the start: whoever watches it then need not
    // learn of one later.
    SleepLock::Guard inner_held(inner.lock_);
    TRY(inner.make_host_set());
  }
  if (items_.contains(Key{fd, &file})) return Errno::kEEXIST;
  if (!heap::has_room()) return Errno::kENOMEM;
  auto item = make_ref<EpollItem>(*this, fd, file, event);
  if (nested) item->nesting = std::make_unique<EpollNesting>(*this, nested->set());
  items_.emplace(Key{fd, &file}, item);
  file.epoll_watches.add(*item);
  auto entered = enter_host_set(*item);
  if (!entered.ok()) {
    detach(*item);
    return entered;
  }
  if (!file.has_own_events()) return {};
  u32 ready;
  {
    KernelLock::HeldFor guard(file.locking());
    ready = file.poll(item.get()).raw();
  }
  if (ready & item->events.load(std::memory_order_relaxed) & kReadiness) list(*item);
  return {};
}

Result<> EpollSet::modify(Fd fd, File& file, const abi::EpollEvent& event) {
  SleepLock::Guard held(lock_);
  EpollItem* item = TRY(find(fd, file));
  const u32 old = item->events.load(std::memory_order_relaxed);
  if ((event.events | old) & raw(EpollFlag::kEPOLLEXCLUSIVE)) return Errno::kEINVAL;
  item->data = event.data;
  item->told = 0;
  item->events.store(event.events | kAlwaysPolled.raw(), std::memory_order_relaxed);
  if (item->host_id != 0) {
    // What was taken before under the old id counts as reported before; it is told again.
    take_host_id(*item);
    give_host_id(*item);
    TRY(host::change_in_event_set(host_set_.get(), file.host_poll_fd(), host_event(*item)));
  }
  if (file.has_own_events() && ready_events(*item) != 0) list(*item);
  return {};
}

Result<> EpollSet::remove(Fd fd, File& file) {
  NestingHeld nesting(file_as<Epoll>(file));
  SleepLock::Guard held(lock_);
  detach(*TRY(find(fd, file)));
  return {};
}

void EpollSet::forget(EpollItem& item) {
  NestingHeld nesting(bool(item.nesting));
  SleepLock::Guard held(lock_);
  // A socket's descriptor ends with it, and leaves the host's set by that.
  if (item.host_id != 0 && item.file.as_socket()) take_host_id(item);
  if (!item.gone) detach(item);
}

void EpollSet::close() {
  NestingHeld nesting(nests_.load(std::memory_order_acquire));
  SleepLock::Guard held(lock_);
  host_set_.reset();
  while (!items_.empty()) detach(*items_.begin()->second);
}

void EpollSet::detach(EpollItem& item) {
  if (item.host_id != 0) {
    if (host_set_) (void)host::remove_from_event_set(host_set_.get(), item.file.host_poll_fd());
    take_host_id(item);
  }
  item.first_hook_.unlink();
  for (auto& hook : item.more_hooks_) hook->unlink();
  {
    Lock::Held ready(ready_lock_);
    if (item.ListNode<EpollReadyTag>::linked()) {
      item.ListNode<EpollReadyTag>::unlink();
      ready_count_.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  if (item.nesting) item.nesting->end();
  item.file.epoll_watches.remove(item);
  item.gone = true;
  items_.erase(Key{item.fd, &item.file});
}

std::string EpollSet::fdinfo() {
  SleepLock::Guard held(lock_);
  TextBuilder text;
  for (const auto& [key, item] : items_) {
    text << "tfd: ";
    text.decimal(item->fd.value, 8) << " events: ";
    TextBuilder number;
    number.hex(item->events.load(std::memory_order_relaxed));
    text << std::string(number.size() < 8 ? 8 - number.size() : 0, ' ') << number.view();
    text << " data: ";
    number = {};
    number.hex(item->data);
    text << std::string(number.size() < 16 ? 16 - number.size() : 0, ' ') << number.view();
    text << "  pos:0 ino:";
    text.hex(item->file.has_inode() ? item->file.inode().number() : 0);
    text << " sdev:0\n";
  }
  return text.take();
}

}  // namespace lxss
