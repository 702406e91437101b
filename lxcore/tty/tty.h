// Terminals: what a program reads from, writes to and controls, whatever is behind them.
//
// A Tty is a line discipline between two byte queues, the job that it serves (session and
// foreground process group), and its settings. What feeds it and takes its output is a subclass:
// a pseudo-terminal's master (pty.h) or the launcher's terminal (console.h). Every Tty has a
// number, under which devpts shows it.
//
// One lock guards both ends. Bytes go between it and guest memory by way of small buffers, without
// the lock; signals that typing causes are sent when it is given up (Tty::Use). The job - session
// and foreground group - is process state, under the kernel lock.
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

  /// Holds a terminal's lock for a scope, and then sends what signals came up.
  class Use;

  u32 number() const { return number_; }
  u64 device() const { return abi::make_dev(kPtsMajor, number_); }

  /// The entry in devpts.
  struct Node {
    u32 mode = abi::kS_IFCHR | 0620;
    u32 uid = 0, gid = 0;
    abi::Timespec accessed{}, modified{}, changed{};
  };
  Node node() const;
  void change_node(const AttributeChange& change);

  abi::Termios2 settings() const;
  /// Tells the foreground process group when the size changes (SIGWINCH).
  void resize(const abi::Winsize& size);

  // I/O of programs, through `file`. EIO after a hang-up (reads: 0). Job control is theirs.
  Result<usize> read(Task& task, IoBuffer& buffer, const TtyFile& file);
  Result<usize> write(Task& task, IoBuffer& buffer, const TtyFile& file);
  PollEvents poll(PollRegistration* registration, const TtyFile& file);
  /// TTY ioctls of a program's side, or of a pty's master (`file` null), where the two differ.
  Result<u64> ioctl(Task& task, u32 request, u64 argument, TtyFile* file);

  /// The line is lost: open files are dead, the session loses its terminal, its leader gets
  /// SIGHUP and SIGCONT. The foreground process group gets them when the leader ends (Linux).
  virtual void hang_up();
  u32 hangups() const { return hangups_.load(std::memory_order_acquire); }

  // The job, under the kernel lock; lxcore/tty/job_control.cc.
  Session* session() const { return session_.get(); }
  Pid foreground() const { return foreground_; }
  /// The foreground process group, or null if it has no members (any more).
  RefPtr<ProcessGroup> foreground_group() const;
  /// Makes it the controlling terminal; neither has another one.
  void attach(Session& session, Pid foreground);
  void detach();

  /// Takes the kernel lock.
  void send_foreground(i32 signal);

  /// TIOCEXCL.
  bool exclusive() const { return exclusive_.load(std::memory_order_relaxed); }
  /// A pty's slave cannot be opened until its master's owner allows it (unlockpt).
  virtual bool locked() const { return false; }

 protected:
  Tty();

  /// Gives it a number, under which it is found from then on. By the subclass, once it is whole.
  void enter();
  /// Nobody finds it by its number any more. What enter()ed does this before it can go.
  void leave();

  /// Bytes from the keyboard: how many fitted.
  usize feed(std::span<const u8> bytes) LXSS_REQUIRES(lock_);
  usize input_room() const LXSS_REQUIRES(lock_);
  /// Somebody took output: waiting writers look again.
  void output_taken() LXSS_REQUIRES(lock_);
  /// Forgets what was typed and not yet given to the line discipline.
  void flush_pending_input() LXSS_REQUIRES(lock_);

  // What is behind the terminal. All but drain() with its lock held.
  /// There is new output.
  virtual void output_added() LXSS_REQUIRES(lock_) = 0;
  /// Waits until output has gone as far as lxcore can see. ERESTARTSYS, EIO.
  virtual Result<> drain(Task& task) = 0;
  /// A packet-mode event (abi::kTIOCPKT_*).
  virtual void notify_packet(u32 /*events*/) LXSS_REQUIRES(lock_) {}
  /// There is room for input again.
  virtual void input_taken() LXSS_REQUIRES(lock_) {}
  /// A program waits for input that is not there.
  virtual void input_wanted() LXSS_REQUIRES(lock_) {}
  /// The number of files open on it became, or ceased to be, 0.
  virtual void users_changed() LXSS_REQUIRES(lock_) {}
  /// Output that a flush does not reach any more: it is as good as taken.
  virtual usize output_beyond_flush() const { return 0; }

  // LineDevice, with the lock held.
  void display(std::span<const u8> bytes) final LXSS_REQUIRES(lock_);
  bool takes_echo() const final LXSS_REQUIRES(lock_);
  void discard_output() override LXSS_REQUIRES(lock_);
  void input_discarded() final LXSS_REQUIRES(lock_);
  void flow_changed(bool stopped) final LXSS_REQUIRES(lock_);
  void signal_foreground(i32 signal) final LXSS_REQUIRES(lock_);

  mutable Lock lock_{LockRank::kObject};
  LineDiscipline discipline_ LXSS_GUARDED_BY(lock_);
  ByteQueue output_ LXSS_GUARDED_BY(lock_);
  WaitQueue events_;                        ///< programs' side
  usize users_ LXSS_GUARDED_BY(lock_) = 0;  ///< files open on it
  Node node_ LXSS_GUARDED_BY(lock_);

 private:
  friend class TtyFile;

  bool readable() const LXSS_REQUIRES(lock_);
  Result<> wait_for_input(Task& task, const TtyFile& file, usize wanted) LXSS_REQUIRES(lock_);
  usize take_input(std::span<u8> to) LXSS_REQUIRES(lock_);
  usize output_room() const LXSS_REQUIRES(lock_);
  Result<> wait_for_output(Task& task, const TtyFile& file) LXSS_REQUIRES(lock_);
  Result<> write_all(Task& task, IoBuffer& buffer, const TtyFile& file, usize& done)
      LXSS_REQUIRES(lock_);
  void pump() LXSS_REQUIRES(lock_);
  void open_files_changed(bool opened);

  // tty_ioctl.cc
  Result<u64> settings_ioctl(Task& task, u32 request, UserAddr argument);
  Result<u64> job_ioctl(Task& task, u32 request, UserAddr argument, TtyFile* file);
  Result<u64> set_foreground(Task& task, UserAddr argument);
  abi::Winsize size() const;
  usize bytes_to_read(bool from_master) const;
  Result<u64> flow_control(Task& task, i32 action, bool from_master);
  Result<u64> flush(Task& task, i32 queues, bool from_master);

  u32 number_ = 0;                                  ///< set before it is found
  ByteQueue pending_input_ LXSS_GUARDED_BY(lock_);  ///< what the line discipline had no room for
  bool writing_ LXSS_GUARDED_BY(lock_) = false;     ///< a write() in progress keeps others out
  u64 signals_due_ LXSS_GUARDED_BY(lock_) = 0;      ///< for the foreground, by number
  abi::Winsize size_ LXSS_GUARDED_BY(lock_){};
  std::atomic<bool> exclusive_{false};
  std::atomic<u32> hangups_{0};  ///< written under lock_
  /// The job: under the kernel lock. Undone by detach() at the latest when the leader ends.
  RefPtr<Session> session_;
  Pid foreground_;
};

class [[nodiscard]] LXSS_SCOPED_CAPABILITY Tty::Use {
 public:
  explicit Use(Tty& tty) LXSS_ACQUIRE(tty.lock_) : tty_(tty) { tty_.lock_.lock(); }
  ~Use() LXSS_RELEASE();
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  Tty& tty_;
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
  const RefPtr<Tty> tty_;
  const u32 hangups_;
};

namespace tty {

/// Under the kernel lock: the controlling terminal of the task's session, or null.
Tty* controlling_terminal(const Task& task);
/// Takes the kernel lock.
bool is_controlling(const Task& task, const Tty& tty);

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
