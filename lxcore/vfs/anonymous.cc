// The file system of files without a name in the tree: pipes, sockets, eventfds and the like.
// It is mounted nowhere.
#include "abi/linux/magic.h"
#include "base/text.h"
#include "host/clock.h"
#include "lxcore/kernel.h"
#include "lxcore/vfs/clock.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::vfs {

namespace {

class AnonymousInode final : public Inode {
 public:
  AnonymousInode(FileSystem& filesystem, u64 number, u32 mode, const Credentials& owner)
      : Inode(filesystem, number, mode, owner.fsuid, owner.fsgid), times_(now()) {}

  Result<Attributes> attributes() override {
    Lock::Held held(lock_);
    Attributes result;
    result.number = number();
    result.mode = mode();
    result.uid = uid();
    result.gid = gid();
    result.accessed = result.modified = result.changed = times_;
    return result;
  }

  Result<> set_attributes(const AttributeChange& change) override {
    if (change.size) return Errno::kEINVAL;
    Lock::Held held(lock_);
    if (change.permissions) set_mode(type() | (*change.permissions & abi::kS_IALLUGO));
    set_owner(change.uid.value_or(uid()), change.gid.value_or(gid()));
    return {};
  }

 private:
  Lock lock_{LockRank::kInode};  ///< changes of mode and owner
  const abi::Timespec times_;
};

class AnonymousFileSystem final : public FileSystem {
 public:
  AnonymousFileSystem()
      : FileSystem("anon_inodefs", abi::kANON_INODE_FS_MAGIC, Locking::kOwn) {
    auto inode = make_ref<AnonymousInode>(*this, 0, abi::kS_IFDIR | 0500, Credentials());
    auto root = make_ref<Dentry>(nullptr, "/", std::move(inode));
    mount_ = make_ref<Mount>(RefPtr<FileSystem>(this), std::move(root), "none",
                             abi::MountFlag::kMS_NOSUID | abi::MountFlag::kMS_NODEV);
    mount_->keep_for_ever();
  }
  Result<RefPtr<Inode>> root() override { return RefPtr<Inode>(mount_->root().inode()); }
  const RefPtr<Mount>& mount() const { return mount_; }

 private:
  RefPtr<Mount> mount_;  ///< immutable; each keeps the other: this file system is for ever
};

AnonymousFileSystem& anonymous_files() {
  return static_cast<AnonymousFileSystem&>(*kernel().anonymous_files);
}

}  // namespace

void start_anonymous_files() { kernel().anonymous_files = make_ref<AnonymousFileSystem>(); }

void initialise_anonymous(File& file, std::string_view name, u32 mode, abi::OpenFlags flags) {
  AnonymousFileSystem& files = anonymous_files();
  const u64 number = kernel().next_anonymous_inode.fetch_add(1, std::memory_order_relaxed);
  auto inode = make_ref<AnonymousInode>(files, number, mode, *Task::current().credentials);
  std::string shown(name);
  if (name.find_first_of(":/") == name.npos) {
    TextBuilder text;
    text << name << ":[" << number << ']';
    shown = text.take();
  }
  initialise_unnamed(file, shown, std::move(inode), flags);
}

void initialise_unnamed(File& file, std::string_view shown, RefPtr<Inode> inode,
                        abi::OpenFlags flags) {
  auto dentry = make_ref<Dentry>(nullptr, shown, std::move(inode));
  file.initialise(Path{anonymous_files().mount(), std::move(dentry)}, flags);
}

}  // namespace lxss::vfs
