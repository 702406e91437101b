// The ioctls of terminals (man 2 ioctl_tty).
#include "lxcore/kernel.h"
#include "lxcore/tty/pty_system.h"
#include "lxcore/tty/tty.h"

namespace lxss {

namespace {

struct Speed {
  u32 code;
  u32 bits_per_second;
};
constexpr Speed kSpeeds[] = {{abi::kB0, 0},
                             {abi::kB50, 50},
                             {abi::kB75, 75},
                             {abi::kB110, 110},
                             {abi::kB134, 134},
                             {abi::kB150, 150},
                             {abi::kB200, 200},
                             {abi::kB300, 300},
                             {abi::kB600, 600},
                             {abi::kB1200, 1200},
                             {abi::kB1800, 1800},
                             {abi::kB2400, 2400},
                             {abi::kB4800, 4800},
                             {abi::kB9600, 9600},
                             {abi::kB19200, 19200},
                             {abi::kB38400, 38400},
                             {abi::kB57600, 57600},
                             {abi::kB115200, 115200},
                             {abi::kB230400, 230400},
                             {abi::kB460800, 460800},
                             {abi::kB500000, 500000},
                             {abi::kB576000, 576000},
                             {abi::kB921600, 921600},
                             {abi::kB1000000, 1000000},
                             {abi::kB1152000, 1152000},
                             {abi::kB1500000, 1500000},
                             {abi::kB2000000, 2000000},
                             {abi::kB2500000, 2500000},
                             {abi::kB3000000, 3000000},
                             {abi::kB3500000, 3500000},
                             {abi::kB4000000, 4000000}};

constexpr usize kTermioKeys = 8;

/// Linux's packet mode tells whether the usual flow control characters work.
bool usual_flow_control(const abi::Termios2& settings) {
  return (settings.c_iflag & abi::kIXON) && settings.c_cc[abi::kVSTOP] == 0x13 &&
         settings.c_cc[abi::kVSTART] == 0x11;
}

u32 request_action(u32 request) {
  switch (request) {
    case abi::kTCSETSW:
    case abi::kTCSETSW2:
    case abi::kTCSETAW:
      return abi::kTCSETSW;
    case abi::kTCSETSF:
    case abi::kTCSETSF2:
    case abi::kTCSETAF:
      return abi::kTCSETSF;
    default:
      return abi::kTCSETS;
  }
}

/// The new settings that a request of any of the three layouts asks for.
Result<abi::Termios2> read_settings(u32 request, UserAddr argument, const abi::Termios2& now) {
  abi::Termios2 wanted = now;
  switch (request) {
    case abi::kTCSETS2:
    case abi::kTCSETSW2:
    case abi::kTCSETSF2:
      return UserIn<abi::Termios2>{argument}.read();
    case abi::kTCSETA:
    case abi::kTCSETAW:
    case abi::kTCSETAF: {
      // Only the lower halves and the first keys.
      const auto old = TRY(UserIn<abi::Termio>{argument}.read());
      constexpr u32 kUpper = 0xffff0000;
      wanted.c_iflag = (now.c_iflag & kUpper) | old.c_iflag;
      wanted.c_oflag = (now.c_oflag & kUpper) | old.c_oflag;
      wanted.c_cflag = (now.c_cflag & kUpper) | old.c_cflag;
      wanted.c_lflag = (now.c_lflag & kUpper) | old.c_lflag;
      wanted.c_line = old.c_line;
      std::copy(old.c_cc, old.c_cc + kTermioKeys, wanted.c_cc);
      return wanted;
    }
    default: {
      const auto plain = TRY(UserIn<abi::Termios>{argument}.read());
      wanted.c_iflag = plain.c_iflag;
      wanted.c_oflag = plain.c_oflag;
      wanted.c_cflag = plain.c_cflag;
      wanted.c_lflag = plain.c_lflag;
      wanted.c_line = plain.c_line;
      std::copy(std::begin(plain.c_cc), std::end(plain.c_cc), wanted.c_cc);
      return wanted;
    }
  }
}

/// As a pseudo-terminal has it: eight bits, no parity; and the speeds that the code names.
void normalise(abi::Termios2& settings) {
  settings.c_cflag &= ~(abi::kCSIZE | abi::kPARENB);
  settings.c_cflag |= abi::kCS8 | abi::kCREAD;
  const u32 code = settings.c_cflag & abi::kCBAUD;
  for (const Speed& speed : kSpeeds) {
    if (speed.code == code) settings.c_ospeed = speed.bits_per_second;
  }
  const bool own_input_speed = settings.c_cflag & abi::kCIBAUD;
  if (!own_input_speed || code != abi::kBOTHER) settings.c_ispeed = settings.c_ospeed;
}

template <typename T>
Result<u64> reply(UserAddr to, const T& value) {
  TRY(copy_out(to, &value, sizeof value));
  return u64{0};
}

}  // namespace

Result<u64> Tty::settings_ioctl(Task& task, u32 request, UserAddr argument) {
  const abi::Termios2 now = settings();
  switch (request) {
    case abi::kTCGETS: {
      abi::Termios plain{now.c_iflag, now.c_oflag, now.c_cflag, now.c_lflag, now.c_line, {}};
      std::copy(std::begin(now.c_cc), std::end(now.c_cc), plain.c_cc);
      return reply(argument, plain);
    }
    case abi::kTCGETS2:
      return reply(argument, now);
    case abi::kTCGETA: {
      abi::Termio old{static_cast<u16>(now.c_iflag),
                      static_cast<u16>(now.c_oflag),
                      static_cast<u16>(now.c_cflag),
                      static_cast<u16>(now.c_lflag),
                      now.c_line,
                      {},
                      0};
      std::copy(now.c_cc, now.c_cc + kTermioKeys, old.c_cc);
      return reply(argument, old);
    }
    default:
      break;
  }
  TRY(tty::check_change(task, *this));
  abi::Termios2 wanted = TRY(read_settings(request, argument, now));
  if (request_action(request) != abi::kTCSETS) TRY(drain(task));
  normalise(wanted);
  {
    Use use(*this);
    if (request_action(request) == abi::kTCSETSF) discipline_.flush_input();
    const abi::Termios2 before = discipline_.settings();
    discipline_.set_settings(wanted);
    pump();
    u32 events = 0;
    if (usual_flow_control(before) != usual_flow_control(wanted)) {
      events |= usual_flow_control(wanted) ? abi::kTIOCPKT_DOSTOP : abi::kTIOCPKT_NOSTOP;
    }
    if ((before.c_lflag | wanted.c_lflag) & abi::kEXTPROC) events |= abi::kTIOCPKT_IOCTL;
    if (events != 0) notify_packet(events);
    events_.wake();
  }
  // Turning IXON off may have let output go on.
  (void)drain(task);
  return u64{0};
}

Result<u64> Tty::set_foreground(Task& task, UserAddr argument) {
  auto allowed = tty::check_change(task, *this);
  if (allowed.is(Errno::kEIO)) return Errno::kENOTTY;  // Linux: what POSIX wants here
  TRY(std::move(allowed));
  if (!tty::is_controlling(task, *this)) return Errno::kENOTTY;
  const i32 wanted = TRY(UserIn<i32>{argument}.read());
  if (wanted < 0) return Errno::kEINVAL;
  KernelLock::Held held;
  if (!tty::is_controlling(task, *this)) return Errno::kENOTTY;
  auto group = kernel().groups.find(Pid{wanted});
  if (group == kernel().groups.end()) return Errno::kESRCH;
  if (group->second->session != session_) return Errno::kEPERM;
  foreground_ = Pid{wanted};
  return u64{0};
}

Result<u64> Tty::job_ioctl(Task& task, u32 request, UserAddr argument, TtyFile* file) {
  if (request == abi::kTIOCSPGRP) return set_foreground(task, argument);
  i32 answer;
  {
    KernelLock::Held held;
    const bool is_own = tty::is_controlling(task, *this);
    switch (request) {
      case abi::kTIOCSCTTY:
        if (!file) return Errno::kENOTTY;
        TRY(tty::acquire(task, *this, file->readable(), argument.value == 1));
        return u64{0};
      case abi::kTIOCNOTTY: {
        if (!file || !is_own) return Errno::kENOTTY;
        // The terminal is the session's here, so that a single process cannot give it up.
        if (task.process->pid != task.session().id) return Errno::kEPERM;
        RefPtr<ProcessGroup> group = foreground_group();
        detach();
        if (!group) return u64{0};
        signals::send(*group, signals::kernel_info(abi::kSIGHUP));
        signals::send(*group, signals::kernel_info(abi::kSIGCONT));
        return u64{0};
      }
      case abi::kTIOCGPGRP:
        if (file && !is_own) return Errno::kENOTTY;
        answer = foreground_.value;
        break;
      default:
        // TIOCGSID
        if ((file && !is_own) || !session_) return Errno::kENOTTY;
        answer = session_->id.value;
        break;
    }
  }
  return reply(argument, answer);
}

Result<u64> Tty::flow_control(Task& task, i32 action, bool from_master) {
  if (from_master) return Errno::kEINVAL;
  {
    Lock::Held held(lock_);
    switch (action) {
      case abi::kTCOOFF:
        discipline_.stop();
        return u64{0};
      case abi::kTCOON:
        discipline_.start();
        break;
      case abi::kTCIOFF:
      case abi::kTCION: {
        // The other end is asked to stop or go on sending.
        const u32 index = action == abi::kTCIOFF ? abi::kVSTOP : abi::kVSTART;
        const u8 key = discipline_.settings().c_cc[index];
        if (key == abi::k_POSIX_VDISABLE) return u64{0};
        output_.append({&key, 1});
        output_added();
        break;
      }
      default:
        return Errno::kEINVAL;
    }
  }
  (void)drain(task);
  return u64{0};
}

Result<u64> Tty::flush(Task&, i32 queues, bool from_master) {
  if (queues != abi::kTCIFLUSH && queues != abi::kTCOFLUSH && queues != abi::kTCIOFLUSH) {
    return Errno::kEINVAL;
  }
  const bool input = queues != abi::kTCOFLUSH;
  const bool output = queues != abi::kTCIFLUSH;
  Lock::Held held(lock_);
  if (from_master) {
    // Its input is the programs' output, and the other way round.
    if (input) {
      output_.clear();
      events_.wake(kAllEvents);
    }
    if (output) flush_pending_input();
    return u64{0};
  }
  if (input) discipline_.flush_input();
  if (output) discard_output();
  return u64{0};
}

abi::Winsize Tty::size() const {
  Lock::Held held(lock_);
  return size_;
}

usize Tty::bytes_to_read(bool from_master) const {
  Lock::Held held(lock_);
  return from_master ? output_.size() : discipline_.available();
}

Result<u64> Tty::ioctl(Task& task, u32 request, u64 raw_argument, TtyFile* file) {
  const UserAddr argument{raw_argument};
  const i32 number = static_cast<i32>(raw_argument);
  if (file && file->hung_up()) {
    return request == abi::kTIOCSPGRP ? Errno::kENOTTY : Errno::kEIO;
  }
  switch (request) {
    case abi::kTCGETS:
    case abi::kTCGETS2:
    case abi::kTCGETA:
    case abi::kTCSETS:
    case abi::kTCSETSW:
    case abi::kTCSETSF:
    case abi::kTCSETS2:
    case abi::kTCSETSW2:
    case abi::kTCSETSF2:
    case abi::kTCSETA:
    case abi::kTCSETAW:
    case abi::kTCSETAF:
      return settings_ioctl(task, request, argument);

    case abi::kTIOCSCTTY:
    case abi::kTIOCNOTTY:
    case abi::kTIOCGPGRP:
    case abi::kTIOCSPGRP:
    case abi::kTIOCGSID:
      return job_ioctl(task, request, argument, file);

    case abi::kTIOCGWINSZ:
      return reply(argument, size());
    case abi::kTIOCSWINSZ:
      resize(TRY(UserIn<abi::Winsize>{argument}.read()));
      return u64{0};

    case abi::kFIONREAD:
      return reply(argument, static_cast<i32>(bytes_to_read(!file)));
    case abi::kTIOCOUTQ:
      // Linux: a pseudo-terminal's output has always gone already.
      return reply(argument, i32{0});
    case abi::kTCFLSH:
      if (file) TRY(tty::check_change(task, *this));
      return flush(task, number, !file);
    case abi::kTCXONC:
      if (file) TRY(tty::check_change(task, *this));
      return flow_control(task, number, !file);
    case abi::kTCSBRK:
    case abi::kTCSBRKP:
      // There is no line on which to send a break; tcdrain waits all the same.
      if (file) TRY(tty::check_change(task, *this));
      TRY(drain(task));
      return u64{0};
    case abi::kTIOCSBRK:
    case abi::kTIOCCBRK:
      return u64{0};

    case abi::kTIOCSTI: {
      // As with dev.tty.legacy_tiocsti = 0.
      if (!task.has_capability(abi::kCAP_SYS_ADMIN)) return Errno::kEIO;
      const u8 typed = TRY(UserIn<u8>{argument}.read());
      Use use(*this);
      feed({&typed, 1});
      return u64{0};
    }
    case abi::kTIOCVHANGUP:
      if (!task.has_capability(abi::kCAP_SYS_ADMIN)) return Errno::kEPERM;
      hang_up();
      return u64{0};

    case abi::kTIOCEXCL:
      exclusive_ = true;
      return u64{0};
    case abi::kTIOCNXCL:
      exclusive_ = false;
      return u64{0};
    case abi::kTIOCGEXCL:
      return reply(argument, i32{exclusive()});

    case abi::kTIOCGETD:
      return reply(argument, i32{abi::kN_TTY});
    case abi::kTIOCSETD:
      if (TRY(UserIn<i32>{argument}.read()) != abi::kN_TTY) return Errno::kEINVAL;
      return u64{0};
    case abi::kTIOCGDEV:
      return reply(argument, static_cast<u32>(device()));
    case abi::kTIOCGSOFTCAR:
      return reply(argument, i32{(settings().c_cflag & abi::kCLOCAL) != 0});
    case abi::kTIOCSSOFTCAR: {
      const bool on = TRY(UserIn<i32>{argument}.read()) != 0;
      Lock::Held held(lock_);
      abi::Termios2 changed = discipline_.settings();
      changed.c_cflag = on ? changed.c_cflag | abi::kCLOCAL : changed.c_cflag & ~abi::kCLOCAL;
      discipline_.set_settings(changed);
      return u64{0};
    }
    default:
      // No modem lines, no serial port, no virtual console.
      return Errno::kENOTTY;
  }
}

}  // namespace lxss
