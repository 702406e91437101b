// Directories of tmpfs.
#include "fs/tmpfs/tmpfs.h"
#include "lxcore/vfs/clock.h"

namespace lxss::tmpfs {

namespace {
constexpr u32 kMaxLinks = 1'000'000;
}

TmpInode::Entry* TmpInode::find(std::string_view name) {
  auto at = names_.find(name);
  return at == names_.end() ? nullptr : at->second;
}

Result<> TmpInode::add(std::string_view name, TmpInode& inode) {
  const u64 position = next_position_++;
  Entry& entry =
      entries_.emplace(position, Entry{std::string(name), RefPtr<TmpInode>(inode), position})
          .first->second;
  names_[entry.name] = &entry;
  if (inode.is_directory()) {
    inode.parent_ = this;
    links_ += 1;
  }
  modified();
  return {};
}

void TmpInode::remove(std::string_view name) {
  auto at = names_.find(name);
  LXSS_ASSERT(at != names_.end());
  const u64 position = at->second->position;
  if (at->second->inode->is_directory()) links_ -= 1;
  names_.erase(at);
  entries_.erase(position);
  modified();
}

Result<RefPtr<Inode>> TmpInode::lookup(std::string_view name) {
  Entry* entry = find(name);
  if (!entry) return Errno::kENOENT;
  return RefPtr<Inode>(entry->inode);
}

Result<RefPtr<Inode>> TmpInode::create(std::string_view name, const NewInode& what) {
  if (find(name)) return Errno::kEEXIST;
  RefPtr<TmpInode> inode = TRY(tmpfs().new_inode(what));
  TRY(add(name, *inode));
  return RefPtr<Inode>(std::move(inode));
}

Result<RefPtr<Inode>> TmpInode::create_unnamed(const NewInode& what) {
  RefPtr<TmpInode> inode = TRY(tmpfs().new_inode(what));
  inode->links_ = 0;
  inode->linkable = true;
  return RefPtr<Inode>(std::move(inode));
}

Result<> TmpInode::link(std::string_view name, Inode& target) {
  auto& inode = static_cast<TmpInode&>(target);
  if (find(name)) return Errno::kEEXIST;
  if (inode.links_ == 0 && !inode.linkable) return Errno::kENOENT;
  if (inode.links_ >= kMaxLinks) return Errno::kEMLINK;
  TRY(add(name, inode));
  inode.links_ += 1;
  inode.linkable = false;
  inode.changed_ = modified_;
  return {};
}

Result<> TmpInode::unlink(std::string_view name, Inode& victim) {
  auto& inode = static_cast<TmpInode&>(victim);
  remove(name);
  inode.drop_link();
  return {};
}

Result<> TmpInode::remove_directory(std::string_view name, Inode& victim) {
  auto& inode = static_cast<TmpInode&>(victim);
  if (!inode.entries_.empty()) return Errno::kENOTEMPTY;
  remove(name);
  inode.links_ = 0;
  inode.changed_ = vfs::now();
  return {};
}

Result<> TmpInode::rename(std::string_view name, Inode& moved, Inode& new_directory,
                          std::string_view new_name, Inode* replaced, abi::RenameFlags flags) {
  auto& source = static_cast<TmpInode&>(moved);
  auto& to = static_cast<TmpInode&>(new_directory);
  auto* target = static_cast<TmpInode*>(replaced);
  RefPtr<TmpInode> kept_source(source), kept_target(target);
  const bool exchange = flags.has(abi::RenameFlag::kRENAME_EXCHANGE);
  if (target) {
    if (!exchange && target->is_directory()) {
      TRY(to.remove_directory(new_name, *target));
    } else if (!exchange) {
      TRY(to.unlink(new_name, *target));
    } else {
      to.remove(new_name);
    }
  }
  remove(name);
  TRY(to.add(new_name, source));
  if (exchange) {
    TRY(add(name, *target));
    target->changed_ = vfs::now();
  }
  source.changed_ = vfs::now();
  return {};
}

void TmpInode::list(u64 offset, DirectorySink& sink) {
  constexpr u8 kDirectoryType = abi::kDT_DIR;
  if (offset == 0 && !sink.add(".", number(), kDirectoryType, 1)) return;
  if (offset <= 1 && !sink.add("..", parent_->number(), kDirectoryType, 2)) return;
  for (auto at = entries_.lower_bound(offset); at != entries_.end(); ++at) {
    const Entry& entry = at->second;
    const u8 type = static_cast<u8>(entry.inode->type() >> 12);
    if (!sink.add(entry.name, entry.inode->number(), type, entry.position + 1)) return;
  }
}

}  // namespace lxss::tmpfs
