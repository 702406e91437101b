// Attributes, extended attributes and symbolic links of VolFs.
#include <algorithm>

#include "fs/volfs/volume.h"
#include "lxcore/sync/kernel_lock.h"

namespace lxss::volfs {

VolInode::Known VolInode::known_of(const abi::Stat& status, u32 touches) {
  return {static_cast<u64>(status.st_size),
          static_cast<u64>(status.st_blocks),
          static_cast<u32>(status.st_blksize),
          static_cast<u32>(status.st_nlink),
          status.st_atim,
          status.st_mtim,
          status.st_ctim,
          touches};
}

VolInode::VolInode(Volume& volume, const InodeRecord& record, const abi::Stat& status)
    : HostInode(volume, status, status.st_ino, record.mode, record.uid, record.gid,
                abi::make_dev(record.rdev_major, record.rdev_minor)),
      known_(known_of(status, 0)),
      known_at_(0) {}

void VolInode::released() {
  if (is_unsynced()) {
    Lock::Held held(volume().unsynced_lock_);
    volume().take_unsynced(*this);
    if (has_name()) volume().unsynced_forgotten_ = true;
  }
  HostInode::released();
}

void VolInode::set_unsynced() {
  Lock::Held held(volume().unsynced_lock_);
  if (is_unsynced()) return;
  volume().unsynced_.push_back(*this);
  ++volume().unsynced_count_;
  is_unsynced_.store(true, std::memory_order_release);
}

void VolInode::set_synced() {
  if (!is_unsynced()) return;
  Lock::Held held(volume().unsynced_lock_);
  volume().take_unsynced(*this);
}

VolInode::Known VolInode::known() const {
  Known result;
  if (known_.read(result)) return result;
  Lock::Held held(lock_);
  return known_.get();
}

void VolInode::fill(const Known& known, Attributes& attributes) const {
  const InodeOwner who = owner();
  attributes.number = number();
  attributes.mode = who.mode;
  attributes.links = known.links;
  attributes.uid = who.uid;
  attributes.gid = who.gid;
  attributes.rdev = rdev();
  attributes.size = known.size;
  attributes.blocks = known.blocks;
  attributes.block_size = known.block_size;
  attributes.accessed = known.accessed;
  attributes.modified = known.modified;
  attributes.changed = known.changed;
}

bool VolInode::cached_attributes(Attributes& attributes) const {
  if (mapped_writable_.load(std::memory_order_relaxed)) return false;
  Known now;
  if (!known_.read(now) || now.touches != touches_.load(std::memory_order_acquire)) return false;
  fill(now, attributes);
  return true;
}

/// ENOENT if it has neither a descriptor nor a name.
Result<abi::Stat> VolInode::host_status() {
  constexpr int kTries = 64;
  for (int i = 0; i < kTries; ++i) {
    if (HostHandle open = hold_if_open()) return host::status(open.fd());
    auto name = any_name();
    if (!name) return Errno::kENOENT;
    HostHandle directory = TRY(name->directory->hold());
    auto status = host::status_at(directory.fd(), name->name);
    // Renamed or removed meanwhile; another may have the name now.
    if (status.is(Errno::kENOENT) || (status.ok() && id_of(*status) != id())) continue;
    return status;
  }
  return Errno::kENOENT;
}

/// Brings what is known up to date.
Result<> VolInode::refresh() {
  const u32 touches = touches_.load(std::memory_order_acquire);
  auto status = host_status();
  // Removed and closed: what is known is the last word.
  if (status.is(Errno::kENOENT) && !has_name()) return {};
  const Known fresh = known_of(TRY(std::move(status)), touches);
  Lock::Held held(lock_);
  // Another may have been faster, with news.
  if (static_cast<i32>(touches - known_.get().touches) < 0) return {};
  known_.write(fresh);
  known_at_.store(touches, std::memory_order_relaxed);
  return {};
}

Result<Attributes> VolInode::attributes() {
  Attributes result;
  if (cached_attributes(result)) return result;
  TRY(refresh());
  // Whatever came since was after the call began.
  fill(known(), result);
  return result;
}

/// Of a name that the host has given or taken just now: what is known must say so where the host
/// cannot be asked again.
void VolInode::change_links(i32 by) {
  {
    Lock::Held held(lock_);
    Known now = known_.get();
    now.links = is_directory() && by < 0 ? 0 : static_cast<u32>(static_cast<i32>(now.links) + by);
    known_.write(now);
  }
  touch();
}

Result<> VolInode::change_record(const AttributeChange& change) {
  SleepLock::Held changing(changing_);
  const InodeOwner old = owner();
  InodeRecord record{old.mode, old.uid, old.gid, abi::dev_major(rdev()), abi::dev_minor(rdev())};
  if (change.permissions) record.mode = type() | (*change.permissions & abi::kS_IALLUGO);
  if (change.uid) record.uid = *change.uid;
  if (change.gid) record.gid = *change.gid;
  auto handle = hold();
  if (handle.ok()) {
    // Linux: also a change to the same values sets ctime.
    TRY(host::set_attribute(handle->fd(), kInodeAttribute, encode(record), 0));
  } else if (!handle.is(Errno::kENOENT) || has_name()) {
    return handle.error();
  }
  // Removed and not open: only this object is left of it.
  set_all({record.mode, record.uid, record.gid});
  touch();
  return {};
}

Result<> VolInode::set_attributes(const AttributeChange& change) {
  if (change.size) {
    HostHandle handle = TRY(hold());
    auto resized = host::set_size(handle.fd(), *change.size);
    touch();
    TRY(std::move(resized));
  }
  if (change.permissions || change.uid || change.gid) TRY(change_record(change));
  if (change.accessed || change.modified) {
    auto handle = hold();
    if (handle.is(Errno::kENOENT) && !has_name()) return {};
    const abi::Timespec omit{0, abi::kUTIME_OMIT};
    auto set = host::set_times(TRY(std::move(handle)).fd(), change.accessed.value_or(omit),
                               change.modified.value_or(omit));
    touch();
    return set;
  }
  return {};
}

Result<std::string> VolInode::read_link() {
  if (!is_symlink()) return Errno::kEINVAL;
  {
    Lock::Held held(lock_);
    if (!target_.empty()) return target_;
  }
  HostHandle handle = TRY(hold());
  std::string text(host::kMaxPath, '\0');
  host::Buffer piece{reinterpret_cast<u64>(text.data()), text.size()};
  text.resize(TRY(host::read_at(handle.fd(), {&piece, 1}, 0)));
  text.shrink_to_fit();
  std::string kept = text;
  Lock::Held held(lock_);
  if (target_.empty()) target_ = std::move(kept);
  return text;
}

namespace {

/// A guest's attribute name as the host has it, with its NUL.
class HostAttributeName {
 public:
  /// EOPNOTSUPP for what VolFs does not keep (POSIX ACLs among them), ERANGE if too long.
  Result<const char*> of(std::string_view name) {
    const bool known =
        name.starts_with("user.") || name.starts_with("trusted.") || name.starts_with("security.");
    if (!known) return Errno::kEOPNOTSUPP;
    constexpr std::string_view kPrefix = kGuestAttributePrefix;
    if (kPrefix.size() + name.size() > abi::kXATTR_NAME_MAX) return Errno::kERANGE;
    kPrefix.copy(text_, kPrefix.size());
    name.copy(text_ + kPrefix.size(), name.size());
    text_[kPrefix.size() + name.size()] = '\0';
    return text_;
  }

 private:
  char text_[abi::kXATTR_NAME_MAX + 1];
};

/// Reads what the host gives into a string: a small buffer first, then the largest.
template <typename Read>
Result<std::string> read_text(usize largest, Read read) {
  std::string text(256, '\0');
  auto size = read(std::span<char>(text));
  if (size.is(Errno::kERANGE)) {
    text.resize(largest);
    size = read(std::span<char>(text));
  }
  text.resize(TRY(std::move(size)));
  return text;
}

}  // namespace

Result<std::string> VolInode::get_xattr(std::string_view name) {
  HostAttributeName host_name;
  const char* text = TRY(host_name.of(name));
  // Every ls asks every file for attributes that no file has.
  if (!no_xattrs_.load(std::memory_order_acquire)) TRY(list_xattrs());
  if (no_xattrs_.load(std::memory_order_acquire)) return Errno::kENODATA;
  HostHandle handle = TRY(hold());
  return read_text(abi::kXATTR_SIZE_MAX, [&](std::span<char> buffer) {
    return host::get_attribute(handle.fd(), text, std::as_writable_bytes(buffer));
  });
}

Result<> VolInode::set_xattr(std::string_view name, std::string_view value, abi::XattrFlags flags) {
  HostAttributeName host_name;
  const char* text = TRY(host_name.of(name));
  HostHandle handle = TRY(hold());
  // Before and after: who lists the attributes meanwhile must not conclude that there are none.
  note_xattr_change();
  auto set = host::set_attribute(handle.fd(), text, std::as_bytes(std::span(value)),
                                 static_cast<i32>(flags.raw()));
  note_xattr_change();
  touch();
  return set;
}

Result<> VolInode::remove_xattr(std::string_view name) {
  HostAttributeName host_name;
  const char* text = TRY(host_name.of(name));
  if (no_xattrs_.load(std::memory_order_acquire)) return Errno::kENODATA;
  HostHandle handle = TRY(hold());
  auto removed = host::remove_attribute(handle.fd(), text);
  touch();
  return removed;
}

Result<std::string> VolInode::list_xattrs() {
  if (no_xattrs_.load(std::memory_order_acquire)) return std::string{};
  HostHandle handle = TRY(hold());
  u32 changes;
  {
    Lock::Held held(lock_);
    changes = xattr_changes_;
  }
  std::string all = TRY(read_text(abi::kXATTR_LIST_MAX, [&](std::span<char> buffer) {
    return host::list_attributes(handle.fd(), buffer);
  }));
  constexpr std::string_view kPrefix = kGuestAttributePrefix;
  std::string result;
  for (usize begin = 0; begin < all.size();) {
    const usize end = std::min(all.find('\0', begin), all.size());
    std::string_view name = std::string_view(all).substr(begin, end - begin);
    if (name.starts_with(kPrefix)) result.append(name.substr(kPrefix.size())).push_back('\0');
    begin = end + 1;
  }
  Lock::Held held(lock_);
  if (result.empty() && xattr_changes_ == changes)
    no_xattrs_.store(true, std::memory_order_release);
  return result;
}

void VolInode::note_xattr_change() {
  Lock::Held held(lock_);
  ++xattr_changes_;
  no_xattrs_.store(false, std::memory_order_release);
}

}  // namespace lxss::volfs
