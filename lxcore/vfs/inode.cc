#include "lxcore/vfs/inode.h"

#include "lxcore/vfs/locks.h"

namespace lxss {

Inode::~Inode() { delete locks.load(); }

void Inode::last_unref() {
  KernelLock::HeldFor held(locking());
  delete this;
}

}  // namespace lxss
