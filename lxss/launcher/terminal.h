// The launcher's controlling terminal.
#pragma once

#include <termios.h>

#include <cstdint>

#include "lxss/common/protocol.h"

namespace lxss::launcher {

/// Which standard streams the instance is to treat as the session's terminal.
struct Terminals {
  std::uint32_t flags = 0;    ///< control::kTerminal* bits
  int fd = -1;                ///< one of them, -1 when there is none
  bool raw = false;           ///< standard input is one: its host side becomes raw
  bool detach_input = false;  ///< in the background: input must not be taken from the shell
};

/// Standard input counts as the terminal unless output goes into a pipe, whose
/// reader may use the terminal itself (`lxss ls | less`); in the background none does.
Terminals inspect_terminals();

common::TerminalSize terminal_size(int fd);

/// Raw mode from construction to destruction.
class RawMode {
 public:
  explicit RawMode(int fd);
  /// The keys that send signals are from now on input too, which at first they are not.
  void take_signal_keys();
  ~RawMode();
  RawMode(const RawMode&) = delete;

 private:
  int fd_;
  bool active_ = false;
  termios saved_{};
};

}  // namespace lxss::launcher
