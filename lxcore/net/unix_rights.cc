#include "lxcore/net/unix_rights.h"

#include "lxcore/kernel.h"
#include "lxcore/net/unix_socket.h"

namespace lxss::net {

namespace {

/// The endpoint of a file that is an AF_UNIX socket, or null.
UnixEndpoint* endpoint_of(File& file) {
  Socket* socket = file.as_socket();
  if (!socket || socket->domain() != abi::kAF_UNIX) return nullptr;
  return &static_cast<UnixSocket*>(socket)->endpoint();
}

/// Lets go of files one after another: a socket's end may drop messages with more files in
/// them, and so on to any depth, which the kernel stack has not.
void drop(std::unique_ptr<FileBatch> batch) {
  if (!batch) return;
  Task& task = Task::current();
  batch->next = task.files_to_drop;
  task.files_to_drop = batch.release();
  if (task.drops_files) return;
  task.drops_files = true;
  while (task.files_to_drop) {
    const std::unique_ptr<FileBatch> next(task.files_to_drop);
    task.files_to_drop = next->next;
    next->files.clear();
  }
  task.drops_files = false;
}

}  // namespace

Result<std::unique_ptr<Rights>> Rights::create(Task& task, std::vector<RefPtr<File>> files) {
  collect_garbage_if_due();
  UnixNamespace& names = unix_namespace();
  const u32 user = task.credentials->uid;
  const bool may_exceed =
      task.has_capability(abi::kCAP_SYS_RESOURCE) || task.has_capability(abi::kCAP_SYS_ADMIN);
  const usize limit = may_exceed ? ~usize{0} : task.limit(abi::kRLIMIT_NOFILE);
  auto batch = std::make_unique<FileBatch>(FileBatch{std::move(files)});
  Lock::Held held(names.lock);
  const usize count = batch->files.size();
  usize& of_user = names.in_flight_by_user[user];
  if (of_user > limit || names.in_flight + count > UnixNamespace::kMaxInFlight) {
    if (of_user == 0) names.in_flight_by_user.erase(user);
    // The files are let go of by who gave them, who still has them.
    return Errno::kETOOMANYREFS;
  }
  of_user += count;
  names.in_flight += count;
  for (auto& file : batch->files) {
    UnixEndpoint* endpoint = endpoint_of(*file);
    if (!endpoint) continue;
    if (endpoint->reach.in_flight++ == 0) names.flying.push_back(*endpoint);
    names.flights.fetch_add(1, std::memory_order_relaxed);
  }
  return std::unique_ptr<Rights>(new Rights(std::move(batch), user));
}

std::unique_ptr<FileBatch> Rights::land(UnixNamespace& names) {
  if (!batch_) return nullptr;
  names.in_flight -= batch_->files.size();
  auto of_user = names.in_flight_by_user.find(user_);
  of_user->second -= batch_->files.size();
  if (of_user->second == 0) names.in_flight_by_user.erase(of_user);
  for (auto& file : batch_->files) {
    UnixEndpoint* endpoint = endpoint_of(*file);
    if (!endpoint) continue;
    if (--endpoint->reach.in_flight == 0) endpoint->ListNode<FlightTag>::unlink();
    names.flights.fetch_sub(1, std::memory_order_relaxed);
  }
  return std::move(batch_);
}

void Rights::enter(UnixEndpoint& endpoint) {
  Lock::Held held(unix_namespace().lock);
  endpoint.reach.queued.push_back(*this);
}

void Rights::leave() {
  Lock::Held held(unix_namespace().lock);
  ListNode<Rights>::unlink();
}

std::vector<RefPtr<File>> Rights::take() {
  std::unique_ptr<FileBatch> batch;
  {
    UnixNamespace& names = unix_namespace();
    Lock::Held held(names.lock);
    batch = land(names);
  }
  if (!batch) return {};
  return std::move(batch->files);
}

std::vector<RefPtr<File>> Rights::copy() const {
  Lock::Held held(unix_namespace().lock);
  if (!batch_) return {};
  return batch_->files;
}

usize Rights::count() const {
  Lock::Held held(unix_namespace().lock);
  return batch_ ? batch_->files.size() : 0;
}

Rights::~Rights() {
  std::unique_ptr<FileBatch> batch;
  {
    UnixNamespace& names = unix_namespace();
    Lock::Held held(names.lock);
    LXSS_ASSERT(!ListNode<Rights>::linked());
    batch = land(names);
  }
  drop(std::move(batch));
}

/// One collection, under the namespace's lock. Only sockets in flight are looked at. Those to which
/// nothing but messages refers are candidates; a candidate that a message elsewhere than in a
/// candidate's queue carries can be received, and with it what is queued there, and so on.
///
/// Of a candidate the references are as many as it is in flight; each of these is a message's, and
/// no other can come up while the lock is held. (Who uses a file without counting has it from a
/// descriptor table, which counts.) Too many references only put a collection off.
class Collector {
 public:
  /// The files to drop: a chain of batches.
  FileBatch* collect(UnixNamespace& names) LXSS_REQUIRES(names.lock) {
    if (!find_candidates(names)) return nullptr;
    for_each_candidate(names, [](UnixEndpoint& endpoint) {
      for_each_carried(endpoint, [](UnixEndpoint& carried) { --carried.reach.external; });
    });
    for_each_candidate(names, [this](UnixEndpoint& endpoint) {
      if (endpoint.reach.external != 0) push(endpoint);
    });
    while (UnixEndpoint* reachable = pop()) {
      for_each_carried(*reachable, [this](UnixEndpoint& carried) {
        if (carried.reach.candidate) push(carried);
      });
    }
    for_each_candidate(names, [this](UnixEndpoint& endpoint) { push(endpoint); });
    FileBatch* garbage = nullptr;
    while (UnixEndpoint* endpoint = pop()) {
      for_each_rights(*endpoint, [&](Rights& rights) LXSS_NO_THREAD_SAFETY_ANALYSIS {
        if (auto batch = rights.land(names)) {
          batch->next = garbage;
          garbage = batch.release();
        }
      });
    }
    return garbage;
  }

 private:
  bool find_candidates(UnixNamespace& names) LXSS_REQUIRES(names.lock) {
    bool any = false;
    for (UnixEndpoint& endpoint : names.flying) {
      Reachability& reach = endpoint.reach;
      reach.candidate = reach.socket && reach.socket->reference_count() == reach.in_flight;
      reach.external = reach.in_flight;
      any = any || reach.candidate;
    }
    return any;
  }

  template <typename Visit>
  static void for_each_candidate(UnixNamespace& names, Visit visit) LXSS_REQUIRES(names.lock) {
    for (UnixEndpoint& endpoint : names.flying) {
      if (endpoint.reach.candidate) visit(endpoint);
    }
  }

  /// What can be received at a socket, also over the connections that it has not accepted.
  template <typename Visit>
  static void for_each_rights(UnixEndpoint& at, Visit visit) {
    for (Rights& rights : at.reach.queued) visit(rights);
    for (UnixEndpoint& waiting : at.reach.embryos) {
      for (Rights& rights : waiting.reach.queued) visit(rights);
    }
  }

  template <typename Visit>
  static void for_each_carried(UnixEndpoint& at, Visit visit) {
    for_each_rights(at, [&visit](Rights& rights) LXSS_NO_THREAD_SAFETY_ANALYSIS {
      if (!rights.batch_) return;
      for (auto& file : rights.batch_->files) {
        if (UnixEndpoint* endpoint = endpoint_of(*file)) visit(*endpoint);
      }
    });
  }

  /// It is no candidate any more, but to be worked off.
  void push(UnixEndpoint& endpoint) {
    endpoint.reach.candidate = false;
    endpoint.reach.next_pending = pending_;
    pending_ = &endpoint;
  }
  UnixEndpoint* pop() {
    UnixEndpoint* first = pending_;
    if (first) pending_ = std::exchange(first->reach.next_pending, nullptr);
    return first;
  }

  UnixEndpoint* pending_ = nullptr;
};

void collect_garbage() {
  UnixNamespace& names = unix_namespace();
  FileBatch* garbage;
  {
    Lock::Held held(names.lock);
    garbage = Collector().collect(names);
    names.collect_at = 2 * names.flights.load(std::memory_order_relaxed);
  }
  while (garbage) {
    std::unique_ptr<FileBatch> batch(garbage);
    garbage = std::exchange(batch->next, nullptr);
    drop(std::move(batch));
  }
}

void collect_garbage_if_due() {
  constexpr usize kFew = 256;
  UnixNamespace& names = unix_namespace();
  const usize flights = names.flights.load(std::memory_order_relaxed);
  if (flights == 0) return;
  if (flights > kFew) {
    Lock::Held held(names.lock);
    if (flights < names.collect_at) return;
  }
  collect_garbage();
}

}  // namespace lxss::net
