// Terminals: pseudoterminals, line editing, signals from keys, job control, packet mode.
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "check.h"

namespace {

/// A pseudoterminal with echo off unless asked for; the slave is not a controlling terminal.
class Terminal {
 public:
  explicit Terminal(tcflag_t extra_local_flags = 0) {
    master = OK(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    OK(grantpt(master));
    OK(unlockpt(master));
    slave = OK(open(ptsname(master), O_RDWR | O_NOCTTY));
    change([=](termios& settings) {
      settings.c_lflag &= ~(ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE);
      settings.c_lflag |= extra_local_flags;
      settings.c_oflag &= ~OPOST;
    });
  }

  termios settings() const {
    termios result;
    OK(tcgetattr(slave, &result));
    return result;
  }

  template <typename Change>
  void change(Change change) const {
    termios changed = settings();
    change(changed);
    OK(tcsetattr(slave, TCSANOW, &changed));
  }

  void type(std::string_view keys) const {
    CHECK_EQ(write(master, keys.data(), keys.size()), keys.size());
  }

  std::string read_line() const {
    char buffer[5000];
    return {buffer, static_cast<size_t>(OK(read(slave, buffer, sizeof buffer)))};
  }

  /// What the master sees, up to and with `end`.
  std::string screen_until(std::string_view end) const {
    std::string text;
    while (!text.ends_with(end)) {
      char byte;
      CHECK_EQ(read(master, &byte, 1), 1);
      text += byte;
    }
    return text;
  }

  bool has_input() const {
    pollfd poller = {slave, POLLIN, 0};
    return OK(poll(&poller, 1, 0)) == 1;
  }

  int master, slave;
};

/// Runs `body` as the leader of a session whose controlling terminal is `terminal`.
template <typename Body>
pid_t in_session(const Terminal& terminal, Body body) {
  return in_child([&] {
    OK(setsid());
    OK(ioctl(terminal.slave, TIOCSCTTY, 0));
    body();
  });
}

}  // namespace

TEST(names_and_numbers) {
  const int master = OK(posix_openpt(O_RDWR | O_NOCTTY));
  int number;
  OK(ioctl(master, TIOCGPTN, &number));
  CHECK_EQ(std::string(ptsname(master)), "/dev/pts/" + std::to_string(number));
  // The slave is locked at first.
  CHECK_ERRNO(open(ptsname(master), O_RDWR | O_NOCTTY), EIO);
  OK(unlockpt(master));
  const int slave = OK(open(ptsname(master), O_RDWR | O_NOCTTY));
  CHECK_EQ(isatty(slave), 1);
  CHECK_EQ(isatty(master), 1);
  CHECK_EQ(std::string(ttyname(slave)), std::string(ptsname(master)));
  struct stat status;
  OK(fstat(slave, &status));
  CHECK(S_ISCHR(status.st_mode));
  CHECK_EQ(status.st_rdev >> 8, 136);
  const int peer = OK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
  CHECK_EQ(isatty(peer), 1);
}

TEST(default_settings) {
  const int master = OK(posix_openpt(O_RDWR | O_NOCTTY));
  termios settings;
  OK(tcgetattr(master, &settings));
  CHECK_EQ(settings.c_iflag, ICRNL | IXON);
  CHECK_EQ(settings.c_oflag, OPOST | ONLCR);
  CHECK_EQ(settings.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
  CHECK_EQ(settings.c_cc[VINTR], 3);
  CHECK_EQ(settings.c_cc[VEOF], 4);
  CHECK_EQ(settings.c_cc[VERASE], 0x7f);
  CHECK_EQ(settings.c_cc[VKILL], 0x15);
  CHECK_EQ(settings.c_cc[VSUSP], 0x1a);
  CHECK_EQ(settings.c_cc[VQUIT], 0x1c);
  CHECK_EQ(cfgetospeed(&settings), B38400);
}

TEST(settings_are_kept) {
  const Terminal terminal;
  terminal.change([](termios& settings) { settings.c_cc[VINTR] = 'q'; });
  termios settings;
  OK(tcgetattr(terminal.master, &settings));
  CHECK_EQ(settings.c_cc[VINTR], 'q');
  CHECK_ERRNO(tcsetattr(terminal.slave, 99, &settings), EINVAL);
  write_file("file", "");
  CHECK_ERRNO(tcgetattr(OK(open("file", O_RDONLY)), &settings), ENOTTY);
}

TEST(canonical_reads_give_lines) {
  const Terminal terminal;
  terminal.type("one");
  CHECK(!terminal.has_input());
  terminal.type("\ntwo\n");
  CHECK(terminal.has_input());
  CHECK_EQ(terminal.read_line(), "one\n");
  char buffer[2];
  CHECK_EQ(read(terminal.slave, buffer, 2), 2);
  CHECK_EQ(terminal.read_line(), "o\n");
}

TEST(line_editing) {
  const Terminal terminal;
  terminal.type("abcd\x7f\x7fx\n");
  CHECK_EQ(terminal.read_line(), "abx\n");
  terminal.type("lost\x15kept\n");
  CHECK_EQ(terminal.read_line(), "kept\n");
  terminal.type("two words \x17x\n");
  CHECK_EQ(terminal.read_line(), "two x\n");
  // The erase character is ^? here; ^H is an ordinary one.
  terminal.type("a\x08\n");
  CHECK_EQ(terminal.read_line(), "a\x08\n");
  terminal.type("a\x16\x7f\x16\x03\n");
  CHECK_EQ(terminal.read_line(), "a\x7f\x03\n");
  terminal.type("\x7f\x7f\x7fok\n");
  CHECK_EQ(terminal.read_line(), "ok\n");
}

TEST(end_of_file_key) {
  const Terminal terminal;
  terminal.type("\x04");
  CHECK_EQ(terminal.read_line(), "");
  terminal.type("part\x04");
  CHECK_EQ(terminal.read_line(), "part");
  terminal.type("more\n");
  CHECK_EQ(terminal.read_line(), "more\n");
}

TEST(input_translation) {
  const Terminal terminal;
  terminal.type("a\r");
  CHECK_EQ(terminal.read_line(), "a\n");
  terminal.change([](termios& settings) { settings.c_iflag = INLCR; });
  terminal.type("b\n\x04");
  CHECK_EQ(terminal.read_line(), "b\r");
  terminal.change([](termios& settings) { settings.c_iflag = IGNCR; });
  terminal.type("c\rd\n");
  CHECK_EQ(terminal.read_line(), "cd\n");
  terminal.change([](termios& settings) { settings.c_iflag = ISTRIP; });
  terminal.type("\xe1\n");
  CHECK_EQ(terminal.read_line(), "a\n");
}

TEST(output_translation) {
  const Terminal terminal;
  const auto print = [&](std::string_view text) {
    CHECK_EQ(write(terminal.slave, text.data(), text.size()), text.size());
  };
  print("a\nb.");
  CHECK_EQ(terminal.screen_until("."), "a\nb.");
  terminal.change([](termios& settings) { settings.c_oflag = OPOST | ONLCR; });
  print("a\nb.");
  CHECK_EQ(terminal.screen_until("."), "a\r\nb.");
  terminal.change([](termios& settings) { settings.c_oflag = OPOST | OCRNL; });
  print("a\rb.");
  CHECK_EQ(terminal.screen_until("."), "a\nb.");
  terminal.change([](termios& settings) { settings.c_oflag = OPOST | XTABS; });
  print("\r\t.");
  CHECK_EQ(terminal.screen_until("."), "\r        .");
  terminal.change([](termios& settings) { settings.c_oflag = OPOST | OLCUC; });
  print("abc.");
  CHECK_EQ(terminal.screen_until("."), "ABC.");
}

TEST(echo_forms) {
  const Terminal terminal(ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE);
  terminal.type(
      "ab\x7f"
      "c\n");
  CHECK_EQ(terminal.screen_until("\n"), "ab\b \bc\n");
  CHECK_EQ(terminal.read_line(), "ac\n");
  // Control characters take two columns.
  terminal.type(
      "\x01\x7f"
      "x\n");
  CHECK_EQ(terminal.screen_until("\n"), "^A\b \b\b \bx\n");
  terminal.read_line();
  terminal.type(
      "abc\x15"
      "d\n");
  CHECK_EQ(terminal.screen_until("\n"), "abc\b \b\b \b\b \bd\n");
  terminal.read_line();
  terminal.change([](termios& settings) { settings.c_lflag &= ~(ECHOKE | ECHOCTL); });
  terminal.type(
      "abc\x15"
      "d\n");
  CHECK_EQ(terminal.screen_until("d\n"), "abc\x15\nd\n");
}

TEST(echo_of_newline_only) {
  const Terminal terminal(ECHONL);
  terminal.type("secret\n");
  CHECK_EQ(terminal.screen_until("\n"), "\n");
}

TEST(reprint_key) {
  const Terminal terminal(ECHO | ECHOCTL);
  terminal.type(
      "ab\x12"
      "c\n");
  CHECK_EQ(terminal.screen_until("c\n"), "ab^R\nabc\n");
}

TEST(raw_mode_minimum_and_time) {
  const Terminal terminal;
  const auto raw = [&](cc_t minimum, cc_t time) {
    terminal.change([=](termios& settings) {
      cfmakeraw(&settings);
      settings.c_cc[VMIN] = minimum;
      settings.c_cc[VTIME] = time;
    });
  };
  raw(1, 0);
  terminal.type("\x03\x04\r");
  CHECK_EQ(terminal.read_line(), "\x03\x04\r");
  raw(0, 0);
  CHECK_EQ(terminal.read_line(), "");
  raw(0, 1);
  CHECK_EQ(terminal.read_line(), "");
  raw(3, 0);
  const pid_t child = in_child([&] { CHECK_EQ(terminal.read_line(), "abc"); });
  terminal.type("ab");
  await_state(child, 'S');
  terminal.type("c");
  CHECK_EXIT(child, 0);
  // With both, the time runs from the first byte on.
  raw(10, 1);
  terminal.type("ab");
  CHECK_EQ(terminal.read_line(), "ab");
}

TEST(nonblocking_and_poll) {
  const Terminal terminal;
  OK(fcntl(terminal.slave, F_SETFL, O_NONBLOCK));
  char byte;
  CHECK_ERRNO(read(terminal.slave, &byte, 1), EAGAIN);
  terminal.type("x\n");
  CHECK(terminal.has_input());
  int available;
  OK(ioctl(terminal.slave, FIONREAD, &available));
  CHECK_EQ(available, 2);
  OK(tcflush(terminal.slave, TCIFLUSH));
  CHECK_ERRNO(read(terminal.slave, &byte, 1), EAGAIN);
  CHECK_EQ(write(terminal.slave, "y", 1), 1);
  pollfd poller = {terminal.master, POLLIN | POLLOUT, 0};
  CHECK_EQ(poll(&poller, 1, -1), 1);
  CHECK_EQ(poller.revents, POLLIN | POLLOUT);
}

TEST(window_size) {
  const Terminal terminal;
  winsize size = {1, 1, 1, 1};
  OK(ioctl(terminal.slave, TIOCGWINSZ, &size));
  CHECK_EQ(size.ws_row + size.ws_col, 0);
  const Signpost ready;
  const pid_t child = in_session(terminal, [&] {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGWINCH);
    OK(sigprocmask(SIG_BLOCK, &mask, nullptr));
    ready.reach();
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&mask, &info), SIGWINCH);
    winsize now;
    OK(ioctl(terminal.slave, TIOCGWINSZ, &now));
    CHECK_EQ(now.ws_row, 25);
    CHECK_EQ(now.ws_col, 80);
  });
  ready.await();
  size = {25, 80, 0, 0};
  OK(ioctl(terminal.master, TIOCSWINSZ, &size));
  CHECK_EXIT(child, 0);
}

TEST(keys_send_signals) {
  const std::pair<char, int> keys[] = {{3, SIGINT}, {0x1c, SIGQUIT}};
  for (const auto& [key, signal] : keys) {
    const Terminal terminal(ECHO | ECHOCTL);
    const Signpost ready;
    const pid_t child = in_session(terminal, [&] {
      ready.reach();
      pause();
    });
    ready.await();
    terminal.type("lost");
    terminal.type({&key, 1});
    const int status = reap(child);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), signal);
    // The signal also discards output, so that the echo of what came before may be missing.
    terminal.screen_until(signal == SIGINT ? "^C" : "^\\");
  }
}

TEST(signal_key_flushes_input_unless_noflsh) {
  const Terminal terminal;
  terminal.type("lost\x03kept\n");
  CHECK_EQ(terminal.read_line(), "kept\n");
  terminal.change([](termios& settings) { settings.c_lflag |= NOFLSH; });
  terminal.type("both\x03 kept\n");
  CHECK_EQ(terminal.read_line(), "both kept\n");
  terminal.change([](termios& settings) { settings.c_lflag &= ~ISIG; });
  terminal.type("\x03\n");
  CHECK_EQ(terminal.read_line(), "\x03\n");
}

TEST(controlling_terminal) {
  const Terminal terminal;
  pid_t group;
  CHECK_ERRNO(ioctl(terminal.slave, TIOCGPGRP, &group), ENOTTY);
  const pid_t child = in_session(terminal, [&] {
    CHECK_EQ(tcgetpgrp(terminal.slave), getpid());
    CHECK_EQ(tcgetsid(terminal.slave), getpid());
    const int tty = OK(open("/dev/tty", O_RDWR));
    CHECK_EQ(isatty(tty), 1);
    CHECK_EQ(tcgetpgrp(tty), getpid());
    CHECK_ERRNO(tcsetpgrp(tty, 0x3fffffff), ESRCH);
    OK(ioctl(tty, TIOCNOTTY));
    CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
  });
  // Giving the terminal up hangs up the session's own group too.
  CHECK_KILLED(child, SIGHUP);
  CHECK_EXIT(in_child([&] {
               OK(setsid());
               // A session leader's first terminal becomes its own.
               OK(open(ptsname(terminal.master), O_RDWR));
               OK(open("/dev/tty", O_RDWR));
             }),
             0);
}

TEST(controlling_terminal_is_not_stolen) {
  const Terminal terminal;
  const Signpost ready;
  const pid_t owner = in_session(terminal, [&] {
    ready.reach();
    pause();
  });
  ready.await();
  CHECK_EXIT(in_child([&] {
               OK(setsid());
               CHECK_ERRNO(ioctl(terminal.slave, TIOCSCTTY, 0), EPERM);
             }),
             0);
  CHECK_ERRNO(ioctl(terminal.slave, TIOCSCTTY, 0), EPERM);
  OK(kill(owner, SIGKILL));
  CHECK_KILLED(owner, SIGKILL);
}

TEST(foreground_gets_the_keys) {
  const Terminal terminal;
  const Signpost ready;
  const pid_t session = in_session(terminal, [&] {
    signal(SIGTTOU, SIG_IGN);
    const pid_t job = in_child([&] {
      ready.await();
      while (true) pause();
    });
    OK(setpgid(job, job));
    OK(tcsetpgrp(terminal.slave, job));
    CHECK_EQ(tcgetpgrp(terminal.slave), job);
    CHECK_EQ(write(terminal.slave, "!", 1), 1);
    int status;
    CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(WSTOPSIG(status), SIGTSTP);
    OK(tcsetpgrp(terminal.slave, getpid()));
    OK(kill(job, SIGKILL));
    CHECK_KILLED(job, SIGKILL);
  });
  terminal.screen_until("!");
  terminal.type("\x1a");
  ready.reach();
  CHECK_EXIT(session, 0);
}

TEST(background_reads_and_writes) {
  const Terminal terminal;
  const pid_t session = in_session(terminal, [&] {
    const auto background = [&](auto body) {
      const Signpost go;
      const pid_t job = in_child([&] {
        go.await();
        body();
      });
      OK(setpgid(job, job));
      go.reach();
      return job;
    };
    const auto stopped_by = [](pid_t job) {
      int status;
      CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
      if (WIFEXITED(status)) return 1000 + WEXITSTATUS(status);
      const int signal = WSTOPSIG(status);
      OK(kill(job, SIGKILL));
      CHECK_KILLED(job, SIGKILL);
      return signal;
    };
    char byte;
    CHECK_EQ(stopped_by(background([&] { OK(read(terminal.slave, &byte, 1)); })), SIGTTIN);
    CHECK_EQ(stopped_by(background([&] {
               signal(SIGTTIN, SIG_IGN);
               CHECK_ERRNO(read(terminal.slave, &byte, 1), EIO);
             })),
             1000);
    // Writing is free unless TOSTOP says otherwise; changing settings is not.
    CHECK_EQ(stopped_by(background([&] { OK(write(terminal.slave, "x", 1)); })), 1000);
    const termios settings = terminal.settings();
    CHECK_EQ(stopped_by(background([&] { OK(tcsetattr(terminal.slave, TCSANOW, &settings)); })),
             SIGTTOU);
    terminal.change([](termios& changed) { changed.c_lflag |= TOSTOP; });
    CHECK_EQ(stopped_by(background([&] { OK(write(terminal.slave, "x", 1)); })), SIGTTOU);
    CHECK_EQ(stopped_by(background([&] {
               signal(SIGTTOU, SIG_IGN);
               OK(write(terminal.slave, "x", 1));
             })),
             1000);
    CHECK_EQ(stopped_by(background([&] { OK(tcsetpgrp(terminal.slave, getpgrp())); })), SIGTTOU);
  });
  CHECK_EXIT(session, 0);
}

TEST(hang_up_when_the_master_closes) {
  const Terminal terminal;
  const Signpost ready;
  const pid_t child = in_session(terminal, [&] {
    OK(close(terminal.master));
    static volatile sig_atomic_t hung_up = 0;
    sigset_t mask, old;
    sigemptyset(&mask);
    sigaddset(&mask, SIGHUP);
    OK(sigprocmask(SIG_BLOCK, &mask, &old));
    signal(SIGHUP, [](int) { hung_up = 1; });
    ready.reach();
    while (!hung_up) sigsuspend(&old);
    char byte;
    CHECK_EQ(read(terminal.slave, &byte, 1), 0);
    CHECK_ERRNO(write(terminal.slave, "x", 1), EIO);
    pollfd poller = {terminal.slave, POLLIN, 0};
    CHECK_EQ(poll(&poller, 1, 0), 1);
    CHECK(poller.revents & POLLHUP);
  });
  ready.await();
  OK(close(terminal.master));
  CHECK_EXIT(child, 0);
}

TEST(session_leader_exit_hangs_up) {
  const Terminal terminal;
  const Signpost told;
  const pid_t leader = in_session(terminal, [&] {
    const Signpost ready;
    in_child([&] {
      static const Signpost* post = &told;
      signal(SIGHUP, [](int) {
        post->reach('h');
        _exit(0);
      });
      ready.reach();
      while (true) pause();
    });
    ready.await();
  });
  CHECK_EXIT(leader, 0);
  CHECK_EQ(told.await(), 'h');
}

TEST(master_reads_eio_when_the_slave_has_gone) {
  const Terminal terminal;
  CHECK_EQ(write(terminal.slave, "x", 1), 1);
  OK(close(terminal.slave));
  char byte;
  CHECK_EQ(read(terminal.master, &byte, 1), 1);
  CHECK_ERRNO(read(terminal.master, &byte, 1), EIO);
  pollfd poller = {terminal.master, POLLIN, 0};
  CHECK_EQ(poll(&poller, 1, 0), 1);
  CHECK(poller.revents & POLLHUP);
  // It comes back with a new slave.
  OK(open(ptsname(terminal.master), O_RDWR | O_NOCTTY));
  CHECK_EQ(poll(&poller, 1, 0), 0);
}

TEST(flow_control_keys) {
  const Terminal terminal;
  OK(fcntl(terminal.slave, F_SETFL, O_NONBLOCK));
  // Linux: what is typed at the master takes effect a moment later.
  terminal.type("\x13");
  while (write(terminal.slave, "x", 1) == 1) sched_yield();
  CHECK_EQ(errno, EAGAIN);
  terminal.type("\x11");
  while (write(terminal.slave, "y", 1) == -1) CHECK_EQ(errno, EAGAIN);
  terminal.screen_until("y");
  OK(tcflow(terminal.slave, TCOOFF));
  CHECK_ERRNO(write(terminal.slave, "x", 1), EAGAIN);
  OK(tcflow(terminal.slave, TCOON));
  CHECK_EQ(write(terminal.slave, "z", 1), 1);
}

TEST(packet_mode) {
  const Terminal terminal;
  const int on = 1;
  OK(ioctl(terminal.master, TIOCPKT, &on));
  CHECK_EQ(write(terminal.slave, "data", 4), 4);
  char buffer[16];
  CHECK_EQ(read(terminal.master, buffer, sizeof buffer), 5);
  CHECK_EQ(buffer[0], TIOCPKT_DATA);
  OK(tcflush(terminal.slave, TCIFLUSH));
  CHECK_EQ(read(terminal.master, buffer, sizeof buffer), 1);
  CHECK_EQ(buffer[0] & TIOCPKT_FLUSHREAD, TIOCPKT_FLUSHREAD);
}

TEST(tiocsti_or_its_absence) {
  const Terminal terminal;
  const pid_t child = in_session(terminal, [&] {
    if (ioctl(terminal.slave, TIOCSTI, "x") == -1) return;  // newer kernels may refuse
    OK(ioctl(terminal.slave, TIOCSTI, "\n"));
    CHECK_EQ(terminal.read_line(), "x\n");
  });
  const int status = reap(child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(line_longer_than_the_buffer) {
  const Terminal terminal;
  const std::string line(5000, 'x');
  const pid_t child = in_child([&] { CHECK_EQ(terminal.read_line().size(), 4096); });
  terminal.type(line.substr(0, 4000));
  terminal.type(line.substr(4000));
  terminal.type("\n");
  CHECK_EXIT(child, 0);
}

TEST(forkpty_runs_a_program) {
  int master;
  const pid_t child = OK(forkpty(&master, nullptr, nullptr, nullptr));
  if (child == 0) {
    CHECK_EQ(isatty(0) + isatty(1) + isatty(2), 3);
    _exit(write(STDOUT_FILENO, "done\n", 5) == 5 ? 0 : 1);
  }
  CHECK_EQ(read_fd(master), "done\r\n");
  CHECK_EXIT(child, 0);
}

TEST(writers_to_one_terminal_do_not_mix) {
  // What one write() brings is displayed together, also when the terminal is full meanwhile.
  constexpr int kWriters = 3, kRounds = 3;
  constexpr size_t kSize = 9000;
  Terminal terminal;
  std::vector<pid_t> children;
  for (int i = 0; i < kWriters; ++i) {
    children.push_back(in_child([&, i] {
      const std::string text(kSize, static_cast<char>('a' + i));
      for (int round = 0; round < kRounds; ++round) {
        CHECK_EQ(write(terminal.slave, text.data(), text.size()), text.size());
      }
    }));
  }
  size_t left = kWriters * kRounds * kSize, run = 0;
  char last = 0;
  while (left != 0) {
    char buffer[3000];
    const ssize_t got = OK(read(terminal.master, buffer, sizeof buffer));
    for (ssize_t i = 0; i < got; ++i) {
      if (buffer[i] != last && last != 0) {
        CHECK_EQ(run % kSize, size_t{0});
        run = 0;
      }
      last = buffer[i];
      ++run;
    }
    left -= static_cast<size_t>(got);
  }
  for (pid_t child : children) CHECK_EXIT(child, 0);
}

TEST(full_terminal_stalls_nobody_else) {
  Terminal terminal;
  const pid_t writer = in_child([&] {
    const std::string text(1 << 20, 'x');
    while (write(terminal.slave, text.data(), text.size()) > 0) {
    }
  });
  // The terminal is full when it is no longer writable; its master still works.
  pollfd poller = {terminal.slave, POLLOUT, 0};
  while (poll(&poller, 1, 0) == 1) sched_yield();
  terminal.type("typed\n");
  CHECK_EQ(terminal.read_line(), "typed\n");
  CHECK_EQ(terminal.settings().c_lflag & ICANON, tcflag_t{ICANON});
  OK(kill(writer, SIGKILL));
  reap(writer);
}

TEST(readers_share_lines) {
  constexpr int kReaders = 3, kLines = 60;
  Terminal terminal;
  int seen[2];
  OK(pipe(seen));
  std::vector<pid_t> children;
  for (int i = 0; i < kReaders; ++i) {
    children.push_back(in_child([&] {
      for (;;) {
        const std::string line = terminal.read_line();
        if (line == "end\n") _exit(0);
        CHECK_EQ(line.size(), size_t{4});
        CHECK_EQ(write(seen[1], line.data(), line.size()), line.size());
      }
    }));
  }
  for (int i = 0; i < kLines; ++i) {
    char line[8];
    snprintf(line, sizeof line, "%03d\n", i);
    terminal.type(line);
  }
  std::vector<int> times(kLines);
  for (int i = 0; i < kLines; ++i) {
    char line[5] = {};
    CHECK_EQ(read(seen[0], line, 4), 4);
    ++times.at(static_cast<size_t>(atoi(line)));
  }
  for (int count : times) CHECK_EQ(count, 1);
  for (int i = 0; i < kReaders; ++i) terminal.type("end\n");
  for (pid_t child : children) CHECK_EXIT(child, 0);
}

TEST(closing_the_master_under_use) {
  // Readers and writers of the other end see a hang-up, whatever they are at.
  for (int round = 0; round < 8; ++round) {
    Terminal terminal;
    OK(fcntl(terminal.master, F_SETFD, FD_CLOEXEC));
    const pid_t reader = in_child([&] {
      close(terminal.master);
      char buffer[100];
      while (read(terminal.slave, buffer, sizeof buffer) > 0) {
      }
    });
    const pid_t writer = in_child([&] {
      close(terminal.master);
      char buffer[3000] = {};
      while (write(terminal.slave, buffer, sizeof buffer) > 0) {
      }
      CHECK_EQ(errno, EIO);
    });
    char buffer[5000];
    OK(read(terminal.master, buffer, sizeof buffer));
    terminal.type("line\n");
    OK(close(terminal.master));
    CHECK_EXIT(reader, 0);
    CHECK_EXIT(writer, 0);
    OK(close(terminal.slave));
  }
}
