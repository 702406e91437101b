#include "lxcore/ipc/inotify.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "abi/linux/ioctl.h"
#include "base/text.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/kernel.h"
#include "lxcore/mm/heap.h"

namespace lxss {

using abi::InotifyFlag;

namespace {

constexpr u32 raw(InotifyFlag flag) { return static_cast<u32>(flag); }
constexpr u32 kAllEvents32 = raw(InotifyFlag::kIN_ALL_EVENTS);
/// What a watch remembers of its mask.
constexpr u32 kKept =
    kAllEvents32 | raw(InotifyFlag::kIN_ONESHOT) | raw(InotifyFlag::kIN_EXCL_UNLINK);

}  // namespace

class Inotify::Watch final : public RefCounted, public ListNode<WatchTag> {
 public:
  Watch(Inotify& owner, i32 number, Inode& inode, u32 mask)
      : owner(owner), number(number), inode(inode), mask(mask) {}
  Inotify& owner;
  const i32 number;
  const RefPtr<Inode> inode;
  std::atomic<u32> mask;  ///< changed under the lock of the inode's watches
};

class Inotify::WatchedInode final : public InodeWatches {
 public:
  /// That of an inode, made if need be.
  static WatchedInode& of(Inode& inode) {
    InodeWatches* there = inode.watches.load(std::memory_order_acquire);
    if (!there) {
      auto made = make_ref<WatchedInode>();
      if (inode.watches.compare_exchange_strong(there, made.get(), std::memory_order_acq_rel)) {
        there = made.leak();
      }
    }
    return static_cast<WatchedInode&>(*there);
  }

  void event(abi::InotifyFlags flags, u32 cookie, std::string_view name) override {
    if (!any.load(std::memory_order_relaxed)) return;
    const u32 mask = flags.raw();
    const u32 kind = mask & kAllEvents32;
    const bool gone = mask & (raw(InotifyFlag::kIN_DELETE_SELF) | raw(InotifyFlag::kIN_UNMOUNT));
    // They have references to the inode, as the caller has: none of them is the last.
    std::vector<RefPtr<Watch>> ended;
    Lock::Held held(lock);
    for (Watch& watch : watches) {
      // Linux: IN_UNMOUNT is told without being asked for.
      const bool wanted = (watch.mask & kind) || (mask & raw(InotifyFlag::kIN_UNMOUNT));
      if (wanted) watch.owner.queue({watch.number, mask, cookie, std::string(name)});
      const bool once = wanted && (watch.mask & raw(InotifyFlag::kIN_ONESHOT));
      if (!gone && !once) continue;
      take_off(watch);
      ended.push_back(watch.owner.drop(watch.number));
    }
  }

  void put_on(Watch& watch) LXSS_REQUIRES(lock) {
    watches.push_back(watch);
    kernel().inotify_watches.fetch_add(1, std::memory_order_relaxed);
    any.store(true, std::memory_order_relaxed);
  }
  bool take_off(Watch& watch) LXSS_REQUIRES(lock) {
    if (!watch.linked()) return false;
    watch.unlink();
    kernel().inotify_watches.fetch_sub(1, std::memory_order_relaxed);
    if (watches.empty()) any.store(false, std::memory_order_relaxed);
    return true;
  }

  Lock lock{LockRank::kWatches};
  List<Watch, WatchTag> watches LXSS_GUARDED_BY(lock);
  std::atomic<bool> any{false};  ///< in the list; changed under the lock
};

Inotify::Inotify() : File(Locking::kOwn) {}

Inotify::~Inotify() {
  for (;;) {
    RefPtr<Watch> watch;
    {
      Lock::Held held(lock_);
      if (watches_.empty()) return;
      watch = watches_.begin()->second;
    }
    take_off(*watch);
    Lock::Held held(lock_);
    watches_.erase(watch->number);
  }
}

bool Inotify::take_off(Watch& watch) {
  auto& shared = WatchedInode::of(*watch.inode);
  Lock::Held held(shared.lock);
  return shared.take_off(watch);
}

usize Inotify::Event::size() const {
  // Linux: the name is padded with NULs, at least one, to a multiple of the structure's size.
  const usize length = name.empty() ? 0 : align_up(name.size() + 1, sizeof(abi::InotifyEvent));
  return sizeof(abi::InotifyEvent) + length;
}

void Inotify::queue(Event event) {
  Lock::Held held(lock_);
  queue_locked(std::move(event));
}

void Inotify::queue_locked(Event event) {
  // Linux: what repeats the newest event tells nothing new.
  if (!events_.empty() && events_.back() == event) return;
  if (events_.size() >= kMaxQueued) {
    if (events_.back().watch == -1) return;
    event = {-1, raw(InotifyFlag::kIN_Q_OVERFLOW), 0, {}};
  }
  bytes_ += event.size();
  events_.push_back(std::move(event));
  any_event_.store(true, std::memory_order_relaxed);
  readable_.wake(kReadable);
}

RefPtr<Inotify::Watch> Inotify::drop(i32 number) {
  Lock::Held held(lock_);
  auto at = watches_.find(number);
  if (at == watches_.end()) return nullptr;
  RefPtr<Watch> watch = std::move(at->second);
  watches_.erase(at);
  queue_locked({number, raw(InotifyFlag::kIN_IGNORED), 0, {}});
  return watch;
}

Result<i32> Inotify::watch(Inode& inode, abi::InotifyFlags flags) {
  const u32 mask = flags.raw() & kKept;
  SleepLock::Guard adding(adding_);
  auto& shared = WatchedInode::of(inode);
  {
    Lock::Held held(shared.lock);
    for (Watch& watch : shared.watches) {
      if (&watch.owner != this) continue;
      if (flags.has(InotifyFlag::kIN_MASK_CREATE)) return Errno::kEEXIST;
      watch.mask = flags.has(InotifyFlag::kIN_MASK_ADD) ? watch.mask | mask : mask;
      return watch.number;
    }
  }
  if (!heap::has_room()) return Errno::kENOMEM;
  auto watch = make_ref<Watch>(*this, last_watch_ + 1, inode, mask);
  {
    // In the table first: an event that ends it looks there.
    Lock::Held held(lock_);
    if (watches_.size() >= kMaxWatches) return Errno::kENOSPC;
    watches_.emplace(++last_watch_, watch);
  }
  Lock::Held held(shared.lock);
  shared.put_on(*watch);
  return watch->number;
}

Result<> Inotify::unwatch(i32 number) {
  SleepLock::Guard adding(adding_);
  RefPtr<Watch> watch;
  {
    Lock::Held held(lock_);
    auto at = watches_.find(number);
    if (at == watches_.end()) return Errno::kEINVAL;
    watch = at->second;
  }
  // Or an event ends it, and says so.
  if (!take_off(*watch)) return Errno::kEINVAL;
  drop(number);
  return {};
}

Result<usize> Inotify::read(Task& task, IoBuffer& buffer, u64*) {
  usize done = 0;
  for (;;) {
    Event event;
    {
      Lock::Held held(lock_);
      if (events_.empty() && done == 0) {
        if (nonblocking()) return Errno::kEAGAIN;
        TRY(wait_until(task, lock_, readable_,
                       [this]() LXSS_NO_THREAD_SAFETY_ANALYSIS { return !events_.empty(); }));
      }
      if (events_.empty() || buffer.size() < events_.front().size()) {
        if (done == 0) return Errno::kEINVAL;
        return done;
      }
      event = std::move(events_.front());
      bytes_ -= event.size();
      events_.pop_front();
      if (events_.empty()) any_event_.store(false, std::memory_order_relaxed);
    }
    const usize size = event.size();
    std::string bytes(size, '\0');
    const abi::InotifyEvent header{event.watch, event.mask, event.cookie,
                                   static_cast<u32>(size - sizeof(abi::InotifyEvent))};
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, event.name.data(), event.name.size());
    // Linux: an event that cannot be written is lost.
    auto copied = buffer.put(bytes);
    if (!copied.ok()) {
      if (done == 0) return copied.error();
      return done;
    }
    done += size;
  }
}

PollEvents Inotify::poll(PollRegistration* registration) {
  if (registration) registration->on(readable_);
  return any_event_.load(std::memory_order_seq_cst) ? kReadable : PollEvents{};
}

Result<u64> Inotify::ioctl(Task&, u32 request, u64 argument) {
  if (request != abi::kFIONREAD) return Errno::kENOTTY;
  usize bytes;
  {
    Lock::Held held(lock_);
    bytes = bytes_;
  }
  TRY(UserOut<i32>{UserAddr{argument}}.write(static_cast<i32>(bytes)));
  return u64{0};
}

std::string Inotify::fdinfo() {
  std::vector<RefPtr<Watch>> all;
  {
    Lock::Held held(lock_);
    for (const auto& [number, watch] : watches_) all.push_back(watch);
  }
  TextBuilder text;
  for (const RefPtr<Watch>& watch : all) {
    text << "inotify wd:";
    text.hex(static_cast<u64>(watch->number)) << " ino:";
    text.hex(watch->inode->number()) << " sdev:";
    text.hex(watch->inode->filesystem().device()) << " mask:";
    text.hex(watch->mask) << " ignored_mask:0\n";
  }
  return text.take();
}

}  // namespace lxss
