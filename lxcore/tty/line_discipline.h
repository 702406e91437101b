// The terminal line discipline (N_TTY; man 3 termios): what becomes of the bytes that a
// keyboard sends before a program reads them, and of those a program writes before they are
// displayed.
//
// It never blocks and knows no tasks: a Tty feeds it, reads from it, and is the LineDevice
// that it displays on. Guarded by the Tty's lock.
#pragma once

#include <span>
#include <string_view>

#include "abi/linux/termios.h"
#include "lxcore/tty/byte_queue.h"

namespace lxss {

/// What a line discipline works on.
class LineDevice {
 public:
  /// Queues bytes for display; takes any number of them.
  virtual void display(std::span<const u8> bytes) = 0;
  /// False while so much waits to be displayed that further echo is dropped.
  virtual bool takes_echo() const = 0;
  /// Forgets what waits to be displayed.
  virtual void discard_output() = 0;
  /// The input queue was flushed.
  virtual void input_discarded() = 0;
  /// Output was stopped or may go on (^S, ^Q, tcflow).
  virtual void flow_changed(bool stopped) = 0;
  /// A signal for the foreground process group.
  virtual void signal_foreground(i32 signal) = 0;

 protected:
  ~LineDevice() = default;
};

class LineDiscipline {
 public:
  /// The queue holds kLimit bytes, and always the newline that ends a line. What a line has
  /// beyond them is dropped; so a line can always be completed.
  static constexpr usize kCapacity = 4096;
  static constexpr usize kLimit = kCapacity - 1;

  explicit LineDiscipline(LineDevice& device) : device_(device) {}
  LineDiscipline(const LineDiscipline&) = delete;
  LineDiscipline& operator=(const LineDiscipline&) = delete;

  static abi::Termios2 default_settings();
  const abi::Termios2& settings() const { return settings_; }
  /// Leaving canonical mode makes an unfinished line readable; entering it makes a line of what
  /// is unread. Turning IXON off lets stopped output go on.
  void set_settings(const abi::Termios2& settings);

  /// Bytes from the keyboard: how many were taken. Fewer than all when the queue is full and
  /// somebody has to read first.
  usize receive(std::span<const u8> bytes);

  /// Bytes from a program, for display. Not while stopped().
  void write(std::span<const u8> bytes);

  bool canonical() const { return settings_.c_lflag & abi::kICANON; }
  /// A complete line is there, if only an empty one that ^D ended; in raw mode, any byte.
  bool has_input() const { return canonical() ? line_ != tail_ : head_ != tail_; }
  /// Bytes that FIONREAD reports: those of complete lines, or in raw mode all.
  usize available() const;

  /// The next bytes to be read, at most `limit`, never beyond the end of a line.
  struct Piece {
    std::span<const u8> bytes;
    usize length;    ///< what to consume when all of `bytes` were read: an end of file counts too
    bool ends_line;  ///< in canonical mode: a read ends behind these bytes
  };
  Piece next(usize limit) const;
  void consume(usize count);

  void flush_input();

  bool stopped() const { return stopped_; }
  void stop();
  void start();

 private:
  enum class Mark : u8 { kNone, kEndOfLine, kEndOfFile };
  enum class Erase : u8 { kCharacter, kWord, kLine };

  bool input_flag(u32 flag) const { return settings_.c_iflag & flag; }
  bool output_flag(u32 flag) const { return settings_.c_oflag & flag; }
  bool local_flag(u32 flag) const { return settings_.c_lflag & flag; }
  /// True if `c` is the control character of that index, and that is not disabled.
  bool is_control_key(u8 c, u32 index) const {
    return c == settings_.c_cc[index] && c != abi::k_POSIX_VDISABLE;
  }
  bool is_continuation(u8 c) const { return input_flag(abi::kIUTF8) && (c & 0xc0) == 0x80; }
  usize count() const { return head_ - tail_; }
  u8 at(usize index) const { return bytes_[index % kCapacity]; }

  // line_discipline.cc: input.
  void receive_one(u8 c);
  void receive_literal(u8 c);
  bool receive_flow_control(u8 c);
  bool receive_signal(u8 c);
  bool receive_editing(u8 c);
  void receive_data(u8 c, Mark mark);
  bool is_word_part(usize index) const;
  void put(u8 c, Mark mark);

  // line_echo.cc: echo and editing.
  void erase(Erase what);
  void erase_one(bool visible);
  void erase_tab();
  void finish_erasing();
  void reprint();
  void echo(u8 c);
  void echo_plain(u8 c) { process(c, true); }
  void echo_text(std::string_view text);
  void bell();

  // line_output.cc: output processing.
  void process(u8 c, bool echoed);
  void emit(std::span<const u8> bytes, bool echoed);
  void emit(u8 c, bool echoed) { emit({&c, 1}, echoed); }

  LineDevice& device_;
  abi::Termios2 settings_ = default_settings();

  // The queue: positions count all bytes ever queued. [tail_, line_) are complete lines,
  // [line_, head_) is the line being edited; raw mode reads [tail_, head_).
  u8 bytes_[kCapacity];
  Mark marks_[kCapacity];
  usize tail_ = 0, line_ = 0, head_ = 0;

  bool literal_next_ = false;  ///< ^V was typed
  bool erasing_ = false;       ///< ECHOPRT has printed its backslash
  bool stopped_ = false;
  u32 column_ = 0;       ///< of the display, as far as OPOST lets us know
  u32 line_column_ = 0;  ///< where the line being edited began
  ByteQueue held_echo_;  ///< echo while stopped
};

}  // namespace lxss
