#include "lxcore/vfs/dentry.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "lxcore/kernel.h"
#include "lxcore/vfs/notify.h"

namespace lxss {

namespace {

/// Of a name in a directory; eight bytes at a time.
u32 hash_name(const Dentry& directory, std::string_view name) {
  constexpr u64 kMultiplier = 0x9e37'79b9'7f4a'7c15;
  u64 hash = (reinterpret_cast<u64>(&directory) >> 4) ^ (name.size() << 56);
  const char* at = name.data();
  usize left = name.size();
  for (; left >= 8; at += 8, left -= 8) {
    u64 word;
    std::memcpy(&word, at, 8);
    hash = std::rotl((hash ^ word) * kMultiplier, 29);
  }
  u64 tail = 0;
  for (; left > 0; --left) tail = tail << 8 | static_cast<u8>(at[left - 1]);
  hash = (hash ^ tail) * kMultiplier;
  return static_cast<u32>(hash ^ hash >> 32);
}

}  // namespace

/// A name as an object that does not change: the text lies behind it.
class DentryName final : public Retirable {
 public:
  static const DentryName* make(const Dentry* directory, std::string_view text) {
    void* memory = ::operator new(sizeof(DentryName) + text.size());
    return new (memory) DentryName(directory ? hash_name(*directory, text) : 0, text);
  }
  static void destroy(const DentryName* name) {
    name->~DentryName();
    ::operator delete(const_cast<DentryName*>(name));
  }
  std::string_view text() const { return {reinterpret_cast<const char*>(this + 1), size_}; }
  u32 hash() const { return hash_; }

 private:
  DentryName(u32 hash, std::string_view text) : hash_(hash), size_(static_cast<u32>(text.size())) {
    text.copy(reinterpret_cast<char*>(this + 1), text.size());
  }
  void free() override { destroy(this); }

  const u32 hash_;  ///< of the name in its directory
  const u32 size_;
};

Dentry::Dentry(RefPtr<Dentry> parent, std::string_view name, RefPtr<Inode> inode)
    : parent_(parent.get()), name_(DentryName::make(parent.get(), name)), inode_(inode.leak()) {
  (void)parent.leak();
}

Dentry::~Dentry() { DentryName::destroy(name_.load(std::memory_order_relaxed)); }

std::string_view Dentry::name() const { return name_.load(std::memory_order_acquire)->text(); }

void Dentry::last_unref() {
  Dentry* dead = this;
  while (dead) {
    Inode* inode = dead->inode();
    if (dead->unlinked() && inode && inode->watches) [[unlikely]] {
      KernelLock::Held held;
      auto* watches = static_cast<InodeWatches*>(inode->watches);
      if (watches && watches->doomed) watches->event(vfs::kIN_DELETE_SELF, 0, {});
    }
    Dentry* parent = dead->parent();
    // Readers that found it go on to look at its inode and parent, which epochs keep, too.
    retire(*dead);
    if (inode) inode->unref();
    dead = parent && dead->keeps_parent_ && parent->drop_reference() ? parent : nullptr;
  }
}

/// Lets go of dentries, parents and names when the cache's lock has been given up.
class DentryCache::Forgotten {
 public:
  Forgotten() = default;
  Forgotten(const Forgotten&) = delete;
  Forgotten& operator=(const Forgotten&) = delete;
  ~Forgotten() {
    for (usize i = 0; i < std::min(count_, kFew); ++i) let_go(few_[i]);
    for (const Entry& entry : more_) let_go(entry);
    for (usize i = 0; i < keys_; ++i) {
      parents_[i]->unref();
      retire(const_cast<DentryName&>(*names_[i]));
    }
  }
  /// The cache's reference; with `ended` it was the last and is gone already.
  void add(Dentry& dentry, bool ended) {
    if (count_++ < kFew) {
      few_[count_ - 1] = {&dentry, ended};
    } else {
      more_.push_back({&dentry, ended});
    }
  }
  /// What a rename replaces.
  void add_key(Dentry& dentry) {
    parents_[keys_] = dentry.parent();
    names_[keys_++] = dentry.name_.load(std::memory_order_relaxed);
  }

 private:
  static constexpr usize kFew = 4;
  struct Entry {
    Dentry* dentry;
    bool ended;
  };
  static void let_go(const Entry& entry) {
    if (entry.ended) {
      entry.dentry->last_unref();
    } else {
      entry.dentry->unref();
    }
  }

  Entry few_[kFew];
  std::vector<Entry> more_;
  usize count_ = 0;
  Dentry* parents_[2];
  const DentryName* names_[2];
  usize keys_ = 0;
};

Dentry* DentryCache::find(const Dentry& directory, std::string_view name) const {
  const u32 hash = hash_name(directory, name);
  for (Dentry* dentry = table_.first(hash); dentry; dentry = table_.next(*dentry)) {
    if (dentry->found_in_.load(std::memory_order_acquire) != &directory) continue;
    const DentryName* has = dentry->name_.load(std::memory_order_acquire);
    if (has->hash() != hash || has->text() != name) continue;
    // A rename that came between the two looks has made it match nothing first.
    if (dentry->found_in_.load(std::memory_order_acquire) != &directory) continue;
    if (!dentry->used_.load(std::memory_order_relaxed)) {
      dentry->used_.store(true, std::memory_order_relaxed);
    }
    return dentry;
  }
  return nullptr;
}

RefPtr<Dentry> DentryCache::find_held(const Dentry& directory, std::string_view name) const {
  Epoch::Reading reading;
  return RefPtr<Dentry>::try_take(find(directory, name));
}

Result<RefPtr<Dentry>> DentryCache::lookup_unlocked(Task& task, Dentry& directory,
                                                    std::string_view name) {
  SleepLock::Held held;
  TRY(held.lock_killable(task, directory.inode()->entries_lock));
  return lookup(directory, name);
}

Result<RefPtr<Dentry>> DentryCache::lookup(Dentry& directory, std::string_view name) {
  Inode& inode = *directory.inode();
  KernelLock::HeldFor guard(inode.locking());
  const bool stable = inode.filesystem().dentries_are_stable();
  RefPtr<Dentry> cached = find_held(directory, name);
  if (cached && (stable || (cached->inode() && cached->inode()->still_named(inode, name))))
    return cached;
  if (directory.unlinked()) return Errno::kENOENT;

  auto found = inode.lookup(name);
  if (!found.ok() && !found.is(Errno::kENOENT)) return found.error();
  RefPtr<Inode> child = found.ok() ? std::move(found).value() : nullptr;
  if (cached) {
    if (cached->inode() == child.get()) return cached;
    if (cached->is_negative()) {
      instantiate(*cached, std::move(child));
      return cached;
    }
    cached->unlinked_.store(true, std::memory_order_release);
    forget(*cached);
  }
  auto dentry = make_ref<Dentry>(RefPtr<Dentry>(directory), name, std::move(child));
  if (directory.unlinked()) return dentry;
  Forgotten forgotten;
  Lock::Held held(lock_);
  insert(*dentry, forgotten);
  return dentry;
}

void DentryCache::instantiate(Dentry& negative, RefPtr<Inode> inode) {
  LXSS_ASSERT(negative.is_negative());
  negative.inode_.store(inode.leak(), std::memory_order_release);
}

void DentryCache::remove(Dentry& dentry) {
  // The next to ask for the name finds that it does not exist, without asking the file system.
  RefPtr<Dentry> negative;
  if (Dentry* directory = dentry.parent(); directory && !directory->unlinked()) {
    negative = make_ref<Dentry>(RefPtr<Dentry>(directory), dentry.name(), nullptr);
  }
  Forgotten forgotten;
  Lock::Held held(lock_);
  prune(dentry, forgotten);
  dentry.unlinked_.store(true, std::memory_order_release);
  const bool known = dentry.hashed_;
  unhash(dentry, forgotten);
  if (known && negative) insert(*negative, forgotten);
}

void DentryCache::forget(Dentry& dentry) {
  Forgotten forgotten;
  Lock::Held held(lock_);
  unhash(dentry, forgotten);
}

/// Gives a dentry that is in no table another place.
void DentryCache::rekey(Dentry& dentry, Dentry& directory, std::string_view name,
                        Forgotten& forgotten) {
  forgotten.add_key(dentry);
  directory.ref();
  dentry.name_.store(DentryName::make(&directory, name), std::memory_order_release);
  dentry.parent_.store(&directory, std::memory_order_release);
}

void DentryCache::move(Dentry& dentry, Dentry& new_directory, std::string_view new_name) {
  RefPtr<Dentry> replaced = find_held(new_directory, new_name);
  if (replaced == &dentry) replaced = nullptr;
  Forgotten forgotten;
  Lock::Held held(lock_);
  renames_.fetch_add(1, std::memory_order_acq_rel);
  if (replaced) {
    prune(*replaced, forgotten);
    if (!replaced->is_negative()) replaced->unlinked_.store(true, std::memory_order_release);
    unhash(*replaced, forgotten);
  }
  if (!dentry.hashed_) dentry.ref();
  take_out(dentry);
  rekey(dentry, new_directory, new_name, forgotten);
  put_in(dentry);
  renames_.fetch_add(1, std::memory_order_acq_rel);
}

void DentryCache::exchange(Dentry& a, Dentry& b) {
  RefPtr<Dentry> directory_a(a.parent()), directory_b(b.parent());
  const std::string name_a(a.name()), name_b(b.name());
  Forgotten forgotten;
  Lock::Held held(lock_);
  renames_.fetch_add(1, std::memory_order_acq_rel);
  for (Dentry* each : {&a, &b}) {
    if (!each->hashed_) each->ref();
    take_out(*each);
  }
  rekey(a, *directory_b, name_b, forgotten);
  rekey(b, *directory_a, name_a, forgotten);
  put_in(a);
  put_in(b);
  renames_.fetch_add(1, std::memory_order_acq_rel);
}

RefPtr<Dentry> DentryCache::unnamed(Dentry& directory, std::string_view shown,
                                    RefPtr<Inode> inode) {
  auto dentry = make_ref<Dentry>(RefPtr<Dentry>(directory), shown, std::move(inode));
  dentry->unlinked_.store(true, std::memory_order_release);
  return dentry;
}

void DentryCache::prune(Dentry& directory) {
  Forgotten forgotten;
  Lock::Held held(lock_);
  prune(directory, forgotten);
}

void DentryCache::prune(Dentry& directory, Forgotten& forgotten) {
  if (directory.children_.empty()) return;
  // Directories first found are looked at last: a child that lost its children can go too.
  std::vector<Dentry*> directories{&directory};
  for (usize i = 0; i < directories.size(); ++i) {
    for (Dentry& child : directories[i]->children_) {
      if (!child.children_.empty()) directories.push_back(&child);
    }
  }
  for (; !directories.empty(); directories.pop_back()) {
    for (Dentry& child : directories.back()->children_) {
      if (!unhash_unused(child, forgotten)) continue;
      // At once, so that the directory can go in its turn. The cache or the caller holds it.
      child.keeps_parent_ = false;
      LXSS_ASSERT(!directories.back()->drop_reference());
    }
  }
}

void DentryCache::put_in(Dentry& dentry) {
  Dentry* directory = dentry.parent();
  LXSS_ASSERT(!dentry.hashed_ && directory);
  dentry.hashed_ = true;
  dentry.used_.store(false, std::memory_order_relaxed);
  cached_.push_back(dentry);
  ++cached_count_;
  directory->children_.push_back(dentry);
  dentry.found_in_.store(directory, std::memory_order_release);
  table_.insert(dentry.name_.load(std::memory_order_relaxed)->hash(), dentry);
}

void DentryCache::take_out(Dentry& dentry) {
  if (!dentry.hashed_) return;
  dentry.hashed_ = false;
  dentry.found_in_.store(nullptr, std::memory_order_release);
  table_.remove(dentry.name_.load(std::memory_order_relaxed)->hash(), dentry);
  dentry.ListNode<DentryLruTag>::unlink();
  dentry.ListNode<DentrySiblingTag>::unlink();
  --cached_count_;
}

void DentryCache::insert(Dentry& dentry, Forgotten& forgotten) {
  dentry.ref();
  put_in(dentry);
  if (cached_count_ > kMaxUnused) shrink(forgotten);
}

void DentryCache::unhash(Dentry& dentry, Forgotten& forgotten) {
  if (!dentry.hashed_) return;
  take_out(dentry);
  forgotten.add(dentry, false);
}

bool DentryCache::unhash_unused(Dentry& dentry, Forgotten& forgotten) {
  // A walk that finds it from here on gets no reference, and looks again under the entries_lock.
  if (!dentry.drop_only_reference()) return false;
  take_out(dentry);
  forgotten.add(dentry, true);
  return true;
}

void DentryCache::shrink(Forgotten& forgotten) {
  // One came in, one may go; what is in use or was used gets another round.
  constexpr int kTries = 16;
  for (int tried = 0; tried < kTries && cached_count_ > kMaxUnused; ++tried) {
    Dentry& oldest = cached_.front();
    if (!oldest.used_.load(std::memory_order_relaxed) && unhash_unused(oldest, forgotten)) continue;
    oldest.used_.store(false, std::memory_order_relaxed);
    oldest.ListNode<DentryLruTag>::unlink();
    cached_.push_back(oldest);
  }
}

}  // namespace lxss
