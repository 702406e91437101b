// Inodes of tmpfs: attributes, extended attributes, links.
#include "fs/tmpfs/tmpfs.h"
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
      target_(what.symlink_target) {
  filesystem.inodes_ += 1;
  accessed_ = modified_ = changed_ = created_ = vfs::now();
  if (is_regular()) contents_ = std::make_unique<Contents>(filesystem.quota());
  if (is_directory()) parent_ = this;
}

TmpInode::~TmpInode() {
  TmpFileSystem& of = tmpfs();
  of.inodes_ -= 1;
  if (of.root_ == this) of.root_ = nullptr;
  names_.clear();
  for (auto& [position, entry] : entries_) of.dying_.push_back(std::move(entry.inode));
  entries_.clear();
  if (of.burying_) return;
  of.burying_ = true;
  while (!of.dying_.empty()) {
    RefPtr<TmpInode> dying = std::move(of.dying_.back());
    of.dying_.pop_back();
  }
  of.burying_ = false;
}

Result<Attributes> TmpInode::attributes() {
  Attributes result;
  result.number = number();
  result.mode = mode();
  result.links = links_;
  result.uid = uid();
  result.gid = gid();
  result.rdev = rdev();
  if (contents_) {
    if (mapped) contents_->recount();
    result.size = contents_->size();
    result.blocks = contents_->pages() * (kPageSize / 512);
  } else if (is_directory()) {
    // As Linux's tmpfs has it.
    constexpr u64 kEntrySize = 20;
    result.size = (entries_.size() + 2) * kEntrySize;
  } else {
    result.size = target_.size();
  }
  result.accessed = accessed_;
  result.modified = modified_;
  result.changed = changed_;
  result.created = created_;
  return result;
}

Result<> TmpInode::set_attributes(const AttributeChange& change) {
  if (change.size) {
    if (!contents_) return is_directory() ? Errno::kEISDIR : Errno::kEINVAL;
    const u64 old = contents_->size();
    if (*change.size < old && seals.has(abi::SealFlag::kF_SEAL_SHRINK)) return Errno::kEPERM;
    if (*change.size > old && seals.has(abi::SealFlag::kF_SEAL_GROW)) return Errno::kEPERM;
    TRY(contents_->resize(*change.size));
    modified_ = vfs::now();
  }
  if (change.permissions) set_mode(type() | *change.permissions);
  set_owner(change.uid.value_or(uid()), change.gid.value_or(gid()));
  if (change.accessed) accessed_ = vfs::resolve_time(*change.accessed);
  if (change.modified) modified_ = vfs::resolve_time(*change.modified);
  changed_ = vfs::now();
  return {};
}

void TmpInode::accessed(const File& through) {
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
  constexpr u32 kReadsPerLook = 256;
  if (!flags.has(MountFlag::kMS_STRICTATIME) && later(accessed_, modified_) &&
      later(accessed_, changed_) &&
      (++reads_ % kReadsPerLook != 0 || accessed_.tv_sec + kDay > vfs::now().tv_sec)) {
    return;
  }
  accessed_ = vfs::now();
}

void TmpInode::modified() { modified_ = changed_ = vfs::now(); }

void TmpInode::drop_link() {
  links_ -= 1;
  changed_ = vfs::now();
}

Result<std::string> TmpInode::read_link() {
  if (!is_symlink()) return Errno::kEINVAL;
  return target_;
}

Result<std::string> TmpInode::get_xattr(std::string_view name) {
  auto at = xattrs_.find(name);
  if (at == xattrs_.end()) return Errno::kENODATA;
  return at->second;
}

Result<> TmpInode::set_xattr(std::string_view name, std::string_view value, abi::XattrFlags flags) {
  if (!name.starts_with("user.") && !name.starts_with("trusted.") &&
      !name.starts_with("security.")) {
    return Errno::kEOPNOTSUPP;
  }
  auto at = xattrs_.find(name);
  if (at != xattrs_.end()) {
    if (flags.has(abi::XattrFlag::kXATTR_CREATE)) return Errno::kEEXIST;
    at->second = value;
  } else {
    if (flags.has(abi::XattrFlag::kXATTR_REPLACE)) return Errno::kENODATA;
    if (xattrs_.size() >= kMaxXattrs) return Errno::kENOSPC;
    xattrs_.emplace(name, value);
  }
  changed_ = vfs::now();
  return {};
}

Result<> TmpInode::remove_xattr(std::string_view name) {
  auto at = xattrs_.find(name);
  if (at == xattrs_.end()) return Errno::kENODATA;
  xattrs_.erase(at);
  changed_ = vfs::now();
  return {};
}

Result<std::string> TmpInode::list_xattrs() {
  std::string names;
  for (const auto& [name, value] : xattrs_) {
    names += name;
    names += '\0';
  }
  return names;
}

}  // namespace lxss::tmpfs
