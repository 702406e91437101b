// What an epoll descriptor stands for (man 7 epoll): a set of watched files, and the list of those
// that may be ready.
//
// An item hangs on the wait queues of its file. A notification puts it on the ready list; collect()
// looks at what is listed, reports it, and keeps level-triggered items listed while they are ready.
// Files that only the host knows are members of a host event set, which keeps their levels and
// edges, and whose word is taken.
//
// Lifetimes. The Epoll (a File) holds its set, and so does each item, so that whoever has found an
// item can lock its set. A set owns its items, and ends them all with the Epoll. A file that goes
// leaves its sets first (EpollWatches::leave), while it is whole: so under `lock_` the file of each
// item of the set exists and can be asked.
//
// Locks, in this order: the instance's lock of nesting, if a member is an Epoll; `lock_` of a set,
// then those of sets nested in it; then the file's own and those of wait queues, under which an
// item may be listed.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include "abi/linux/epoll.h"
#include "lxcore/vfs/file.h"

namespace lxss {

class EpollSet;
struct EpollReadyTag;
struct EpollAboveTag;
struct EpollBelowTag;

/// That one set watches another. Guarded by the instance's lock of nesting.
struct EpollNesting final : ListNode<EpollAboveTag>, ListNode<EpollBelowTag> {
  EpollNesting(EpollSet& outer, EpollSet& inner);
  void end();
  EpollSet& outer;  ///< whose item has this
  const RefPtr<EpollSet> inner;
};

class EpollItem final : public RefCounted,
                        public ListNode<EpollReadyTag>,
                        public ListNode<EpollWatchTag>,
                        public PollRegistration {
 public:
  EpollItem(EpollSet& set, Fd fd, File& file, const abi::EpollEvent& event);

  void on(WaitQueue& queue) override;
  /// The file may be ready for `events`: true if someone was waiting for that.
  bool notified(PollEvents happened);

  const RefPtr<EpollSet> set;
  const Fd fd;
  File& file;  ///< whole while the item is in the set; see above
  /// Wanted, and flags. No readiness: EPOLLONESHOT has fired. Changed under the set's lock.
  std::atomic<u32> events;
  std::unique_ptr<EpollNesting> nesting;  ///< immutable; of a file that is an Epoll

  // Guarded by the set's lock.
  u64 data;
  u64 host_id = 0;    ///< in the set's host event set; 0: not there
  u32 told = 0;       ///< what the host has told but the guest has not been
  bool gone = false;  ///< not in the set any more

 private:
  friend class EpollSet;
  struct Hook final : WaitEntry {
    EpollItem* item = nullptr;
    bool notify(PollEvents events) override { return item->notified(events); }
  };
  Hook first_hook_;  ///< hooks are hung on queues when the item is made
  std::vector<std::unique_ptr<Hook>> more_hooks_;
};

class EpollSet final : public RefCounted {
 public:
  static constexpr usize kMaxDepth = 5;  ///< of sets that watch sets

  Result<> add(Fd fd, File& file, const abi::EpollEvent& event);
  Result<> modify(Fd fd, File& file, const abi::EpollEvent& event);
  Result<> remove(Fd fd, File& file);
  /// An item's file goes.
  void forget(EpollItem& item);
  /// The Epoll goes: so do all items.
  void close();

  /// Waits for events and writes up to `limit`: their number, 0 at the deadline.
  Result<usize> wait(Task& task, UserOut<abi::EpollEvent> out, usize limit,
                     host::Deadline deadline);
  PollEvents poll(PollRegistration* registration);
  std::string fdinfo();

  /// The host's event set, once there is one. It stays.
  host::Fd host_fd() const { return host::Fd{host_fd_.load(std::memory_order_acquire)}; }

  /// Puts an item on the ready list and wakes who waits; true if somebody does.
  bool list(EpollItem& item);

 private:
  friend struct EpollNesting;
  using Key = std::pair<Fd, File*>;
  /// The events that one host call takes.
  class HostEvents;

  Result<> insert(Fd fd, File& file, const abi::EpollEvent& event,
                  std::unique_ptr<EpollNesting> nesting);
  /// It leaves all that it is in.
  void detach(EpollItem& item) LXSS_REQUIRES(lock_);
  Result<EpollItem*> find(Fd fd, File& file) LXSS_REQUIRES(lock_);
  /// What the item's file reports now, of what is wanted.
  u32 ready_events(EpollItem& item) LXSS_REQUIRES(lock_);
  Result<> make_host_set() LXSS_REQUIRES(lock_);
  Result<> enter_host_set(EpollItem& item) LXSS_REQUIRES(lock_);
  u64 give_host_id(EpollItem& item) LXSS_REQUIRES(lock_);
  void take_host_id(EpollItem& item) LXSS_REQUIRES(lock_);
  /// Null if the item has another id by now, or is gone.
  EpollItem* item_of(u64 host_id) LXSS_REQUIRES(lock_);
  abi::EpollEvent host_event(const EpollItem& item) const LXSS_REQUIRES(lock_);

  // epoll_wait.cc
  /// What is ready now, without waiting.
  Result<usize> collect(UserOut<abi::EpollEvent> out, usize limit);
  Result<usize> collect_listed(UserOut<abi::EpollEvent> out, usize done, usize limit)
      LXSS_REQUIRES(lock_);
  Result<usize> deliver(std::span<const abi::EpollEvent> found, UserOut<abi::EpollEvent> out,
                        usize done) LXSS_REQUIRES(lock_);
  Result<> report(EpollItem& item, u32 events, UserOut<abi::EpollEvent> out, usize index)
      LXSS_REQUIRES(lock_);
  Result<usize> sleep(Task& task, Wait& wait, HostEvents& found, host::Deadline deadline);
  /// What one waiter leaves is for the next.
  void pass_on();
  bool has_listed() const { return ready_count_.load(std::memory_order_seq_cst) != 0; }
  EpollItem* pop_listed();
  void put_back(EpollItem& item, bool in_front);
  bool is_listed(EpollItem& item);

  // epoll_nesting.cc; under the lock of nesting.
  usize depth_above(usize level);
  /// How deep sets are nested below this; ELOOP if `sought` is among them or too deep.
  Result<usize> depth_below(const EpollSet& sought, usize level);

  SleepLock lock_{LockRank::kObject, AfterDeath::kStop};  ///< items_ would be torn
  std::map<Key, RefPtr<EpollItem>> items_ LXSS_GUARDED_BY(lock_);

  Lock ready_lock_{LockRank::kWaking};
  List<EpollItem, EpollReadyTag> ready_ LXSS_GUARDED_BY(ready_lock_);
  std::atomic<usize> ready_count_{0};  ///< changed under ready_lock_
  WaitQueue waiters_;

  // A host id is the number of a slot, and how often slots were given out.
  struct Slot {
    EpollItem* item = nullptr;
    u32 generation = 0;
  };
  host::UniqueFd host_set_ LXSS_GUARDED_BY(lock_);  ///< made for the first item that needs it
  std::atomic<i32> host_fd_{host::kNoFd.value};     ///< its number
  std::vector<Slot> slots_ LXSS_GUARDED_BY(lock_);  ///< the first stays free
  std::vector<u32> free_slots_ LXSS_GUARDED_BY(lock_);
  std::atomic<u32> host_items_{0};  ///< how many; changed under lock_
  /// The host's events go first: both kinds have their turn in small calls.
  bool host_first_ LXSS_GUARDED_BY(lock_) = false;

  // Guarded by the lock of nesting.
  List<EpollNesting, EpollAboveTag> above_;
  List<EpollNesting, EpollBelowTag> below_;
  std::atomic<bool> nests_{false};  ///< has ever had something in below_
};

}  // namespace lxss
