// Terminals: what a program reads from, writes to and controls, whatever is behind them.
//
// A Tty is a line discipline between two byte queues, the job that it serves (session and
// foreground process group), and its settings. What feeds it and takes its output is a subclass:
// a pseudo-terminal's master (pty.h) or the launcher's terminal (console.h). Every Tty has a
// number, under which devpts shows it. Guarded by the kernel lock.
#pragma once

#include "abi/linux/ioctl.h"
#include "abi/linux/stat.h"
#include "lxcore/task/process.h"
#include "lxcore/tty/line_discipline.h"

namespace lxss {

class PtySystem;
class TtyFile;

/// Major device number of numbered terminals (/dev/pts/N).
inline constexpr u32 kPtsMajor = 136;

class Tty : public RefCounted, protected LineDevice {
 public:
  /// Input that waits for the line discipline, and output that waits to be taken: as much as
  /// Linux's pseudo-terminals hold. Echo may exceed the output's limit by kEchoLimit.
  static constexpr usize kInputLimit = 16 * 1024;
  static constexpr usize kOutputLimit = 16 * 1024;
  static constexpr usize kEchoLimit = 4096;

  u32 number() const { return number_; }
  u64 device() const { return abi::make_dev(kPtsMajor, number_); }

  /// The entry in devpts.
  struct Node {
    u32 mode = abi::kS_IFCHR | 0620;
    u32 uid = 0, gid = 0;
    abi::Timespec accessed{}, modified{}, changed{};
  };
  Node node;

  const abi::Termios2& settings() const { return discipline_.settings(); }
  const abi::Winsize& size() const { return size_; }
  /// Tells the foreground process group when the size changes (SIGWINCH).
  virtual void resize(const abi::Winsize& size);

  // I/O of programs, through `file`. EIO after a hang-up (reads: 0). Job control is theirs.
  Result<usize> read(Task& task, IoBuffer& buffer, const TtyFile& file);
  Result<usize> write(Task& task, IoBuffer& buffer, const TtyFile& file);
  PollEvents poll(PollRegistration* registration, const TtyFile& file);
  /// TTY ioctls of a program's side, or of a pty's master (`file` null), where the two differ.
  Result<u64> ioctl(Task& task, u32 request, u64 argument, TtyFile* file);

  /// The line is lost: open files are dead, the session loses its terminal, its leader gets
  /// SIGHUP and SIGCONT. The foreground process group gets them when the leader ends (Linux).
  virtual void hang_up();
  u32 hangups() const { return hangups_; }

  // The job; lxcore/tty/job_control.cc.
  Session* session() const { return session_.get(); }
  Pid foreground() const { return foreground_; }
  /// The foreground process group, or null if it has no members (any more).
  RefPtr<ProcessGroup> foreground_group() const;
  /// Makes it the controlling terminal; neither has another one.
  void attach(Session& session, Pid foreground);
  void detach();
  void set_foreground(Pid group) { foreground_ = group; }
  void send_foreground(i32 signal);

  bool exclusive = false;  ///< TIOCEXCL
  /// A pty's slave cannot be opened until its master's owner allows it (unlockpt).
  virtual bool locked() const { return false; }

 protected:
  Tty();
  ~Tty() override;

  /// Bytes from the keyboard: how many fitted.
  usize feed(std::span<const u8> bytes);
  usize input_room() const;
  ByteQueue& output() { return output_; }
  /// Somebody took output: waiting writers look again.
  void output_taken();
  LineDiscipline& discipline() { return discipline_; }
  WaitQueue& events() { return events_; }
  /// Forgets what was typed and not yet given to the line discipline.
  void flush_pending_input();
  /// Nobody finds it by its number any more.
  void unregister();

  // What is behind the terminal.
  /// There is new output.
  virtual void output_added() = 0;
  /// Waits until output has gone as far as lxcore can see. ERESTARTSYS, EIO.
  virtual Result<> drain(Task& task) = 0;
  /// A packet-mode event (abi::kTIOCPKT_*).
  virtual void notify_packet(u32 /*events*/) {}
  /// There is room for input again.
  virtual void input_taken() {}
  /// A program waits for input that is not there.
  virtual void input_wanted() {}
  /// The number of files open on it became, or ceased to be, 0.
  virtual void users_changed() {}
  /// Output that a flush does not reach any more: it is as good as taken.
  virtual usize output_beyond_flush() const { return 0; }
  usize users() const { return users_; }

  // LineDevice.
  void display(std::span<const u8> bytes) final;
  bool takes_echo() const final;
  void discard_output() override;
  void input_discarded() final;
  void flow_changed(bool stopped) final;
  void signal_foreground(i32 signal) final;

 private:
  friend class TtyFile;

  bool readable() const;
  Result<> wait_for_input(Task& task, const TtyFile& file, usize wanted);
  Result<usize> take_input(IoBuffer& buffer);
  usize output_room() const;
  void pump();

  // tty_ioctl.cc
  Result<u64> settings_ioctl(Task& task, u32 request, UserAddr argument);
  Result<u64> job_ioctl(Task& task, u32 request, UserAddr argument, TtyFile* file);
  Result<u64> flow_control(Task& task, i32 action, bool from_master);
  Result<u64> flush(Task& task, i32 queues, bool from_master);

  RefPtr<PtySystem> system_;
  u32 number_ = 0;
  LineDiscipline discipline_;
  ByteQueue pending_input_;  ///< what the line discipline had no room for
  ByteQueue output_;
  WaitQueue events_;      ///< programs' side
  bool writing_ = false;  ///< a write() in progress keeps others out
  abi::Winsize size_{};
  RefPtr<Session> session_;  ///< undone by detach() at the latest when its leader ends
  Pid foreground_;
  usize users_ = 0;
  u32 hangups_ = 0;
};

/// An open terminal. Keeps the hang-up that it survived.
class TtyFile final : public File {
 public:
  static constexpr char kKind = 0;
  explicit TtyFile(RefPtr<Tty> tty);
  ~TtyFile() override;

  Tty& tty() const { return *tty_; }
  bool hung_up() const { return hangups_ != tty_->hangups(); }

  const void* kind() const override { return &kKind; }
  Result<usize> read(Task& task, IoBuffer& buffer, u64* offset) override;
  Result<usize> write(Task& task, IoBuffer& buffer, u64* offset) override;
  Result<u64> seek(i64, i32) override { return Errno::kESPIPE; }
  PollEvents poll(PollRegistration* registration) override;
  Result<u64> ioctl(Task& task, u32 request, u64 argument) override;

 private:
  RefPtr<Tty> tty_;
  u32 hangups_;
};

namespace tty {

/// The controlling terminal of the task's session, or null.
Tty* controlling_terminal(const Task& task);

/// What a task in the background may not do. EIO if its group is orphaned, or if it blocks or
/// ignores SIGTTIN; else its group is sent that and ERESTARTSYS is returned.
Result<> check_read(Task& task, const Tty& tty);
/// Likewise with SIGTTOU for changing the terminal; blocking or ignoring it allows the change.
Result<> check_change(Task& task, const Tty& tty);

/// TIOCSCTTY, and opening without O_NOCTTY, which gives no reason when it does not succeed.
Result<> acquire(Task& task, Tty& tty, bool readable, bool steal);
void acquire_on_open(Task& task, Tty& tty, abi::OpenFlags flags);

/// The leader of a session has ended: the session gives up its terminal, the foreground process
/// group gets SIGHUP (and SIGCONT if the terminal had been hung up before).
void session_leader_exited(Task& leader);
/// vhangup(2): hangs up the task's controlling terminal, if any. EPERM without CAP_SYS_TTY_CONFIG.
Result<> hang_up_own(Task& task);

/// Opens terminal `tty` for a program: EIO for a locked pty, EBUSY for an exclusive one.
Result<RefPtr<File>> open(Task& task, Tty& tty, abi::OpenFlags flags);

}  // namespace tty
}  // namespace lxss
