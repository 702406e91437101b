// The caller's memory and memory objects on a Linux host, whose flags are passed as they are.
#include "host/memory.h"

#include <sys/mman.h>

#include "host/linux/syscall.h"

namespace lxss::host {

using sys::call;
using sys::check;
using sys::check_void;

Result<u64> map(u64 address, u64 length, u32 protection, u32 flags, Fd fd, u64 offset) {
  return check(call(SYS_mmap, address, length, protection, flags, fd.value, offset));
}

Result<> unmap(u64 address, u64 length) { return check_void(call(SYS_munmap, address, length)); }

Result<> protect(u64 address, u64 length, u32 protection) {
  return check_void(call(SYS_mprotect, address, length, protection));
}

Result<u64> remap(u64 old_address, u64 old_length, u64 new_length, u32 flags, u64 new_address) {
  return check(call(SYS_mremap, old_address, old_length, new_length, flags, new_address));
}

Result<> advise_memory(u64 address, u64 length, i32 advice) {
  return check_void(call(SYS_madvise, address, length, advice));
}

Result<> sync_memory(u64 address, u64 length, i32 flags) {
  return check_void(call(SYS_msync, address, length, flags));
}

Result<> lock_memory(u64 address, u64 length, u32 flags) {
  return check_void(call(SYS_mlock2, address, length, flags));
}

Result<> unlock_memory(u64 address, u64 length) {
  return check_void(call(SYS_munlock, address, length));
}

Result<> residency(u64 address, u64 length, u8* pages) {
  return check_void(call(SYS_mincore, address, length, pages));
}

Result<u64> memory_barrier(i32 command, u32 flags, i32 cpu) {
  return check(call(SYS_membarrier, command, flags, cpu));
}

Result<UniqueFd> create_memory_object(const char* debug_name) {
  u64 fd = TRY(check(call(SYS_memfd_create, debug_name, MFD_CLOEXEC)));
  return UniqueFd(Fd(static_cast<i32>(fd)));
}

Result<usize> read_process_memory(i32 host_process, Buffer local, Buffer remote) {
  return check(call(SYS_process_vm_readv, host_process, &local, 1, &remote, 1, 0));
}

Result<usize> write_process_memory(i32 host_process, Buffer local, Buffer remote) {
  return check(call(SYS_process_vm_writev, host_process, &local, 1, &remote, 1, 0));
}

}  // namespace lxss::host
