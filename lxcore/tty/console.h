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

  // For the monitor. input() and output_ready() give the kernel lock up, if it is held.
  /// What was typed; more than input_room() is lost.
  void input(std::span<const std::byte> bytes);
  /// Bytes that input() has room for now.
  usize room_for_input() const;
  bool wants_input() const;
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
  void output_added() override LXSS_REQUIRES(lock_) {}
  void input_taken() override LXSS_REQUIRES(lock_);
  void input_wanted() override LXSS_REQUIRES(lock_);
  Result<> drain(Task& task) override;
  void discard_output() override LXSS_REQUIRES(lock_);
  /// Lets the host take some output; `write` runs without a lock.
  template <typename Write>
  Result<usize> pass_on(Write write) LXSS_REQUIRES(lock_);
  bool has_pending() const LXSS_REQUIRES(lock_);
  void pass_on_at_once() LXSS_REQUIRES(lock_);

  host::UniqueFd host_;  ///< given back by the monitor when nobody is draining_ any more
  const Mode mode_;
  bool wanted_ LXSS_GUARDED_BY(lock_) = false;  ///< a program waited since the last input
  bool lost_ LXSS_GUARDED_BY(lock_) = false;
  bool draining_ LXSS_GUARDED_BY(lock_) = false;  ///< somebody is in the host with output of ours
  u32 flushes_ LXSS_GUARDED_BY(lock_) = 0;        ///< tells them that it was flushed meanwhile
};

namespace tty {

/// `console` as a standard descriptor of a program: opened by its name in devpts, if that is
/// mounted. Called by the monitor.
Result<RefPtr<File>> open_console(ConsoleTty& console, abi::OpenFlags flags);

}  // namespace tty
}  // namespace lxss
