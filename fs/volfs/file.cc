// Open files and directories of VolFs.
#include "fs/volfs/volume.h"
#include "lxcore/sync/kernel_lock.h"

namespace lxss::volfs {

namespace {

u8 directory_entry_type(u32 mode) { return static_cast<u8>((mode & abi::kS_IFMT) >> 12); }
static_assert(abi::kS_IFLNK >> 12 == abi::kDT_LNK && abi::kS_IFSOCK >> 12 == abi::kDT_SOCK);

class VolFile final : public HostFile {
 public:
  explicit VolFile(HostHandle handle) : HostFile(Locking::kOwn), handle_(std::move(handle)) {}

 private:
  VolInode& file() const { return static_cast<VolInode&>(handle_.inode()); }
  host::Fd fd() const override { return handle_.fd(); }
  // The host may have moved atime.
  void data_was_read() override { file().touch_by_reading(); }
  void data_was_changed() override { file().touch(); }
  void will_be_mapped() override {
    file().touch();
    if (writable()) file().note_writable_mapping();
  }
  bool needs_full_sync() override { return file().is_unsynced(); }
  void was_synced() override { file().set_synced(); }

  HostHandle handle_;
};

class VolDirectory final : public HostDirectoryFile {
 public:
  explicit VolDirectory(HostHandle handle)
      : HostDirectoryFile(Locking::kOwn), handle_(std::move(handle)) {}

  /// Linux: a synced directory keeps its names, and what they name, over a crash.
  Result<> sync(bool data_only) override {
    TRY(directory().volume().sync_creations());
    KernelLock::Released released;
    return host::sync(handle_.fd(), data_only);
  }

 private:
  VolInode& directory() const { return static_cast<VolInode&>(handle_.inode()); }

  Result<host::UniqueFd> open_listing() override {
    return directory().volume().with_room(
        [&] { return host::open_at(handle_.fd(), ".", host::OpenMode::kDirectory); });
  }

  void prepare(host::Fd listing, std::span<std::byte> records) override {
    constexpr u8 kNotYetKnown = 0x80;  // beside the host's type
    bool all_known = true;
    VolInode& self = directory();
    self.touch_by_reading();
    for (HostRecords at(records); !at.at_end(); at.next()) {
      abi::Dirent64& record = at.record();
      if (at.name() == "." || at.name() == "..") {
        // The volume's root is its own parent here.
        const auto above = at.name() == ".." ? self.any_name() : std::nullopt;
        record.d_ino = above ? above->directory->number() : self.number();
      } else if (auto type = self.tree().type_of({self.id().device, record.d_ino})) {
        record.d_type = directory_entry_type(*type);
      } else {
        record.d_type |= kNotYetKnown;
        all_known = false;
      }
    }
    if (all_known) return;
    KernelLock::Released released;
    for (HostRecords at(records); !at.at_end(); at.next()) {
      abi::Dirent64& record = at.record();
      if (!(record.d_type & kNotYetKnown)) continue;
      const u8 host_type = record.d_type & ~kNotYetKnown;
      auto inode_record = read_record(listing, at.name());
      const bool fits =
          inode_record && (host_type == abi::kDT_UNKNOWN ||
                           abi::is_directory(inode_record->mode) == (host_type == abi::kDT_DIR));
      if (fits) {
        record.d_type = directory_entry_type(inode_record->mode);
      } else {
        record.d_ino = 0;
      }
    }
  }

  HostHandle handle_;
};

}  // namespace

Result<RefPtr<File>> VolInode::open(Task&, abi::OpenFlags) {
  if (!is_regular() && !is_directory()) return Errno::kENXIO;
  HostHandle handle = TRY(hold());
  if (is_directory()) return RefPtr<File>(make_ref<VolDirectory>(std::move(handle)));
  return RefPtr<File>(make_ref<VolFile>(std::move(handle)));
}

}  // namespace lxss::volfs
