// Attributes, extended attributes and symbolic links of VolFs.
#include <algorithm>

#include "fs/volfs/volume.h"
#include "lxcore/sync/kernel_lock.h"

namespace lxss::volfs {

VolInode::VolInode(Volume& volume, const InodeRecord& record, const abi::Stat& status)
    : HostInode(volume, status, status.st_ino, record.mode, record.uid, record.gid,
                abi::make_dev(record.rdev_major, record.rdev_minor)),
      status_(status) {}

VolInode::~VolInode() {
  if (!is_unsynced()) return;
  set_synced();
  if (has_name()) volume().unsynced_forgotten_ = true;
}

void VolInode::set_unsynced() {
  if (is_unsynced()) return;
  volume().unsynced_.push_back(*this);
  ++volume().unsynced_count_;
}

void VolInode::set_synced() {
  if (!is_unsynced()) return;
  ListNode<UnsyncedTag>::unlink();
  --volume().unsynced_count_;
}

/// Brings status_ up to date.
Result<> VolInode::refresh() {
  if (!stale_ && !mapped_writable_) return {};
  if (is_open()) {
    status_ = TRY(host::status(descriptor()));
  } else if (has_name()) {
    HostHandle directory = TRY(names().front().directory->hold());
    status_ = TRY(host::status_at(directory.fd(), names().front().name));
  }
  stale_ = false;
  return {};
}

Result<Attributes> VolInode::attributes() {
  TRY(refresh());
  Attributes result;
  result.number = number();
  result.mode = mode();
  result.links = static_cast<u32>(status_.st_nlink);
  result.uid = uid();
  result.gid = gid();
  result.rdev = rdev();
  result.size = static_cast<u64>(status_.st_size);
  result.blocks = static_cast<u64>(status_.st_blocks);
  result.block_size = static_cast<u32>(status_.st_blksize);
  result.accessed = status_.st_atim;
  result.modified = status_.st_mtim;
  result.changed = status_.st_ctim;
  return result;
}

Result<> VolInode::write_record(const InodeRecord& record) {
  // Removed and not open: only this object is left of it.
  if (is_open() || status_.st_nlink > 0) {
    HostHandle handle = TRY(hold());
    TRY(host::set_attribute(handle.fd(), kInodeAttribute, encode(record), 0));
  }
  set_mode(record.mode);
  set_owner(record.uid, record.gid);
  touch();
  return {};
}

Result<> VolInode::set_attributes(const AttributeChange& change) {
  if (change.size) {
    HostHandle handle = TRY(hold());
    auto resized = [&] {
      KernelLock::Released released;
      return host::set_size(handle.fd(), *change.size);
    }();
    touch();
    TRY(std::move(resized));
  }
  if (change.permissions || change.uid || change.gid) {
    InodeRecord record{mode(), uid(), gid(), abi::dev_major(rdev()), abi::dev_minor(rdev())};
    if (change.permissions) record.mode = type() | (*change.permissions & abi::kS_IALLUGO);
    if (change.uid) record.uid = *change.uid;
    if (change.gid) record.gid = *change.gid;
    // Linux: also a change to the same values sets ctime.
    TRY(write_record(record));
  }
  if ((change.accessed || change.modified) && (is_open() || has_name())) {
    const abi::Timespec omit{0, abi::kUTIME_OMIT};
    const abi::Timespec accessed = change.accessed.value_or(omit);
    const abi::Timespec modified = change.modified.value_or(omit);
    touch();
    HostHandle handle = TRY(hold());
    return host::set_times(handle.fd(), accessed, modified);
  }
  return {};
}

Result<std::string> VolInode::read_link() {
  if (!is_symlink()) return Errno::kEINVAL;
  if (target_.empty()) {
    HostHandle handle = TRY(hold());
    std::string text(host::kMaxPath, '\0');
    host::Buffer piece{reinterpret_cast<u64>(text.data()), text.size()};
    text.resize(TRY(host::read_at(handle.fd(), {&piece, 1}, 0)));
    text.shrink_to_fit();
    target_ = std::move(text);
  }
  return target_;
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
  if (!no_xattrs_) TRY(list_xattrs());
  if (no_xattrs_) return Errno::kENODATA;
  HostHandle handle = TRY(hold());
  return read_text(abi::kXATTR_SIZE_MAX, [&](std::span<char> buffer) {
    return host::get_attribute(handle.fd(), text, std::as_writable_bytes(buffer));
  });
}

Result<> VolInode::set_xattr(std::string_view name, std::string_view value, abi::XattrFlags flags) {
  HostAttributeName host_name;
  const char* text = TRY(host_name.of(name));
  HostHandle handle = TRY(hold());
  no_xattrs_ = false;
  touch();
  return host::set_attribute(handle.fd(), text, std::as_bytes(std::span(value)),
                             static_cast<i32>(flags.raw()));
}

Result<> VolInode::remove_xattr(std::string_view name) {
  HostAttributeName host_name;
  const char* text = TRY(host_name.of(name));
  if (no_xattrs_) return Errno::kENODATA;
  HostHandle handle = TRY(hold());
  touch();
  return host::remove_attribute(handle.fd(), text);
}

Result<std::string> VolInode::list_xattrs() {
  if (no_xattrs_) return std::string{};
  HostHandle handle = TRY(hold());
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
  no_xattrs_ = result.empty();
  return result;
}

}  // namespace lxss::volfs
