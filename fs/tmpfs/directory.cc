// Directories of tmpfs.
#include "fs/tmpfs/tmpfs.h"
#include "lxcore/vfs/clock.h"

namespace lxss::tmpfs {

namespace {
constexpr u32 kMaxLinks = 1'000'000;
}

/// A part of a listing, copied under the lock and told without it.
class TmpInode::Batch {
 public:
  struct Item {
    u64 position, number;
    u16 name_size;
    u8 type;
  };

  bool add(const Entry& entry) {
    if (count_ == kMostItems || entry.name.size() > sizeof names_ - used_) return false;
    items_[count_++] = {entry.position, entry.inode->number(), static_cast<u16>(entry.name.size()),
                        static_cast<u8>(entry.inode->type() >> 12)};
    std::copy(entry.name.begin(), entry.name.end(), names_ + used_);
    used_ += entry.name.size();
    return true;
  }
  bool empty() const { return count_ == 0; }
  /// The position behind the last one told; nothing when the sink takes no more.
  std::optional<u64> tell(DirectorySink& sink) const {
    const char* name = names_;
    for (usize i = 0; i < count_; ++i) {
      const Item& item = items_[i];
      if (!sink.add({name, item.name_size}, item.number, item.type, item.position + 1)) return {};
      name += item.name_size;
    }
    return items_[count_ - 1].position + 1;
  }

 private:
  static constexpr usize kMostItems = 64;
  usize count_ = 0, used_ = 0;
  Item items_[kMostItems];
  char names_[2048];
};

TmpInode::Entry* TmpInode::find(std::string_view name) {
  auto at = names_.find(name);
  return at == names_.end() ? nullptr : at->second;
}

Result<RefPtr<TmpInode>> TmpInode::put(std::string name, TmpInode& inode) {
  if (links_ == 0) return Errno::kENOENT;
  RefPtr<TmpInode> replaced(inode);
  Entry* entry = find(name);
  if (entry) {
    std::swap(entry->inode, replaced);
    if (replaced->is_directory()) links_ -= 1;
  } else {
    const u64 position = next_position_++;
    auto added = entries_.emplace(position, Entry{std::move(name), std::move(replaced), position});
    entry = &added.first->second;
    names_.emplace(entry->name, entry);
  }
  if (inode.is_directory()) {
    inode.parent_number_.store(number(), std::memory_order_relaxed);
    links_ += 1;
  }
  return replaced;
}

RefPtr<TmpInode> TmpInode::take(std::string_view name) {
  auto at = names_.find(name);
  LXSS_ASSERT(at != names_.end());
  const u64 position = at->second->position;
  RefPtr<TmpInode> taken = std::move(at->second->inode);
  if (taken->is_directory()) links_ -= 1;
  names_.erase(at);
  entries_.erase(position);
  return taken;
}

Result<RefPtr<Inode>> TmpInode::lookup(std::string_view name) {
  Lock::Held held(lock_);
  Entry* entry = find(name);
  if (!entry) return Errno::kENOENT;
  return RefPtr<Inode>(entry->inode);
}

Result<RefPtr<Inode>> TmpInode::create(std::string_view name, const NewInode& what) {
  {
    Lock::Held held(lock_);
    if (find(name)) return Errno::kEEXIST;
  }
  RefPtr<TmpInode> inode = TRY(tmpfs().new_inode(what));
  Lock::Held held(lock_);
  TRY(put(std::string(name), *inode));
  set_modified(inode->created_);
  return RefPtr<Inode>(inode);
}

Result<RefPtr<Inode>> TmpInode::create_unnamed(const NewInode& what) {
  RefPtr<TmpInode> inode = TRY(tmpfs().new_inode(what));
  Lock::Held held(inode->lock_);
  inode->links_ = 0;
  inode->linkable_ = true;
  return RefPtr<Inode>(inode);
}

Result<> TmpInode::link(std::string_view name, Inode& target) {
  auto& inode = static_cast<TmpInode&>(target);
  const abi::Timespec now = vfs::now();
  {
    Lock::Held held(lock_);
    if (find(name)) return Errno::kEEXIST;
    if (links_ == 0) return Errno::kENOENT;
  }
  {
    // First: as long as it counts the new name it is not taken for one without a name.
    Lock::Held held(inode.lock_);
    if (inode.links_ == 0 && !inode.linkable_) return Errno::kENOENT;
    if (inode.links_ >= kMaxLinks) return Errno::kEMLINK;
    inode.links_ += 1;
    inode.linkable_ = false;
    inode.changed_ = now;
  }
  Result<RefPtr<TmpInode>> put_there = RefPtr<TmpInode>();
  {
    Lock::Held held(lock_);
    put_there = put(std::string(name), inode);
    if (put_there.ok()) {
      set_modified(now);
      return {};
    }
  }
  inode.drop_link();
  return put_there.error();
}

Result<> TmpInode::unlink(std::string_view name, Inode& victim) {
  auto& inode = static_cast<TmpInode&>(victim);
  const abi::Timespec now = vfs::now();
  {
    RefPtr<TmpInode> taken;
    Lock::Held held(lock_);
    taken = take(name);
    set_modified(now);
  }
  inode.drop_link();
  return {};
}

Result<> TmpInode::close_directory() {
  const abi::Timespec now = vfs::now();
  Lock::Held held(lock_);
  if (!entries_.empty()) return Errno::kENOTEMPTY;
  links_ = 0;
  changed_ = now;
  return {};
}

Result<> TmpInode::remove_directory(std::string_view name, Inode& victim) {
  TRY(static_cast<TmpInode&>(victim).close_directory());
  const abi::Timespec now = vfs::now();
  RefPtr<TmpInode> taken;
  Lock::Held held(lock_);
  taken = take(name);
  set_modified(now);
  return {};
}

Result<> TmpInode::rename(std::string_view name, Inode& moved, Inode& new_directory,
                          std::string_view new_name, Inode* replaced, abi::RenameFlags flags) {
  auto& source = static_cast<TmpInode&>(moved);
  auto& to = static_cast<TmpInode&>(new_directory);
  auto* target = static_cast<TmpInode*>(replaced);
  const bool exchange = target && flags.has(abi::RenameFlag::kRENAME_EXCHANGE);
  if (target && !exchange && target->is_directory()) TRY(target->close_directory());
  // What is no longer in the directories goes when no lock is held.
  RefPtr<TmpInode> kept_source(source), kept_target(target);
  std::string put_name(new_name), old_name(name);
  const abi::Timespec now = vfs::now();
  {
    Lock::Held held(to.lock_);
    TRY(to.put(std::move(put_name), source));
    to.set_modified(now);
    // Within one directory both names change at once.
    if (&to == this && !exchange) to.take(name);
    if (&to == this && exchange) TRY(to.put(std::move(old_name), *target));
  }
  if (&to != this) {
    Lock::Held held(lock_);
    if (exchange) {
      TRY(put(std::move(old_name), *target));
    } else {
      take(name);
    }
    set_modified(now);
  }
  if (target && !exchange && !target->is_directory()) target->drop_link();
  for (TmpInode* inode : {&source, exchange ? target : nullptr}) {
    if (!inode) continue;
    Lock::Held held(inode->lock_);
    inode->changed_ = now;
  }
  return {};
}

void TmpInode::fill(Batch& batch, u64 offset) {
  Lock::Held held(lock_);
  for (auto at = entries_.lower_bound(offset); at != entries_.end(); ++at) {
    if (!batch.add(at->second)) return;
  }
}

void TmpInode::list(u64 offset, DirectorySink& sink) {
  constexpr u8 kDirectoryType = abi::kDT_DIR;
  if (offset == 0 && !sink.add(".", number(), kDirectoryType, 1)) return;
  if (offset <= 1) {
    const u64 parent = parent_number_.load(std::memory_order_relaxed);
    if (!sink.add("..", parent, kDirectoryType, 2)) return;
  }
  for (;;) {
    [[gnu::uninitialized]] Batch batch;
    fill(batch, offset);
    if (batch.empty()) return;
    auto next = batch.tell(sink);
    if (!next) return;
    offset = *next;
  }
}

}  // namespace lxss::tmpfs
