// The launcher's terminal: a Tty whose keyboard and display are a terminal of the host, which
// the launcher has put into raw mode. All that a terminal does is done here.
//
// If the terminal is not the launcher's standard input, other programs of the host use it at the
// same time. It then stays as it is: the host echoes, edits lines and processes output, so that
// this does not happen here again, and is read only when a program waits for input.
//
// The monitor reads the host's terminal and calls input(). Programs that write wait until the
// host has taken their output; what nobody waits for (echo, or what an interrupted write left)
// is written by the monitor, which looks for that after it was woken: while output_pending(),
// it polls output_fd() for POLLOUT too, and then calls output_ready().
#pragma once

#include "host/fd.h"
#include "lxcore/tty/tty.h"

namespace lxss {

class ConsoleTty final : public Tty {
 public:
  enum class Mode : u8 { kRaw, kShared };
  /// `output` is the terminal, open for writing. The node belongs to `uid`.
  ConsoleTty(host::UniqueFd output, const abi::Winsize& size, u32 uid, Mode mode = Mode::kRaw);
  ~ConsoleTty() override;

  // For the monitor, under the kernel lock, which input() and output_ready() may give up.
  /// What was typed; more than input_room() is lost.
  void input(std::span<const std::byte> bytes);
  using Tty::input_room;
  bool wants_input() const { return mode_ == Mode::kRaw || wanted_; }
  bool output_pending();
  host::Fd output_fd() const { return host_.get(); }
  void output_ready();
  /// A signal that the launcher was sent, for the foreground process group.
  void signal(i32 number) { send_foreground(number); }
  /// The launcher has gone.
  void hang_up() override;
  /// The session is over: hangs up and gives the host's terminal back. False while a program is
  /// still writing to it; the monitor is woken when it is not.
  bool close();

 private:
  void output_added() override {}
  void input_taken() override;
  void input_wanted() override;
  Result<> drain(Task& task) override;
  void discard_output() override;
  /// Lets the host take some output; `write` gives up the kernel lock.
  template <typename Write>
  Result<usize> pass_on(Write write);

  host::UniqueFd host_;
  Mode mode_;
  bool wanted_ = false;  ///< a program waited since the last input
  bool lost_ = false;
  bool draining_ = false;  ///< somebody is in the host with output of ours
  u32 flushes_ = 0;        ///< tells them that it was flushed meanwhile
};

namespace tty {

/// `console` as a standard descriptor of a program: opened by its name in devpts, if that is
/// mounted. Called by the monitor.
Result<RefPtr<File>> open_console(ConsoleTty& console, abi::OpenFlags flags);

}  // namespace tty
}  // namespace lxss
