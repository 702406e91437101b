#include <algorithm>

#include "host/clock.h"
#include "lxcore/kernel.h"
#include "lxcore/syscalls/misc.h"

namespace lxss::sys {

Result<> uname(UnlockedTask, UserOut<abi::NewUtsname> name) {
  abi::NewUtsname result{};
  auto put = [](char(&field)[65], std::string_view text) {
    std::copy_n(text.data(), std::min(text.size(), sizeof field - 1), field);
  };
  put(result.sysname, "Linux");
  put(result.release, kKernelRelease);
  put(result.version, kKernelVersion);
  put(result.machine, "x86_64");
  {
    KernelLock::Held held;
    put(result.nodename, kernel().hostname);
    put(result.domainname, kernel().domainname);
  }
  return name.write(result);
}

namespace {

/// The host's load averages, as fixed-point numbers with 16 binary places.
void read_loads(u64 (&loads)[3]) {
  char text[64];
  auto size = host::machine_text("loadavg", 0, text);
  if (!size) return;
  std::string_view rest(text, *size);
  for (u64& load : loads) {
    usize end = rest.find(' ');
    std::string_view word = rest.substr(0, end);
    usize point = word.find('.');
    if (point == word.npos || end == rest.npos) return;
    u64 whole = parse_number<u64>(word.substr(0, point)).value_or(0);
    u64 hundredths = parse_number<u64>(word.substr(point + 1)).value_or(0);
    load = (whole << 16) + (hundredths << 16) / 100;
    rest.remove_prefix(end + 1);
  }
}

}  // namespace

Result<> sysinfo(UnlockedTask, UserOut<abi::Sysinfo> info) {
  const host::MachineMemory memory = host::machine_memory();
  abi::Sysinfo result{};
  result.uptime = i64(host::boottime_ns() / 1'000'000'000);
  read_loads(result.loads);
  result.totalram = memory.total;
  result.freeram = memory.free;
  result.bufferram = memory.buffers;
  result.totalswap = memory.swap_total;
  result.freeswap = memory.swap_free;
  {
    KernelLock::Held held;
    result.procs = u16(std::min<usize>(kernel().tasks.size(), 0xffff));
  }
  result.mem_unit = 1;
  return info.write(result);
}

namespace {

Result<> set_name(Task& task, UserAddr name, i32 length, std::string& target) {
  if (!task.has_capability(abi::kCAP_SYS_ADMIN)) return Errno::kEPERM;
  char text[64];
  if (length < 0 || length > i32(sizeof text)) return Errno::kEINVAL;
  TRY(copy_in(text, name, usize(length)));
  std::string_view view(text, usize(length));
  std::string next(view.substr(0, view.find('\0')));
  KernelLock::Held held;
  target.swap(next);
  return {};
}

}  // namespace

Result<> sethostname(UnlockedTask task, UserAddr name, i32 length) {
  return set_name(task, name, length, kernel().hostname);
}

Result<> setdomainname(UnlockedTask task, UserAddr name, i32 length) {
  return set_name(task, name, length, kernel().domainname);
}

// The kernel log of an instance is always empty for its guests: its own log is the manager's.
Result<i32> syslog(UnlockedTask task, i32 type, UserAddr, i32) {
  if (type < 0 || type > abi::kSYSLOG_ACTION_SIZE_BUFFER) return Errno::kEINVAL;
  if (!task->has_capability(abi::kCAP_SYSLOG) && type != abi::kSYSLOG_ACTION_READ_ALL &&
      type != abi::kSYSLOG_ACTION_SIZE_BUFFER) {
    return Errno::kEPERM;
  }
  return 0;
}

// The end of an instance is the manager's business.
Result<> reboot(UnlockedTask task, u32 magic, u32 magic2, u32, UserAddr) {
  if (!task->has_capability(abi::kCAP_SYS_BOOT)) return Errno::kEPERM;
  constexpr u32 kMagic = 0xfee1dead;
  constexpr u32 kSecondMagics[] = {672274793, 85072278, 369367448, 537993216};
  if (magic != kMagic || std::ranges::find(kSecondMagics, magic2) == std::end(kSecondMagics)) {
    return Errno::kEINVAL;
  }
  // The instance ends when its manager says so.
  return Errno::kEPERM;
}

Result<usize> getrandom(UnlockedTask, UserAddr buffer, usize size, abi::GrndFlags flags) {
  using abi::GrndFlag;
  if (!flags.within(GrndFlag::kGRND_NONBLOCK | GrndFlag::kGRND_RANDOM | GrndFlag::kGRND_INSECURE) ||
      (flags.has(GrndFlag::kGRND_RANDOM) && flags.has(GrndFlag::kGRND_INSECURE))) {
    return Errno::kEINVAL;
  }
  std::byte chunk[512];
  usize done = 0;
  while (done < size) {
    usize part = std::min(size - done, sizeof chunk);
    host::random_bytes({chunk, part});
    usize copied = copy_out_partial(buffer + done, chunk, part);
    done += copied;
    if (copied < part) return done ? Result<usize>(done) : Errno::kEFAULT;
  }
  return done;
}

}  // namespace lxss::sys
