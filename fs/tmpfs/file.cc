// Open files of tmpfs.
#include "fs/tmpfs/tmpfs.h"
#include "lxcore/kernel.h"

namespace lxss::tmpfs {

using abi::SealFlag;

namespace {

constexpr u64 kMaxSize = static_cast<u64>(INT64_MAX);

/// True if a shared mapping of `inode` can write, in any process.
bool has_writable_mapping(const Inode& inode) {
  std::vector<RefPtr<AddressSpace>> spaces;
  {
    KernelLock::Held held;
    for (auto& [tid, task] : kernel().tasks) {
      if (task->memory && (spaces.empty() || spaces.back() != task->memory)) {
        spaces.push_back(task->memory);
      }
    }
  }
  KernelLock::Released released;
  for (const RefPtr<AddressSpace>& space : spaces) {
    MutexHeld held(space->mutex);
    for (const auto& [begin, area] : space->areas) {
      if (area.shared && area.file && area.file->has_inode() && &area.file->inode() == &inode &&
          area.file->writable()) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

Result<RefPtr<File>> TmpInode::open(Task&, abi::OpenFlags flags) {
  if (flags.has(abi::OpenFlag::kO_EXCL)) {
    Lock::Held held(lock_);
    linkable_ = false;
  }
  return RefPtr<File>(make_ref<TmpFile>());
}

Result<usize> TmpFile::read(Task&, IoBuffer& buffer, u64* offset) {
  if (!inode().is_regular()) return inode().is_directory() ? Errno::kEISDIR : Errno::kEINVAL;
  node().accessed(*this);
  return node().contents().read(buffer, *offset);
}

Result<usize> TmpFile::write(Task& task, IoBuffer& buffer, u64* offset) {
  if (!inode().is_regular()) return Errno::kEINVAL;
  TmpInode& of = node();
  SleepLock::Held change;
  TRY(change.lock_killable(task, of.change_lock));
  const abi::SealFlags seals = of.seals();
  if (seals.any(SealFlag::kF_SEAL_WRITE | SealFlag::kF_SEAL_FUTURE_WRITE)) return Errno::kEPERM;
  if (*offset >= kMaxSize) return Errno::kEFBIG;
  buffer.truncate(std::min<u64>(buffer.size(), kMaxSize - *offset));
  if (seals.has(SealFlag::kF_SEAL_GROW)) {
    const u64 size = of.contents().size();
    if (*offset >= size) return Errno::kEPERM;
    buffer.truncate(std::min<u64>(buffer.size(), size - *offset));
  }
  auto done = of.contents().write(buffer, *offset);
  if (done.ok()) of.modified();
  return done;
}

Result<u64> TmpFile::seek(i64 offset, i32 whence) {
  if (whence != abi::kSEEK_DATA && whence != abi::kSEEK_HOLE) return File::seek(offset, whence);
  if (!inode().is_regular()) return Errno::kEINVAL;
  if (offset < 0) return Errno::kENXIO;
  return node().contents().seek_extent(static_cast<u64>(offset), whence);
}

Result<> TmpFile::read_directory(Task&, u64 offset, DirectorySink& sink) {
  if (!inode().is_directory()) return Errno::kENOTDIR;
  node().accessed(*this);
  node().list(offset, sink);
  return {};
}

Result<MapSource> TmpFile::map() {
  if (!inode().is_regular()) return Errno::kENODEV;
  TmpInode& of = node();
  if (!of.contents().has_object()) {
    SleepLock::Held change;
    TRY(change.lock_killable(Task::current(), of.change_lock));
    TRY(of.contents().use_object());
  }
  of.mapped.store(true);
  // After the mark: who adds a seal sets it first and then looks for mappings.
  const bool sealed = of.seals().any(SealFlag::kF_SEAL_WRITE | SealFlag::kF_SEAL_FUTURE_WRITE);
  return MapSource{of.contents().object(), !sealed};
}

Result<> TmpFile::truncate(u64 size) {
  AttributeChange change;
  change.size = size;
  return node().set_attributes(change);
}

Result<> TmpFile::allocate(i32 mode, u64 offset, u64 length) {
  if (!inode().is_regular()) return Errno::kENODEV;
  TmpInode& of = node();
  const abi::FallocateFlags flags{static_cast<u32>(mode)};
  const bool punch = flags.has(abi::FallocateFlag::kFALLOC_FL_PUNCH_HOLE);
  SleepLock::Held change;
  TRY(change.lock_killable(Task::current(), of.change_lock));
  const abi::SealFlags seals = of.seals();
  if (punch && seals.any(SealFlag::kF_SEAL_WRITE | SealFlag::kF_SEAL_FUTURE_WRITE)) {
    return Errno::kEPERM;
  }
  if (!punch && seals.has(SealFlag::kF_SEAL_GROW) && offset + length > of.contents().size()) {
    return Errno::kEPERM;
  }
  TRY(of.contents().allocate(flags, offset, length));
  of.modified();
  return {};
}

Result<u64> TmpFile::control(Task&, i32 command, u64 argument) {
  if (!inode().is_regular()) return Errno::kEINVAL;
  if (command == abi::kF_GET_SEALS) return u64{node().seals().raw()};
  if (command == abi::kF_ADD_SEALS) return add_seals(abi::SealFlags(static_cast<u32>(argument)));
  return Errno::kEINVAL;
}

Result<u64> TmpFile::add_seals(abi::SealFlags seals) {
  constexpr abi::SealFlags kKnown = SealFlag::kF_SEAL_SEAL | SealFlag::kF_SEAL_SHRINK |
                                    SealFlag::kF_SEAL_GROW | SealFlag::kF_SEAL_WRITE |
                                    SealFlag::kF_SEAL_FUTURE_WRITE | SealFlag::kF_SEAL_EXEC;
  TmpInode& of = node();
  if (!writable()) return Errno::kEPERM;
  if (!seals.within(kKnown)) return Errno::kEINVAL;
  SleepLock::Held change;
  TRY(change.lock_killable(Task::current(), of.change_lock));
  const abi::SealFlags old = of.seals();
  if (old.has(SealFlag::kF_SEAL_SEAL)) return Errno::kEPERM;
  const bool ends_writing = seals.has(SealFlag::kF_SEAL_WRITE);
  // Linux: what can be executed and no longer made otherwise is not to be changed either.
  if (seals.has(SealFlag::kF_SEAL_EXEC) && (of.mode() & 0111)) {
    seals |= SealFlag::kF_SEAL_SHRINK | SealFlag::kF_SEAL_GROW | SealFlag::kF_SEAL_WRITE |
             SealFlag::kF_SEAL_FUTURE_WRITE;
  }
  // Before the look: a mapping that is in the making sees the seal, or is seen.
  of.set_seals(old | seals);
  if (ends_writing && of.mapped && has_writable_mapping(of)) {
    of.set_seals(old);
    return Errno::kEBUSY;
  }
  return u64{0};
}

}  // namespace lxss::tmpfs
