#include "lxcore/vfs/inode.h"

#include "lxcore/vfs/locks.h"
#include "lxcore/vfs/notify.h"

namespace lxss {

Inode::Inode(FileSystem& filesystem, u64 number, u32 mode, u32 uid, u32 gid, u64 rdev)
    : filesystem_(&filesystem),
      number_(number),
      type_(mode & abi::kS_IFMT),
      rdev_(rdev),
      owner_(InodeOwner{mode, uid, gid}) {}

Inode::~Inode() {
  delete locks.load();
  if (InodeWatches* had = watches.load(std::memory_order_relaxed)) had->unref();
}

void Inode::last_unref() {
  {
    KernelLock::HeldFor held(locking());
    released();
  }
  retire(*this);
}

void Inode::free() {
  KernelLock::HeldFor held(locking());
  delete this;
}

InodeOwner Inode::owner_under_lock() const {
  Lock::Held held(lock_);
  return owner_.get();
}

void Inode::set_mode(u32 mode) {
  Lock::Held held(lock_);
  InodeOwner owner = owner_.get();
  if (owner.mode == mode) return;
  owner.mode = mode;
  owner_.write(owner);
}

void Inode::set_owner(u32 uid, u32 gid) {
  Lock::Held held(lock_);
  InodeOwner owner = owner_.get();
  owner.uid = uid;
  owner.gid = gid;
  owner_.write(owner);
}

void Inode::set_all(const InodeOwner& owner) {
  Lock::Held held(lock_);
  owner_.write(owner);
}

bool Inode::enter(i32 step) {
  i32 uses = uses_.load(std::memory_order_relaxed);
  do {
    if (uses != 0 && (uses > 0) != (step > 0)) return false;
  } while (!uses_.compare_exchange_weak(uses, uses + step, std::memory_order_acquire));
  return true;
}

}  // namespace lxss
