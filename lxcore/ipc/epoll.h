// epoll (man 7 epoll): a set of watched files, and the list of those that may be ready.
//
// An item hangs on the wait queues of its file. A notification puts it on the ready list;
// epoll_wait looks at what is listed, reports it, and keeps level-triggered items listed while
// they are ready. Files that only the host knows are members of a host event set, which keeps
// their levels and edges. An item goes with its open file description or with the Epoll.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "abi/linux/epoll.h"
#include "lxcore/vfs/file.h"

namespace lxss {

class Epoll;
struct EpollReadyTag;

class EpollItem final : public ListNode<EpollReadyTag>,
                        public ListNode<EpollWatchTag>,
                        public PollRegistration {
 public:
  EpollItem(Epoll& owner, Fd fd, File& file) : owner(owner), fd(fd), file(file) {}
  ~EpollItem() override;

  void on(WaitQueue& queue) override;
  /// The file may be ready for `events`.
  void notified(PollEvents events);
  /// What it reports now.
  u32 ready_events();

  Epoll& owner;
  Fd fd;
  File& file;
  u32 events = 0;  ///< wanted, and flags
  u64 data = 0;
  u64 host_id = 0;        ///< in the owner's host event set; 0: not there
  bool disabled = false;  ///< EPOLLONESHOT has fired

 private:
  struct Hook final : WaitEntry {
    EpollItem* item = nullptr;
    bool notify(PollEvents events) override {
      item->notified(events);
      return true;
    }
  };
  Hook first_hook_;
  std::vector<std::unique_ptr<Hook>> more_hooks_;
};

class Epoll final : public File {
 public:
  static constexpr char kKind = 0;
  static constexpr usize kMaxDepth = 5;  ///< of epolls that watch epolls

  ~Epoll() override;
  const void* kind() const override { return &kKind; }

  Result<> add(Fd fd, File& file, const abi::EpollEvent& event);
  Result<> modify(Fd fd, File& file, const abi::EpollEvent& event);
  Result<> remove(Fd fd, File& file);
  /// Waits for events and writes up to `limit`: their number, 0 at the deadline.
  Result<usize> wait(Task& task, UserOut<abi::EpollEvent> out, usize limit,
                     host::Deadline deadline);

  PollEvents poll(PollRegistration* registration) override;
  host::Fd host_poll_fd() const override { return host_set_.get(); }
  std::string fdinfo() override;

 private:
  friend class EpollItem;
  friend class EpollWatches;
  using Key = std::pair<Fd, File*>;

  Result<EpollItem*> find(Fd fd, File& file);
  void list(EpollItem& item);
  void forget(EpollItem& item);
  Result<> watch_in_host(EpollItem& item);
  abi::EpollEvent host_event(const EpollItem& item) const;
  Result<usize> collect(UserOut<abi::EpollEvent> out, usize limit);
  Result<usize> collect_from_host(UserOut<abi::EpollEvent> out, usize done, usize limit);
  Result<> report(EpollItem& item, u32 events, UserOut<abi::EpollEvent> out, usize index);
  /// How deep epolls are nested below this; ELOOP if `sought` is among them or too deep.
  Result<usize> depth_below(const Epoll* sought, usize level) const;
  usize depth_above(usize level);

  std::map<Key, std::unique_ptr<EpollItem>> items_;
  List<EpollItem, EpollReadyTag> ready_;
  usize ready_count_ = 0;
  WaitQueue waiters_;
  host::UniqueFd host_set_;  ///< made for the first item that needs it
  std::map<u64, EpollItem*> host_items_;
  u64 next_host_id_ = 1;
};

}  // namespace lxss
