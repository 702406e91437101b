// Reading and writing through an open file description, as every call that does it needs it.
#pragma once

#include "lxcore/task/process.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::file_access {

/// At `offset`, or at the file's position, which moves on. EBADF if not open for reading; ESPIPE
/// for an offset where there is no position.
Result<usize> read(Task& task, File& file, IoBuffer& buffer, const u64* offset);

/// Likewise; O_APPEND, RLIMIT_FSIZE (SIGXFSZ), set-user-ID bits and O_SYNC are dealt with.
struct WriteOptions {
  bool append = false;     ///< as if O_APPEND
  bool no_append = false;  ///< O_APPEND does not count
  bool sync = false, data_sync = false;
};
Result<usize> write(Task& task, File& file, IoBuffer& buffer, const u64* offset,
                    WriteOptions options = {});

/// EFBIG with SIGXFSZ if a file may not have `size` (RLIMIT_FSIZE).
Result<> check_size_limit(Task& task, u64 size);

}  // namespace lxss::file_access
