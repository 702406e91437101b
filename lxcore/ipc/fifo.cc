// Opening a FIFO (man 7 fifo): each side waits for the other. A pipe, which can be opened by its
// link in /proc/PID/fd, had both from the start.
#include "abi/linux/magic.h"
#include "lxcore/ipc/pipe.h"
#include "lxcore/kernel.h"
#include "lxcore/vfs/vfs.h"

namespace lxss {

namespace fifos {

RefPtr<Pipe> enter(Inode& inode) {
  RefPtr<Pipe> spare;
  for (;; spare = make_ref<Pipe>()) {
    Lock::Held held(kernel().fifos);
    if (!inode.fifo) {
      if (!spare) continue;
      inode.fifo = std::move(spare);
    }
    Pipe& pipe = static_cast<Pipe&>(*inode.fifo);
    ++pipe.users;
    return RefPtr<Pipe>(pipe);
  }
}

void leave(Inode& inode, Pipe& pipe) {
  RefPtr<RefCounted> last;
  Lock::Held held(kernel().fifos);
  if (--pipe.users == 0) last = std::move(inode.fifo);
}

}  // namespace fifos

namespace vfs {

Result<RefPtr<File>> open_fifo(Task& task, const Path& path, abi::OpenFlags flags) {
  constexpr u32 kWriteOnly = 1, kReadWrite = 2;
  const u32 access = flags.raw() & abi::kO_ACCMODE;
  const bool reads = access != kWriteOnly, writes = access == kWriteOnly || access == kReadWrite;
  Inode& inode = path.inode();
  if (inode.filesystem().magic() == abi::kANON_INODE_FS_MAGIC) {
    RefPtr<Pipe> pipe(static_cast<Pipe*>(inode.fifo.get()));
    return RefPtr<File>(make_ref<PipeFile>(std::move(pipe), reads, writes));
  }
  const bool waits = !flags.has(abi::OpenFlag::kO_NONBLOCK);
  RefPtr<Pipe> pipe = fifos::enter(inode);
  if (!reads && !waits && pipe->readers() == 0) {
    fifos::leave(inode, *pipe);
    return Errno::kENXIO;
  }
  auto file = make_ref<PipeFile>(pipe, reads, writes, &inode);
  if (waits && reads != writes) TRY(file->wait_for_partner(task));
  return RefPtr<File>(std::move(file));
}

}  // namespace vfs
}  // namespace lxss
