#include "fs/host_tree/host_tree.h"

#include <vector>

namespace lxss {

HostHandle::HostHandle(HostInode& inode) : inode_(inode) {}

HostHandle& HostHandle::operator=(HostHandle&& other) noexcept {
  if (this != &other) {
    reset();
    inode_ = std::move(other.inode_);
  }
  return *this;
}

host::Fd HostHandle::fd() const {
  return host::Fd{inode_->descriptor_.load(std::memory_order_relaxed)};
}

void HostHandle::reset() {
  if (!inode_) return;
  inode_->uses_.fetch_sub(1, std::memory_order_release);
  inode_ = nullptr;
}

HostInode::HostInode(HostTree& tree, const abi::Stat& status, u64 number, u32 mode, u32 uid,
                     u32 gid, u64 rdev)
    : Inode(tree, number, mode, uid, gid, rdev), id_(id_of(status)) {}

HostTree& HostInode::tree() const { return static_cast<HostTree&>(filesystem()); }

void HostInode::released() {
  host::UniqueFd descriptor;
  {
    Lock::Held held(tree().lock_);
    ListNode<HostTableTag>::unlink();
    if (ListNode<HostOpenTag>::linked()) {
      ListNode<HostOpenTag>::unlink();
      tree().open_count_.fetch_sub(1, std::memory_order_relaxed);
      descriptor = host::UniqueFd(host::Fd{descriptor_.load(std::memory_order_relaxed)});
    }
  }
  forget_names();
}

bool HostInode::try_use() {
  u32 uses = uses_.load(std::memory_order_relaxed);
  while (!(uses & kClosed)) {
    if (!uses_.compare_exchange_weak(uses, uses + 1, std::memory_order_acquire)) continue;
    if (!used_lately_.load(std::memory_order_relaxed)) {
      used_lately_.store(true, std::memory_order_relaxed);
    }
    return true;
  }
  return false;
}

HostHandle HostInode::hold_if_open() { return try_use() ? HostHandle(*this) : HostHandle(); }

Result<HostHandle> HostInode::hold() {
  if (HostHandle open = hold_if_open()) return open;
  // Somebody may rename or remove what leads here: then another look tells where it is.
  constexpr int kTries = 64;
  for (int i = 0;; ++i) {
    auto handle = open_from_above();
    const bool lost = handle.is(Errno::kENOENT) || handle.is(Errno::kESTALE);
    if (!lost || i == kTries) return handle.is(Errno::kESTALE) ? Errno::kENOENT : std::move(handle);
    if (has_name()) continue;
    if (HostHandle open = hold_if_open()) return open;
    return Errno::kENOENT;
  }
}

Result<HostHandle> HostInode::open_from_above() {
  // Before the names are looked at: a change that begins later shows.
  const u64 seen = tree().name_changes();
  // A guest chooses how deep a tree is: no recursion.
  std::vector<std::pair<RefPtr<HostInode>, HostName>> closed;
  RefPtr<HostInode> at(this);
  HostHandle handle;
  while (!(handle = at->hold_if_open())) {
    auto name = at->any_name();
    if (!name) return Errno::kENOENT;
    RefPtr<HostInode> above = name->directory;
    closed.emplace_back(std::move(at), std::move(*name));
    at = std::move(above);
  }
  for (; !closed.empty(); closed.pop_back()) {
    auto& [inode, name] = closed.back();
    handle = TRY(inode->open_in(handle.fd(), name.name, seen));
  }
  return handle;
}

Result<HostHandle> HostInode::open_in(host::Fd directory, std::string_view name, u64 seen) {
  SleepLock::Held opening(opening_);
  if (HostHandle open = hold_if_open()) return open;
  host::UniqueFd descriptor =
      TRY(tree().with_room([&] { return host::open_at(directory, name, open_mode()); }));
  if (!tree().names_unchanged_since(seen) && id_of(TRY(host::status(descriptor.get()))) != id_) {
    return Errno::kESTALE;
  }
  TRY(opened(descriptor.get()));
  install(std::move(descriptor));
  return HostHandle(*this);
}

/// It is open from now on, and in use once. Under opening_.
void HostInode::install(host::UniqueFd descriptor) {
  descriptor_.store(descriptor.release().value, std::memory_order_relaxed);
  used_lately_.store(true, std::memory_order_relaxed);
  uses_.store(1, std::memory_order_release);
  tree().note_open(*this);
}

void HostInode::adopt(host::UniqueFd descriptor) {
  SleepLock::Held opening(opening_);
  if (hold_if_open()) return;
  install(std::move(descriptor));
  uses_.fetch_sub(1, std::memory_order_release);
}

host::UniqueFd HostInode::take_descriptor() {
  LXSS_ASSERT(!is_root_);
  Lock::Held held(tree().lock_);
  u32 idle = 0;
  if (!uses_.compare_exchange_strong(idle, kClosed, std::memory_order_acquire)) return {};
  ListNode<HostOpenTag>::unlink();
  tree().open_count_.fetch_sub(1, std::memory_order_relaxed);
  return host::UniqueFd(host::Fd{descriptor_.load(std::memory_order_relaxed)});
}

std::optional<HostInode::HostName> HostInode::any_name() const {
  Lock::Held held(lock_);
  if (names_.empty()) return std::nullopt;
  return *names_.begin();
}

usize HostInode::name_count() const {
  Lock::Held held(lock_);
  return names_.size();
}

void HostInode::add_name(HostInode& directory, std::string_view name) {
  HostName added{RefPtr<HostInode>(directory), std::string(name)};
  // What is known already goes after the lock.
  std::set<HostName> one;
  one.insert(std::move(added));
  Lock::Held held(lock_);
  names_.merge(one);
}

void HostInode::remove_name(HostInode& directory, std::string_view name) {
  const HostName removed{RefPtr<HostInode>(directory), std::string(name)};
  std::set<HostName>::node_type gone;
  Lock::Held held(lock_);
  gone = names_.extract(removed);
}

void HostInode::forget_names() {
  std::set<HostName> gone;
  Lock::Held held(lock_);
  std::swap(gone, names_);
}

void HostInode::forget_identity() {
  Lock::Held held(tree().lock_);
  ListNode<HostTableTag>::unlink();
}

HostTree::HostTree(const char* type, i64 magic, host::Fd root, u64 root_device, usize max_open,
                   Locking locking)
    : FileSystem(type, magic, locking),
      root_(root),
      root_device_(root_device),
      max_open_(max_open) {}

void HostTree::set_root(HostInode& inode) {
  inode.descriptor_.store(root_.value, std::memory_order_relaxed);
  inode.uses_.store(0, std::memory_order_release);
  inode.is_root_ = true;
}

List<HostInode, HostTableTag>& HostTree::bucket(HostId id) {
  u64 hash = (id.number ^ id.device << 32) * 0x9e37'79b9'7f4a'7c15;
  return table_[hash >> 50];
}

RefPtr<HostInode> HostTree::find(HostId id) {
  Lock::Held held(lock_);
  for (HostInode& inode : bucket(id)) {
    if (inode.id_ == id) {
      if (auto found = RefPtr<HostInode>::try_take(&inode)) return found;
    }
  }
  return nullptr;
}

std::optional<u32> HostTree::type_of(HostId id) {
  Lock::Held held(lock_);
  for (HostInode& inode : bucket(id)) {
    if (inode.id_ == id) return inode.type();
  }
  return std::nullopt;
}

RefPtr<HostInode> HostTree::enter(RefPtr<HostInode> inode) {
  RefPtr<HostInode> known;
  Lock::Held held(lock_);
  for (HostInode& each : bucket(inode->id_)) {
    if (each.id_ == inode->id_ && (known = RefPtr<HostInode>::try_take(&each))) return known;
  }
  bucket(inode->id_).push_front(*inode);
  return inode;
}

void HostTree::enter_new(HostInode& inode) {
  Lock::Held held(lock_);
  // An object of this identity is of a file that was removed just now.
  for (HostInode& each : bucket(inode.id_)) {
    if (each.id_ == inode.id_) static_cast<ListNode<HostTableTag>&>(each).unlink();
  }
  bucket(inode.id_).push_front(inode);
}

void HostTree::note_open(HostInode& inode) {
  {
    Lock::Held held(lock_);
    open_.push_back(inode);
  }
  if (open_count_.fetch_add(1, std::memory_order_relaxed) + 1 > max_open_) close_idle(1);
}

bool HostTree::close_idle(usize count) {
  host::UniqueFd closed[kEvictAtOnce];
  count = std::min(count, kEvictAtOnce);
  usize done = 0, spared = 0;
  {
    Lock::Held held(lock_);
    // What was used lately gets another round; what is in use stays.
    for (usize tries = 4 * count; done < count && tries > 0 && !open_.empty(); --tries) {
      HostInode& oldest = open_.front();
      static_cast<ListNode<HostOpenTag>&>(oldest).unlink();
      u32 idle = 0;
      if (oldest.used_lately_.exchange(false, std::memory_order_relaxed)) {
        ++spared;
      } else if (oldest.has_name() && oldest.uses_.compare_exchange_strong(
                                          idle, HostInode::kClosed, std::memory_order_acquire)) {
        closed[done++] =
            host::UniqueFd(host::Fd{oldest.descriptor_.load(std::memory_order_relaxed)});
        continue;
      }
      open_.push_back(oldest);
    }
  }
  open_count_.fetch_sub(done, std::memory_order_relaxed);
  return done + spared != 0;
}

}  // namespace lxss
