#include "lxcore/vfs/inode.h"

#include "lxcore/vfs/locks.h"

namespace lxss {

Inode::~Inode() { delete locks; }

}  // namespace lxss
