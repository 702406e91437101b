#include "lxcore/ipc/inotify.h"

#include <algorithm>
#include <cstring>

#include "abi/linux/ioctl.h"
#include "base/text.h"
#include "lxcore/ipc/poller.h"
#include "lxcore/mm/heap.h"
#include "lxcore/task/process.h"

namespace lxss {

using abi::InotifyFlag;

namespace {

constexpr u32 raw(InotifyFlag flag) { return static_cast<u32>(flag); }
constexpr u32 kAllEvents32 = raw(InotifyFlag::kIN_ALL_EVENTS);
/// What a watch remembers of its mask.
constexpr u32 kKept =
    kAllEvents32 | raw(InotifyFlag::kIN_ONESHOT) | raw(InotifyFlag::kIN_EXCL_UNLINK);

}  // namespace

class Inotify::Watch final : public ListNode<WatchTag> {
 public:
  Watch(Inotify& owner, i32 number, Inode& inode, u32 mask);
  Inotify& owner;
  const i32 number;
  u32 mask;
  RefPtr<Inode> inode;
  RefPtr<WatchedInode> shared;  ///< goes before the inode
};

/// What an inode's `watches` points to, as long as there are any.
class Inotify::WatchedInode final : public InodeWatches {
 public:
  explicit WatchedInode(Inode& inode) : inode_(inode) { inode.watches = this; }
  ~WatchedInode() override { inode_.watches = nullptr; }

  static RefPtr<WatchedInode> of(Inode& inode) {
    if (inode.watches) return RefPtr<WatchedInode>(static_cast<WatchedInode*>(inode.watches));
    return make_ref<WatchedInode>(inode);
  }

  void event(abi::InotifyFlags flags, u32 cookie, std::string_view name) override {
    RefPtr<WatchedInode> kept(this);
    const u32 mask = flags.raw();
    const u32 kind = mask & kAllEvents32;
    const bool gone = mask & (raw(InotifyFlag::kIN_DELETE_SELF) | raw(InotifyFlag::kIN_UNMOUNT));
    for (Watch& watch : watches) {
      // Linux: IN_UNMOUNT is told without being asked for.
      const bool wanted = (watch.mask & kind) || (mask & raw(InotifyFlag::kIN_UNMOUNT));
      if (wanted) watch.owner.queue({watch.number, mask, cookie, std::string(name)});
      const bool once = wanted && (watch.mask & raw(InotifyFlag::kIN_ONESHOT));
      if (gone || once) watch.owner.drop(watch.number);
    }
  }

  List<Watch, WatchTag> watches;

 private:
  Inode& inode_;
};

Inotify::Watch::Watch(Inotify& owner, i32 number, Inode& inode, u32 mask)
    : owner(owner), number(number), mask(mask), inode(inode), shared(WatchedInode::of(inode)) {
  shared->watches.push_back(*this);
}

Inotify::Inotify() = default;
Inotify::~Inotify() = default;

usize Inotify::Event::size() const {
  // Linux: the name is padded with NULs, at least one, to a multiple of the structure's size.
  const usize length = name.empty() ? 0 : align_up(name.size() + 1, sizeof(abi::InotifyEvent));
  return sizeof(abi::InotifyEvent) + length;
}

void Inotify::queue(Event event) {
  // Linux: what repeats the newest event tells nothing new.
  if (!events_.empty() && events_.back() == event) return;
  if (events_.size() >= kMaxQueued) {
    if (events_.back().watch == -1) return;
    event = {-1, raw(InotifyFlag::kIN_Q_OVERFLOW), 0, {}};
  }
  bytes_ += event.size();
  events_.push_back(std::move(event));
  readable_.wake(kReadable);
}

void Inotify::drop(i32 number) {
  watches_.erase(number);
  queue({number, raw(InotifyFlag::kIN_IGNORED), 0, {}});
}

Result<i32> Inotify::watch(Inode& inode, abi::InotifyFlags flags) {
  const u32 mask = flags.raw() & kKept;
  if (inode.watches) {
    for (Watch& watch : static_cast<WatchedInode*>(inode.watches)->watches) {
      if (&watch.owner != this) continue;
      if (flags.has(InotifyFlag::kIN_MASK_CREATE)) return Errno::kEEXIST;
      watch.mask = flags.has(InotifyFlag::kIN_MASK_ADD) ? watch.mask | mask : mask;
      return watch.number;
    }
  }
  if (watches_.size() >= kMaxWatches) return Errno::kENOSPC;
  if (!heap::has_room()) return Errno::kENOMEM;
  const i32 number = ++last_watch_;
  watches_.emplace(number, std::make_unique<Watch>(*this, number, inode, mask));
  return number;
}

Result<> Inotify::unwatch(i32 number) {
  if (!watches_.contains(number)) return Errno::kEINVAL;
  drop(number);
  return {};
}

Result<usize> Inotify::read(Task& task, IoBuffer& buffer, u64*) {
  if (events_.empty()) {
    if (nonblocking()) return Errno::kEAGAIN;
    TRY(wait_until(task, readable_, [this] { return !events_.empty(); }));
  }
  if (buffer.size() < events_.front().size()) return Errno::kEINVAL;
  usize done = 0;
  while (!events_.empty() && events_.front().size() <= buffer.size()) {
    const Event& event = events_.front();
    const usize size = event.size();
    std::string bytes(size, '\0');
    const abi::InotifyEvent header{event.watch, event.mask, event.cookie,
                                   static_cast<u32>(size - sizeof(abi::InotifyEvent))};
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, event.name.data(), event.name.size());
    auto copied = buffer.put(bytes);
    if (!copied.ok()) {
      if (done == 0) return copied.error();
      break;
    }
    done += size;
    bytes_ -= size;
    events_.pop_front();
  }
  return done;
}

PollEvents Inotify::poll(PollRegistration* registration) {
  if (registration) registration->on(readable_);
  return events_.empty() ? PollEvents{} : kReadable;
}

Result<u64> Inotify::ioctl(Task&, u32 request, u64 argument) {
  if (request != abi::kFIONREAD) return Errno::kENOTTY;
  TRY(UserOut<i32>{UserAddr{argument}}.write(static_cast<i32>(bytes_)));
  return u64{0};
}

std::string Inotify::fdinfo() {
  TextBuilder text;
  for (const auto& [number, watch] : watches_) {
    text << "inotify wd:";
    text.hex(static_cast<u64>(number)) << " ino:";
    text.hex(watch->inode->number()) << " sdev:";
    text.hex(watch->inode->filesystem().device()) << " mask:";
    text.hex(watch->mask) << " ignored_mask:0\n";
  }
  return text.take();
}

}  // namespace lxss
