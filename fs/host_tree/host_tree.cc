#include "fs/host_tree/host_tree.h"

#include "lxcore/sync/kernel_lock.h"

namespace lxss {

HostHandle::HostHandle(HostInode& inode) : inode_(inode) {
  LXSS_ASSERT(inode.is_open());
  ++inode.handles_;
  inode.settle();
}

HostHandle& HostHandle::operator=(HostHandle&& other) noexcept {
  if (this != &other) {
    reset();
    inode_ = std::move(other.inode_);
  }
  return *this;
}

host::Fd HostHandle::fd() const { return inode_->descriptor_.get(); }

void HostHandle::reset() {
  if (!inode_) return;
  --inode_->handles_;
  inode_->settle();
  inode_ = nullptr;
}

HostInode::HostInode(HostTree& tree, const abi::Stat& status, u64 number, u32 mode, u32 uid,
                     u32 gid, u64 rdev)
    : Inode(tree, number, mode, uid, gid, rdev), id_(id_of(status)) {
  tree.bucket(id_).push_front(*this);
}

HostInode::~HostInode() {
  if (ListNode<HostIdleTag>::linked()) --tree().idle_count_;
  if (is_root_) descriptor_.release();
}

HostTree& HostInode::tree() const { return static_cast<HostTree&>(filesystem()); }

void HostInode::last_unref() {
  // The table holds no reference: between the last unref and here nobody may look.
  KernelLock::Held held;
  delete this;
}

/// Puts the descriptor on the list of idle ones, or takes it off.
void HostInode::settle() {
  HostTree& tree = this->tree();
  const bool idle = handles_ == 0 && descriptor_ && !names_.empty() && !is_root_;
  if (idle == ListNode<HostIdleTag>::linked()) return;
  if (idle) {
    tree.idle_.push_back(*this);
    if (++tree.idle_count_ > tree.max_idle_) tree.close_idle(1);
  } else {
    ListNode<HostIdleTag>::unlink();
    --tree.idle_count_;
  }
}

Result<HostHandle> HostInode::hold() {
  if (descriptor_) return HostHandle(*this);
  // A guest chooses how deep a tree is: no recursion.
  std::vector<HostInode*> closed;
  HostInode* open = this;
  for (; !open->descriptor_; open = open->names_.front().directory.get()) {
    if (open->names_.empty()) return Errno::kENOENT;
    closed.push_back(open);
  }
  HostHandle handle(*open);
  for (; !closed.empty(); closed.pop_back()) {
    HostInode& inode = *closed.back();
    host::UniqueFd descriptor = TRY(tree().with_room(
        [&] { return host::open_at(handle.fd(), inode.names_.front().name, inode.open_mode()); }));
    TRY(inode.opened(descriptor.get()));
    inode.descriptor_ = std::move(descriptor);
    handle = HostHandle(inode);
  }
  return handle;
}

void HostInode::adopt(host::UniqueFd descriptor) {
  if (descriptor_) return;
  descriptor_ = std::move(descriptor);
  settle();
}

host::UniqueFd HostInode::take_descriptor() {
  LXSS_ASSERT(handles_ == 0 && !is_root_);
  host::UniqueFd taken = std::move(descriptor_);
  settle();
  return taken;
}

void HostInode::add_name(HostInode& directory, std::string_view name) {
  for (const HostName& known : names_) {
    if (known.directory == &directory && known.name == name) return;
  }
  names_.push_back({RefPtr<HostInode>(directory), std::string(name)});
  settle();
}

void HostInode::remove_name(HostInode& directory, std::string_view name) {
  for (auto at = names_.begin(); at != names_.end(); ++at) {
    if (at->directory == &directory && at->name == name) {
      names_.erase(at);
      settle();
      return;
    }
  }
}

void HostInode::forget_names() {
  names_.clear();
  settle();
}

HostTree::HostTree(const char* type, i64 magic, host::Fd root, u64 root_device, usize max_idle)
    : FileSystem(type, magic), root_(root), root_device_(root_device), max_idle_(max_idle) {}

void HostTree::set_root(HostInode& inode) {
  inode.descriptor_ = host::UniqueFd(root_);
  inode.is_root_ = true;
}

List<HostInode, HostTableTag>& HostTree::bucket(HostId id) {
  u64 hash = (id.number ^ id.device << 32) * 0x9e37'79b9'7f4a'7c15;
  return table_[hash >> 50];
}

HostInode* HostTree::find(HostId id) {
  for (HostInode& inode : bucket(id)) {
    if (inode.id_ == id) return &inode;
  }
  return nullptr;
}

bool HostTree::close_idle(usize count) {
  if (idle_.empty()) return false;
  for (; count > 0 && !idle_.empty(); --count) {
    HostInode& oldest = idle_.front();
    static_cast<ListNode<HostIdleTag>&>(oldest).unlink();
    --idle_count_;
    oldest.descriptor_.reset();
  }
  return true;
}

}  // namespace lxss
