// Inodes of tmpfs: attributes, extended attributes, links.
#include "fs/tmpfs/tmpfs.h"
#include "lxcore/task/process.h"
#include "lxcore/vfs/clock.h"

namespace lxss::tmpfs {

namespace {

bool later(const abi::Timespec& a, const abi::Timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/// All extended attributes of one inode.
constexpr usize kMaxXattrs = 512;

}  // namespace

TmpInode::TmpInode(TmpFileSystem& filesystem, u64 number, const NewInode& what)
    : Inode(filesystem, number, what.mode, what.uid, what.gid, what.rdev),
      links_(abi::is_directory(what.mode) ? 2 : 1),
      created_(vfs::now()),
      contents_(is_regular() ? std::make_unique<Contents>(filesystem.quota()) : nullptr),
      target_(what.symlink_target),
      parent_number_(number) {
  accessed_ = modified_ = changed_ = created_;
}

void TmpInode::released() {
  contents_ = nullptr;
  TmpFileSystem& of = tmpfs();
  of.inodes_.fetch_sub(1, std::memory_order_relaxed);
  TmpInode* self = this;
  of.root_.compare_exchange_strong(self, nullptr);
  std::map<u64, Entry> entries;
  {
    Lock::Held held(lock_);
    names_.clear();
    std::swap(entries, entries_);
  }
  if (entries.empty()) return;
  {
    Lock::Held held(of.burial_);
    for (auto& [position, entry] : entries) of.dying_.push_back(std::move(entry.inode));
    if (of.burying_) return;
    of.burying_ = true;
  }
  for (;;) {
    RefPtr<TmpInode> dying;
    Lock::Held held(of.burial_);
    if (of.dying_.empty()) {
      of.burying_ = false;
      break;
    }
    dying = std::move(of.dying_.back());
    of.dying_.pop_back();
  }
}

void TmpInode::set_unnamed() {
  Lock::Held held(lock_);
  links_ = 0;
}

Result<Attributes> TmpInode::attributes() {
  Attributes result;
  result.number = number();
  result.rdev = rdev();
  if (contents_) {
    if (mapped) contents_->recount();
    result.size = contents_->size();
    result.blocks = contents_->pages() * (kPageSize / 512);
  } else {
    result.size = target_.size();
  }
  result.created = created_;
  const InodeOwner who = owner();
  result.mode = who.mode;
  result.uid = who.uid;
  result.gid = who.gid;
  Lock::Held held(lock_);
  result.links = links_;
  if (is_directory()) {
    // As Linux's tmpfs has it.
    constexpr u64 kEntrySize = 20;
    result.size = (entries_.size() + 2) * kEntrySize;
  }
  result.accessed = accessed_;
  result.modified = modified_;
  result.changed = changed_;
  return result;
}

Result<> TmpInode::set_attributes(const AttributeChange& change) {
  if (change.size) {
    if (!contents_) return is_directory() ? Errno::kEISDIR : Errno::kEINVAL;
    SleepLock::Held held;
    TRY(held.lock_killable(Task::current(), change_lock));
    const u64 old = contents_->size();
    if (*change.size < old && seals().has(abi::SealFlag::kF_SEAL_SHRINK)) return Errno::kEPERM;
    if (*change.size > old && seals().has(abi::SealFlag::kF_SEAL_GROW)) return Errno::kEPERM;
    TRY(contents_->resize(*change.size));
  }
  const abi::Timespec now = vfs::now();
  if (change.permissions) set_mode(type() | *change.permissions);
  if (change.uid || change.gid) set_owner(change.uid.value_or(uid()), change.gid.value_or(gid()));
  Lock::Held held(lock_);
  if (change.size) modified_ = now;
  if (change.accessed) accessed_ = vfs::resolve_time(*change.accessed);
  if (change.modified) modified_ = vfs::resolve_time(*change.modified);
  changed_ = now;
  access_noted_.store(false, std::memory_order_relaxed);
  return {};
}

void TmpInode::accessed(const TmpFile& through) {
  using abi::MountFlag;
  const abi::MountFlags flags = through.path().mount->flags();
  if (through.flags().has(abi::OpenFlag::kO_NOATIME) || flags.has(MountFlag::kMS_NOATIME) ||
      flags.has(MountFlag::kMS_RDONLY) ||
      (is_directory() && flags.has(MountFlag::kMS_NODIRATIME))) {
    return;
  }
  // relatime: only what tells that something was read since it was changed, or today. The clock
  // costs more than a short read, so it is asked now and then.
  constexpr i64 kDay = 24 * 60 * 60;
  const bool relative = !flags.has(MountFlag::kMS_STRICTATIME);
  if (relative && access_noted_.load(std::memory_order_relaxed) &&
      !const_cast<TmpFile&>(through).looks_at_clock()) {
    return;
  }
  const abi::Timespec now = vfs::now();
  Lock::Held held(lock_);
  const bool noted = later(accessed_, modified_) && later(accessed_, changed_);
  if (!relative || !noted || accessed_.tv_sec + kDay <= now.tv_sec) accessed_ = now;
  access_noted_.store(later(accessed_, modified_) && later(accessed_, changed_),
                      std::memory_order_relaxed);
}

void TmpInode::set_modified(const abi::Timespec& time) {
  modified_ = changed_ = time;
  access_noted_.store(false, std::memory_order_relaxed);
}

void TmpInode::modified() {
  const abi::Timespec now = vfs::now();
  Lock::Held held(lock_);
  set_modified(now);
}

void TmpInode::drop_link() {
  const abi::Timespec now = vfs::now();
  Lock::Held held(lock_);
  links_ -= 1;
  changed_ = now;
}

Result<std::string> TmpInode::read_link() {
  if (!is_symlink()) return Errno::kEINVAL;
  return target_;
}

Result<std::string> TmpInode::get_xattr(std::string_view name) {
  RefPtr<Value> value;
  {
    Lock::Held held(lock_);
    auto at = xattrs_.find(name);
    if (at == xattrs_.end()) return Errno::kENODATA;
    value = at->second;
  }
  return value->text;
}

Result<> TmpInode::set_xattr(std::string_view name, std::string_view text, abi::XattrFlags flags) {
  if (!name.starts_with("user.") && !name.starts_with("trusted.") &&
      !name.starts_with("security.")) {
    return Errno::kEOPNOTSUPP;
  }
  // Let go without the lock, as what it replaces.
  RefPtr<Value> value = make_ref<Value>(text);
  const abi::Timespec now = vfs::now();
  Lock::Held held(lock_);
  auto at = xattrs_.find(name);
  if (at != xattrs_.end()) {
    if (flags.has(abi::XattrFlag::kXATTR_CREATE)) return Errno::kEEXIST;
    std::swap(at->second, value);
  } else {
    if (flags.has(abi::XattrFlag::kXATTR_REPLACE)) return Errno::kENODATA;
    if (xattrs_.size() >= kMaxXattrs) return Errno::kENOSPC;
    xattrs_.emplace(name, value);
  }
  changed_ = now;
  return {};
}

Result<> TmpInode::remove_xattr(std::string_view name) {
  RefPtr<Value> value;
  const abi::Timespec now = vfs::now();
  Lock::Held held(lock_);
  auto at = xattrs_.find(name);
  if (at == xattrs_.end()) return Errno::kENODATA;
  value = std::move(at->second);
  xattrs_.erase(at);
  changed_ = now;
  return {};
}

Result<std::string> TmpInode::list_xattrs() {
  constexpr usize kRoom = 512;
  std::string names;
  for (usize room = kRoom;;) {
    names.reserve(room);
    Lock::Held held(lock_);
    usize size = 0;
    for (const auto& [name, value] : xattrs_) size += name.size() + 1;
    if (size > names.capacity()) {
      room = size;
      continue;
    }
    for (const auto& [name, value] : xattrs_) {
      names += name;
      names += '\0';
    }
    return names;
  }
}

}  // namespace lxss::tmpfs
