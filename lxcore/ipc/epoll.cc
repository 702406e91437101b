#include "lxcore/ipc/epoll.h"

#include <algorithm>

#include "base/text.h"
#include "host/event_set.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/mm/heap.h"
#include "lxcore/task/process.h"

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

}  // namespace

EpollWatches::EpollWatches() = default;

EpollWatches::~EpollWatches() {
  // The file goes: so do the items, wherever they are listed.
  while (!items.empty()) {
    EpollItem& item = items.front();
    item.owner.forget(item);
  }
}

EpollItem::~EpollItem() {
  if (ListNode<EpollReadyTag>::linked()) --owner.ready_count_;
}

void EpollItem::on(WaitQueue& queue) {
  Hook* hook = &first_hook_;
  if (hook->linked()) {
    more_hooks_.push_back(std::make_unique<Hook>());
    hook = more_hooks_.back().get();
  }
  hook->item = this;
  queue.add(*hook);
}

void EpollItem::notified(PollEvents happened) {
  // A notification without events says that something about the file changed.
  if (disabled) return;
  if (happened && !(happened.raw() & (events | kAlwaysPolled.raw()))) return;
  owner.list(*this);
}

u32 EpollItem::ready_events() {
  if (disabled) return 0;
  return file.poll(nullptr).raw() & ((events & kReadiness) | kAlwaysPolled.raw());
}

Epoll::~Epoll() { items_.clear(); }

void Epoll::list(EpollItem& item) {
  if (!item.ListNode<EpollReadyTag>::linked()) {
    ready_.push_back(item);
    ++ready_count_;
  }
  waiters_.wake(kReadable);
}

Result<EpollItem*> Epoll::find(Fd fd, File& file) {
  auto found = items_.find(Key{fd, &file});
  if (found == items_.end()) return Errno::kENOENT;
  return found->second.get();
}

void Epoll::forget(EpollItem& item) {
  if (item.host_id != 0) {
    host_items_.erase(item.host_id);
    // A descriptor that its file has closed already left by itself.
    host::Fd fd = item.file.host_poll_fd();
    if (fd != host::kNoFd) (void)host::remove_from_event_set(host_set_.get(), fd);
  }
  items_.erase(Key{item.fd, &item.file});
}

abi::EpollEvent Epoll::host_event(const EpollItem& item) const {
  constexpr u32 kPassedOn = kReadiness | raw(EpollFlag::kEPOLLET) | raw(EpollFlag::kEPOLLONESHOT);
  return {item.events & kPassedOn, item.host_id};
}

Result<> Epoll::watch_in_host(EpollItem& item) {
  host::Fd fd = item.file.host_poll_fd();
  if (fd == host::kNoFd || item.host_id != 0) return {};
  const bool first = !host_set_;
  if (first) host_set_ = TRY(host::create_event_set());
  item.host_id = next_host_id_++;
  auto added = host::add_to_event_set(host_set_.get(), fd, host_event(item));
  if (!added.ok()) {
    // EEXIST: the same open file is a member under another number, which the host cannot hold.
    item.host_id = 0;
    return added;
  }
  host_items_[item.host_id] = &item;
  if (!first) return {};
  // Who watches this epoll has to ask the host too from now on.
  for (EpollItem& above : epoll_watches.items) TRY(above.owner.watch_in_host(above));
  return {};
}

Result<usize> Epoll::depth_below(const Epoll* sought, usize level) const {
  if (this == sought || level > kMaxDepth) return Errno::kELOOP;
  usize depth = 1;
  for (const auto& [key, item] : items_) {
    if (const Epoll* below = file_as<Epoll>(item->file)) {
      depth = std::max(depth, 1 + TRY(below->depth_below(sought, level + 1)));
    }
  }
  return depth;
}

usize Epoll::depth_above(usize level) {
  usize depth = 1;
  if (level > kMaxDepth) return depth;
  for (EpollItem& item : epoll_watches.items) {
    depth = std::max(depth, 1 + item.owner.depth_above(level + 1));
  }
  return depth;
}

Result<> Epoll::add(Fd fd, File& file, const abi::EpollEvent& event) {
  Epoll* nested = file_as<Epoll>(file);
  if (event.events & raw(EpollFlag::kEPOLLEXCLUSIVE)) {
    if (nested || (event.events & ~kExclusiveAllowed)) return Errno::kEINVAL;
  }
  if (nested) {
    usize below = TRY(nested->depth_below(this, 1));
    if (below + depth_above(1) > kMaxDepth) return Errno::kELOOP;
  }
  if (items_.contains(Key{fd, &file})) return Errno::kEEXIST;
  if (!heap::has_room()) return Errno::kENOMEM;
  auto owned = std::make_unique<EpollItem>(*this, fd, file);
  EpollItem& item = *owned;
  item.events = event.events;
  item.data = event.data;
  items_.emplace(Key{fd, &file}, std::move(owned));
  file.epoll_watches.items.push_back(item);
  auto watched = watch_in_host(item);
  if (!watched.ok()) {
    forget(item);
    return watched;
  }
  u32 ready = file.poll(&item).raw() & ((item.events & kReadiness) | kAlwaysPolled.raw());
  if (item.host_id == 0 && ready != 0) list(item);
  return {};
}

Result<> Epoll::modify(Fd fd, File& file, const abi::EpollEvent& event) {
  EpollItem* item = TRY(find(fd, file));
  if ((event.events | item->events) & raw(EpollFlag::kEPOLLEXCLUSIVE)) return Errno::kEINVAL;
  item->events = event.events;
  item->data = event.data;
  item->disabled = false;
  if (item->host_id != 0) {
    TRY(host::change_in_event_set(host_set_.get(), file.host_poll_fd(), host_event(*item)));
  }
  if (item->host_id == 0 && item->ready_events() != 0) list(*item);
  return {};
}

Result<> Epoll::remove(Fd fd, File& file) {
  forget(*TRY(find(fd, file)));
  return {};
}

Result<> Epoll::report(EpollItem& item, u32 events, UserOut<abi::EpollEvent> out, usize index) {
  TRY(out.write({events, item.data}, index));
  if (item.events & raw(EpollFlag::kEPOLLONESHOT)) item.disabled = true;
  return {};
}

Result<usize> Epoll::collect(UserOut<abi::EpollEvent> out, usize limit) {
  usize done = 0;
  // Each item listed now is looked at once; level-triggered ones go to the end, so that
  // all have their turn.
  for (usize left = ready_count_; left != 0 && done < limit && !ready_.empty(); --left) {
    EpollItem& item = ready_.pop_front();
    --ready_count_;
    u32 events = item.ready_events();
    if (events == 0) continue;
    auto reported = report(item, events, out, done);
    if (!reported.ok()) {
      ready_.push_front(item);
      ++ready_count_;
      if (done == 0) return reported.error();
      return done;
    }
    ++done;
    if (item.disabled || item.host_id != 0 || (item.events & raw(EpollFlag::kEPOLLET))) continue;
    ready_.push_back(item);
    ++ready_count_;
  }
  if (host_set_ && done < limit) return collect_from_host(out, done, limit);
  return done;
}

Result<usize> Epoll::collect_from_host(UserOut<abi::EpollEvent> out, usize done, usize limit) {
  // One round: level-triggered members would be told again in the next.
  abi::EpollEvent found[64];
  const usize count =
      TRY(host::take_events(host_set_.get(), {found, std::min(limit - done, std::size(found))}));
  for (usize i = 0; i < count; ++i) {
    auto at = host_items_.find(found[i].data);
    if (at == host_items_.end()) continue;
    EpollItem& item = *at->second;
    const u32 events = item.ready_events();
    if (events == 0) {
      // The host has disarmed what the guest has not seen.
      if ((item.events & raw(EpollFlag::kEPOLLONESHOT)) && !item.disabled) {
        TRY(host::change_in_event_set(host_set_.get(), item.file.host_poll_fd(), host_event(item)));
      }
      continue;
    }
    auto reported = report(item, events, out, done);
    if (!reported.ok()) {
      if (done == 0) return reported.error();
      return done;
    }
    ++done;
  }
  return done;
}

Result<usize> Epoll::wait(Task& task, UserOut<abi::EpollEvent> out, usize limit,
                          host::Deadline deadline) {
  for (;;) {
    usize count = TRY(collect(out, limit));
    if (count != 0 || (deadline && *deadline == 0)) return count;
    if (signals::interrupted(task)) return Errno::kERESTARTSYS;
    waiters_.add(task.wait_entry);
    Result<> slept;
    if (host_set_) {
      std::vector<abi::PollFd> host{
          {host_set_.get().value, static_cast<i16>(abi::PollFlag::kPOLLIN), 0}};
      if (auto result = sleep_on_host(task, host, deadline); !result.ok()) slept = result.error();
    } else {
      slept = sleep(task, deadline);
    }
    task.wait_entry.unlink();
    if (slept.ok()) continue;
    count = TRY(collect(out, limit));
    if (count != 0 || slept.is(Errno::kETIMEDOUT)) return count;
    return slept.error();
  }
}

PollEvents Epoll::poll(PollRegistration* registration) {
  if (registration) registration->on(waiters_);
  for (usize left = ready_count_; left != 0 && !ready_.empty(); --left) {
    EpollItem& item = ready_.front();
    if (item.ready_events() != 0) return kReadable;
    item.ListNode<EpollReadyTag>::unlink();
    --ready_count_;
  }
  if (host_set_) {
    abi::PollFd set{host_set_.get().value, static_cast<i16>(abi::PollFlag::kPOLLIN), 0};
    if (host::poll({&set, 1}, 0).value_or(0) != 0) return kReadable;
  }
  return {};
}

std::string Epoll::fdinfo() {
  TextBuilder text;
  for (const auto& [key, item] : items_) {
    text << "tfd: ";
    text.decimal(item->fd.value, 8) << " events: ";
    TextBuilder number;
    number.hex(item->events);
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
