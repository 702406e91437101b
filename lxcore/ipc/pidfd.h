// Process descriptors (man 2 pidfd_open).
#pragma once

#include "lxcore/task/process.h"

namespace lxss {

/// A File that refers to a process: readable once it has ended.
RefPtr<File> make_pidfd(Process& process);

/// The process behind a pidfd; EBADF if `file` is none.
Result<RefPtr<Process>> process_of_pidfd(File& file);

}  // namespace lxss
