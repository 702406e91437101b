#include "lxss/launcher/terminal.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lxcore/control/protocol.h"

namespace lxss::launcher {
namespace {

constexpr std::uint32_t kFlags[] = {control::kTerminal0, control::kTerminal1, control::kTerminal2};

bool is_pipe(int fd) {
  struct stat status;
  return ::fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

}  // namespace

Terminals inspect_terminals() {
  Terminals terminals;
  for (int fd = 2; fd >= 0; --fd) {
    const pid_t foreground = ::tcgetpgrp(fd);  // Fails unless it is our controlling terminal.
    if (foreground < 0) continue;
    if (foreground != ::getpgrp()) {
      terminals.detach_input |= fd == 0;
      continue;
    }
    if (fd == 0 && is_pipe(1)) continue;
    terminals.flags |= kFlags[fd];
    terminals.fd = fd;
  }
  terminals.raw = (terminals.flags & control::kTerminal0) != 0;
  return terminals;
}

common::TerminalSize terminal_size(int fd) {
  winsize size{};
  if (fd < 0 || ::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
    return {};
  }
  return {size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel};
}

RawMode::RawMode(int fd) : fd_(fd) {
  if (::tcgetattr(fd, &saved_) != 0) return;
  termios raw = saved_;
  ::cfmakeraw(&raw);
  raw.c_lflag |= ISIG;
  active_ = ::tcsetattr(fd, TCSADRAIN, &raw) == 0;
}

void RawMode::take_signal_keys() {
  termios raw;
  if (!active_ || ::tcgetattr(fd_, &raw) != 0) return;
  raw.c_lflag &= ~tcflag_t{ISIG};
  ::tcsetattr(fd_, TCSADRAIN, &raw);
}

RawMode::~RawMode() {
  if (active_) ::tcsetattr(fd_, TCSADRAIN, &saved_);
}

}  // namespace lxss::launcher
