// The parts of execve, in the order in which exec.cc calls them. Without locks.
#pragma once

#include "lxcore/task/argument_stack.h"
#include "lxcore/task/elf_loader.h"
#include "lxcore/vfs/vfs.h"

namespace lxss::exec {

/// All that is decided before the old program goes.
struct Image {
  std::string path;  ///< as AT_EXECFN and scripts see it
  ArgumentStack stack;
  usize argc = 0, envc = 0;
  elf::Program program;
  elf::Program interpreter;
  Path executable;  ///< shown as /proc/PID/exe
  Path identity;    ///< whose setuid bits count; the script's do not
};

/// Finds the program behind scripts and opens its dynamic linker (exec_program.cc).
Result<> find_program(Task& task, Fd directory, std::string_view path, vfs::WalkFlags walk,
                      Image& image);

/// The ids that the program's setuid and setgid bits give. True if it gains anything
/// (exec_credentials.cc).
bool change_credentials(Task& task, const Path& program);

/// Maps the program into the emptied address space and points the context at it (exec_image.cc).
Result<> enter_image(Task& task, Image& image, bool secure);

}  // namespace lxss::exec
