#include "lxcore/vfs/dentry.h"

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

void Dentry::last_unref() {
  KernelLock::Held held;
  if (unlinked_ && inode_ && inode_->watches) [[unlikely]] {
    auto* watches = static_cast<InodeWatches*>(inode_->watches);
    if (watches->doomed) watches->event(vfs::kIN_DELETE_SELF, 0, {});
  }
  DentryCache& cache = kernel().dentries;
  next_dead_ = cache.dead_;
  cache.dead_ = this;
  if (cache.burying_) return;
  // Deleting one may drop the last reference to its parent, which then joins the list.
  cache.burying_ = true;
  while (Dentry* dead = cache.dead_) {
    cache.dead_ = dead->next_dead_;
    delete dead;
  }
  cache.burying_ = false;
}

Dentry* DentryCache::find(Dentry& directory, std::string_view name) {
  const u32 hash = hash_name(directory, name);
  for (Dentry& dentry : bucket(hash)) {
    if (dentry.hash_ == hash && dentry.parent() == &directory && dentry.name() == name) {
      dentry.used_ = true;
      return &dentry;
    }
  }
  return nullptr;
}

Result<RefPtr<Dentry>> DentryCache::lookup(Dentry& directory, std::string_view name) {
  Inode& inode = *directory.inode();
  const bool stable = inode.filesystem().dentries_are_stable();
  RefPtr<Dentry> cached = find(directory, name);
  if (cached && (stable || (cached->inode() && cached->inode()->still_named(inode, name))))
    return cached;
  if (directory.unlinked()) return Errno::kENOENT;

  auto found = inode.lookup(name);
  if (!found.ok() && !found.is(Errno::kENOENT)) return found.error();
  RefPtr<Inode> child = found.ok() ? std::move(found).value() : nullptr;
  // The lookup may have given up the lock: somebody else may have been faster.
  cached = find(directory, name);
  if (cached) {
    if (cached->inode() == child.get() || stable) return cached;
    if (cached->is_negative()) {
      instantiate(*cached, std::move(child));
      return cached;
    }
    cached->unlinked_ = true;
    unhash(*cached);
  }
  auto dentry = make_ref<Dentry>(RefPtr<Dentry>(directory), name, std::move(child));
  if (directory.unlinked()) return dentry;
  insert(*dentry);
  return dentry;
}

void DentryCache::instantiate(Dentry& negative, RefPtr<Inode> inode) {
  LXSS_ASSERT(negative.is_negative());
  negative.inode_ = std::move(inode);
  negative.unlinked_ = false;
}

void DentryCache::remove(Dentry& dentry) {
  RefPtr<Dentry> kept(dentry);
  prune(dentry);
  // Only the cache, the caller and this function know it: it goes on as a negative dentry.
  if (dentry.hashed_ && dentry.reference_count() <= 3 && dentry.mount_count == 0) {
    dentry.inode_ = nullptr;
    return;
  }
  unhash(dentry);
  dentry.unlinked_ = true;
}

void DentryCache::move(Dentry& dentry, Dentry& new_directory, std::string_view new_name) {
  RefPtr<Dentry> kept(dentry);
  if (Dentry* replaced = find(new_directory, new_name); replaced && replaced != &dentry) {
    RefPtr<Dentry> gone(replaced);
    prune(*replaced);
    unhash(*replaced);
    if (!replaced->is_negative()) replaced->unlinked_ = true;
  }
  unhash(dentry);
  dentry.parent_ = RefPtr<Dentry>(new_directory);
  dentry.name_ = new_name;
  insert(dentry);
}

void DentryCache::exchange(Dentry& a, Dentry& b) {
  RefPtr<Dentry> kept_a(a), kept_b(b);
  unhash(a);
  unhash(b);
  std::swap(a.parent_, b.parent_);
  std::swap(a.name_, b.name_);
  insert(a);
  insert(b);
}

RefPtr<Dentry> DentryCache::unnamed(Dentry& directory, std::string_view shown,
                                    RefPtr<Inode> inode) {
  auto dentry = make_ref<Dentry>(RefPtr<Dentry>(directory), shown, std::move(inode));
  dentry->unlinked_ = true;
  return dentry;
}

void DentryCache::prune(Dentry& directory) {
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
      if (child.reference_count() == 1) unhash(child);
    }
  }
}

void DentryCache::insert(Dentry& dentry) {
  LXSS_ASSERT(!dentry.hashed_ && dentry.parent());
  dentry.hash_ = hash_name(*dentry.parent(), dentry.name());
  dentry.hashed_ = true;
  dentry.used_ = false;
  dentry.ref();
  bucket(dentry.hash_).push_front(dentry);
  cached_.push_back(dentry);
  dentry.parent()->children_.push_back(dentry);
  if (++cached_count_ > kMaxUnused) shrink();
}

void DentryCache::unhash(Dentry& dentry) {
  if (!dentry.hashed_) return;
  dentry.hashed_ = false;
  dentry.ListNode<DentryHashTag>::unlink();
  dentry.ListNode<DentryLruTag>::unlink();
  dentry.ListNode<DentrySiblingTag>::unlink();
  --cached_count_;
  dentry.unref();
}

void DentryCache::shrink() {
  // One came in, one may go; what is in use or was used gets another round.
  constexpr int kTries = 16;
  for (int tried = 0; tried < kTries && cached_count_ > kMaxUnused; ++tried) {
    Dentry& oldest = cached_.front();
    if (oldest.reference_count() == 1 && !oldest.used_) {
      unhash(oldest);
      continue;
    }
    oldest.used_ = false;
    oldest.ListNode<DentryLruTag>::unlink();
    cached_.push_back(oldest);
  }
}

}  // namespace lxss
