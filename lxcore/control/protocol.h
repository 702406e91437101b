// The control protocol between the session manager and one running instance.
//
// A SOCK_SEQPACKET socket of the host; every packet is one message: a Header,
// the fixed part of its type, then (Boot, Launch) strings. Integers are the
// machine's (both ends run on one host). Descriptors travel as SCM_RIGHTS with
// the message that names them. The manager treats everything that an instance
// sends as hostile: lengths are checked, unknown types end the instance.
#pragma once

#include <cstdint>

namespace lxss::control {

inline constexpr std::uint32_t kVersion = 1;
/// Largest packet in either direction, in bytes.
inline constexpr std::uint32_t kMaxMessage = 160 * 1024;
/// Most descriptors with one message.
inline constexpr std::uint32_t kMaxDescriptors = 32;
inline constexpr std::uint32_t kMaxDrives = 26;
inline constexpr std::uint32_t kMaxGroups = 64;

/// Descriptors that the image finds open when it is executed; all others are closed.
inline constexpr int kControlFd = 3;  ///< this socket
inline constexpr int kRootFd = 4;     ///< the VolFs directory, O_RDONLY | O_DIRECTORY
inline constexpr int kLogFd = 5;      ///< text log of the instance, append only

enum class Type : std::uint32_t {
  // manager -> instance
  kBoot = 1,
  kLaunch = 2,
  kSignal = 3,
  kResize = 4,
  kHangUp = 5,
  kShutdown = 6,
  // instance -> manager
  kReady = 101,
  kBootFailed = 102,
  kStarted = 103,
  kLaunchFailed = 104,
  kExited = 105,
  kIdle = 106,
};

struct Header {
  Type type;
  std::uint32_t size;  ///< of the whole packet, this header included
};

/// First message. Followed by the drives' descriptors (one each, in order).
struct Boot {
  Header header{Type::kBoot, sizeof(Boot)};
  std::uint32_t version = kVersion;
  std::uint32_t drive_count = 0;
  char hostname[65] = {};
  bool rewrite_calls = true;  ///< in programs' text (lxcore/mm/text.h)
  char reserved[2] = {};
  struct Drive {
    char letter;  ///< 'c'..'z'; mounted at /mnt/<letter>
    char reserved[3];
    std::uint32_t uid, gid;
    std::uint32_t umask, fmask, dmask;
  } drives[kMaxDrives] = {};
};

enum LaunchFlag : std::uint32_t {
  kTerminal0 = 1,  ///< standard input is the launcher's terminal
  kTerminal1 = 2,
  kTerminal2 = 4,
  kTrace = 8,  ///< a fourth descriptor follows: system calls are traced to it
};

/// Starts a session. Descriptors: standard input, output, error; with
/// kTrace one more. Strings follow the struct, each ended by a NUL: the working
/// directory, the program's path, then argc arguments, then envc "NAME=value".
/// A path without '/' is searched in the PATH among the environment strings.
struct Launch {
  Header header{Type::kLaunch, 0};
  std::uint64_t session = 0;  ///< chosen by the manager, unique in the instance's life
  std::uint32_t flags = 0;    ///< LaunchFlag
  std::uint32_t uid = 0, gid = 0;
  std::uint32_t group_count = 0;
  std::uint32_t groups[kMaxGroups] = {};
  std::uint16_t rows = 24, columns = 80, x_pixels = 0, y_pixels = 0;
  std::uint32_t argc = 0, envc = 0;
};

/// Sends a signal (Linux's number) to the session's first process and, if the
/// session has a terminal, to the terminal's foreground process group instead.
/// SIGTSTP and SIGCONT tell that the launcher stops and goes on: the session's first process group
/// does so with it, and the terminal is not read meanwhile.
struct Signal {
  Header header{Type::kSignal, sizeof(Signal)};
  std::uint64_t session = 0;
  std::uint32_t number = 0;
  std::uint32_t reserved = 0;
};

struct Resize {
  Header header{Type::kResize, sizeof(Resize)};
  std::uint64_t session = 0;
  std::uint16_t rows = 0, columns = 0, x_pixels = 0, y_pixels = 0;
};

/// The launcher has gone: its terminal hangs up (SIGHUP as for a modem).
struct HangUp {
  Header header{Type::kHangUp, sizeof(HangUp)};
  std::uint64_t session = 0;
};

/// SIGTERM to all, SIGKILL after grace_ms, then files are synced and the instance exits with 0.
struct Shutdown {
  Header header{Type::kShutdown, sizeof(Shutdown)};
  std::uint32_t grace_ms = 0;
  std::uint32_t reserved = 0;
};

/// The instance accepts launches.
struct Ready {
  Header header{Type::kReady, sizeof(Ready)};
  std::uint32_t version = kVersion;
  std::uint32_t confinement = 0;  ///< Confinement bits in force
};

enum Confinement : std::uint32_t {
  kSeccomp = 1,
  kLandlockFiles = 2,
  kLandlockScope = 4,
};

/// The instance cannot start; it exits after this. One sentence for the user.
struct BootFailed {
  Header header{Type::kBootFailed, sizeof(BootFailed)};
  char text[256] = {};
};

struct Started {
  Header header{Type::kStarted, sizeof(Started)};
  std::uint64_t session = 0;
  std::int32_t pid = 0;  ///< in the instance
  std::uint32_t reserved = 0;
};

enum class LaunchStep : std::uint32_t {
  kMessage = 0,           ///< the message itself was not well-formed
  kWorkingDirectory = 1,  ///< chdir failed with the given error number
  kProgram = 2,           ///< execve failed with the given error number
  kResources = 3,
};

struct LaunchFailed {
  Header header{Type::kLaunchFailed, sizeof(LaunchFailed)};
  std::uint64_t session = 0;
  std::int32_t error = 0;  ///< Linux's errno
  LaunchStep step = LaunchStep::kMessage;
};

/// The session's first process has ended.
struct Exited {
  Header header{Type::kExited, sizeof(Exited)};
  std::uint64_t session = 0;
  std::int32_t wait_status = 0;  ///< as wait4 reports it
  std::uint32_t reserved = 0;
};

/// Sent whenever the number of live guest processes becomes, or ceases to be, 0.
struct Idle {
  Header header{Type::kIdle, sizeof(Idle)};
  std::uint32_t processes = 0;
  std::uint32_t reserved = 0;
};

}  // namespace lxss::control
