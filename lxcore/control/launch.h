// Programs that the manager starts: the first process of a launcher's session.
#pragma once

#include <span>

#include "host/fd.h"
#include "lxcore/control/protocol.h"
#include "lxcore/task/process.h"
#include "lxcore/tty/console.h"

namespace lxss {

/// What ties a session's first process to its launcher.
class Launch final : public RefCounted, public ListNode<Launch> {
 public:
  u64 id = 0;
  std::string directory, program;
  std::vector<std::string> arguments, environment;
  RefPtr<Process> process;
  RefPtr<ConsoleTty> console;  ///< the launcher's terminal, or null
  bool console_input_ended = false;
  bool stopped = false;  ///< so is the launcher: what is typed is its shell's
  host::UniqueFd trace;
};

namespace launches {

/// Starts what the message asks for, or tells the manager why not. Under the kernel lock.
void start(std::span<const std::byte> message, std::span<host::UniqueFd> descriptors);
/// A session's first process has ended: tells the manager.
void ended(Process& process);

/// Sends a message to the manager; the instance ends if that cannot be done.
void tell_manager(const void* message, usize size);

}  // namespace launches
}  // namespace lxss
