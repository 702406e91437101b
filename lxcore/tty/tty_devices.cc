// The device numbers of terminals (man 4 tty, console, pts).
#include "lxcore/tty/console.h"
#include "lxcore/tty/pty.h"
#include "lxcore/tty/pty_system.h"
#include "lxcore/vfs/devices.h"

namespace lxss {

Result<RefPtr<File>> tty::open(Task& task, Tty& tty, abi::OpenFlags flags) {
  if (tty.exclusive() && !task.has_capability(abi::kCAP_SYS_ADMIN)) return Errno::kEBUSY;
  acquire_on_open(task, tty, flags);
  return RefPtr<File>(make_ref<TtyFile>(RefPtr<Tty>(tty)));
}

namespace devices {

namespace {

/// /dev/tty: whatever terminal the session has.
Result<RefPtr<File>> open_controlling_terminal(Task& task, u32, abi::OpenFlags flags) {
  RefPtr<Tty> terminal;
  {
    KernelLock::Held held;
    terminal = tty::controlling_terminal(task);
  }
  if (!terminal) return Errno::kENXIO;
  return tty::open(task, *terminal, flags | abi::OpenFlag::kO_NOCTTY);
}

/// /dev/console: the terminal of the launcher that has had one for longest. It becomes nobody's
/// controlling terminal by being opened.
Result<RefPtr<File>> open_console_device(Task& task, u32, abi::OpenFlags flags) {
  RefPtr<Tty> console = PtySystem::get().console();
  if (!console) return Errno::kENODEV;
  return tty::open(task, *console, flags | abi::OpenFlag::kO_NOCTTY);
}

/// /dev/ptmx: a new pair.
Result<RefPtr<File>> open_master(Task& task, u32, abi::OpenFlags) {
  if (!PtySystem::get().has_room()) return Errno::kENOSPC;
  return RefPtr<File>(make_ref<PtyMasterFile>(make_ref<Pty>(*task.credentials)));
}

/// /dev/pts/N.
Result<RefPtr<File>> open_slave(Task& task, u32 minor, abi::OpenFlags flags) {
  RefPtr<Tty> terminal = PtySystem::get().find(minor);
  if (!terminal || terminal->locked()) return Errno::kEIO;
  return tty::open(task, *terminal, flags);
}

}  // namespace

constinit const Driver kTtyDevices[4] = {
    {5, 0, 0, "/dev/tty", open_controlling_terminal},
    {5, 1, 1, "/dev/console", open_console_device},
    {5, 2, 2, "/dev/ptmx", open_master},
    {kPtsMajor, 0, PtySystem::kMaxTerminals - 1, "pts", open_slave},
};

}  // namespace devices
}  // namespace lxss
