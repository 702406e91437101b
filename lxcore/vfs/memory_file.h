// Files that are only memory (man 2 memfd_create). Implemented by fs/tmpfs.
#pragma once

#include "abi/linux/mman.h"
#include "lxcore/vfs/file.h"

namespace lxss {

/// Open for reading and writing, empty, sealed against sealing unless `flags` allow it.
Result<RefPtr<File>> create_memory_file(Task& task, std::string_view name, abi::MemfdFlags flags);

}  // namespace lxss
