// Opening a FIFO (man 7 fifo): each side waits for the other. A pipe, which can be opened by its
// link in /proc/PID/fd, had both from the start.
#include "abi/linux/magic.h"
#include "lxcore/ipc/pipe.h"
#include "lxcore/task/process.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::vfs {

namespace {

/// The inode's Pipe, made if no end of it is open.
Pipe& pipe_of(Inode& inode) {
  if (!inode.fifo) inode.fifo = make_ref<Pipe>();
  return static_cast<Pipe&>(*inode.fifo);
}

}  // namespace

Result<RefPtr<File>> open_fifo(Task& task, const Path& path, abi::OpenFlags flags) {
  constexpr u32 kWriteOnly = 1, kReadWrite = 2;
  const u32 access = flags.raw() & abi::kO_ACCMODE;
  const bool reads = access != kWriteOnly, writes = access == kWriteOnly || access == kReadWrite;
  RefPtr<Inode> inode(path.inode());
  const bool is_pipe = inode->filesystem().magic() == abi::kANON_INODE_FS_MAGIC;
  const bool waits = !flags.has(abi::OpenFlag::kO_NONBLOCK) && !is_pipe;
  RefPtr<Pipe> pipe(pipe_of(*inode));
  if (!reads && !waits && !is_pipe && pipe->readers == 0) {
    if (pipe->writers == 0) inode->fifo = nullptr;
    return Errno::kENXIO;
  }
  auto file = make_ref<PipeFile>(pipe, reads, writes);
  if (!waits || (reads && writes)) return RefPtr<File>(std::move(file));
  // A partner that came and went meanwhile counts.
  WaitQueue& queue = reads ? pipe->read_queue : pipe->write_queue;
  const u32& partners = reads ? pipe->writers : pipe->readers;
  const u32& openings = reads ? pipe->writer_openings : pipe->reader_openings;
  const u32 seen = openings;
  auto waited = wait_until(task, queue, [&] { return partners != 0 || openings != seen; });
  if (!waited.ok()) {
    file = nullptr;
    if (pipe->readers == 0 && pipe->writers == 0 && inode->fifo == pipe.get()) {
      inode->fifo = nullptr;
    }
    return waited.error();
  }
  return RefPtr<File>(std::move(file));
}

}  // namespace lxss::vfs
