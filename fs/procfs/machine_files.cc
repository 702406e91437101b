// The files of /proc itself: the machine as the host tells it, the instance as lxcore knows it.
#include <algorithm>

#include "fs/procfs/process_facts.h"
#include "host/clock.h"
#include "lxcore/kernel.h"
#include "lxcore/vfs/devices.h"
#include "lxcore/vfs/filesystem_types.h"
#include "lxcore/vfs/locks.h"

namespace lxss::procfs {

namespace {

using abi::kS_IFDIR;
using abi::kS_IFLNK;
using abi::kS_IFREG;

constexpr usize kMachineTextLimit = usize{1} << 20;

/// One of the host's descriptions of the machine; empty if it has none.
std::string machine_text(const char* name) {
  constexpr usize kStep = 16384;
  std::string text;
  KernelLock::Released released;
  while (text.size() < kMachineTextLimit) {
    usize size = text.size();
    text.resize(size + kStep);
    usize got = host::machine_text(name, size, {text.data() + size, kStep}).value_or(0);
    text.resize(size + got);
    if (got == 0) break;
  }
  return text;
}

template <const char* const& kName>
Result<> from_host(Machine&, TextBuilder& out) {
  out << machine_text(kName);
  return {};
}

constexpr const char* kCpuinfo = "cpuinfo";
constexpr const char* kMeminfo = "meminfo";
constexpr const char* kVmstat = "vmstat";
constexpr const char* kDiskstats = "diskstats";

template <const char* const& kText>
Result<> fixed(Machine&, TextBuilder& out) {
  out << kText;
  return {};
}

constexpr const char* kEmpty = "";
constexpr const char* kCgroups = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n";
constexpr const char* kSwaps = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
constexpr const char* kMounts = "self/mounts";
constexpr const char* kNet = "self/net";
// No program starts this kernel with a command line; what reads it expects a line.
constexpr const char* kCommandLine = "\n";
struct Count {
  usize running = 0, threads = 0;
};

Count count_threads() {
  Count count;
  KernelLock::Held held;
  for (auto& [tid, task] : kernel().tasks) {
    if (!task->process) continue;
    ++count.threads;
    count.running += state_letter({task->process, task}) == 'R';
  }
  return count;
}

/// Host's, but for the lines that tell of processes.
Result<> machine_stat(Machine&, TextBuilder& out) {
  std::string text = machine_text("stat");
  std::string_view rest = text;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.starts_with("processes ")) {
      KernelLock::Held held;
      out << "processes " << kernel().forks << '\n';
    } else if (line.starts_with("procs_running ")) {
      out << "procs_running " << count_threads().running << '\n';
    } else if (line.starts_with("procs_blocked ")) {
      out << "procs_blocked 0\n";
    } else {
      out << line << '\n';
    }
  }
  return {};
}

void append_hundredths(TextBuilder& out, u64 hundredths) {
  out << hundredths / 100 << '.';
  out.decimal(hundredths % 100, 2, '0');
}

/// The machine's, like the clocks that programs read without a system call.
Result<> uptime(Machine&, TextBuilder& out) {
  std::string text = machine_text("stat");
  // "cpu  user nice system idle ..." in ticks of all CPUs together.
  u64 idle = 0;
  const char* at = text.data();
  const char* end = at + std::min(text.find('\n'), text.size());
  for (int field = 0; field <= 4 && at != end; ++field) {
    const char* word_end = std::find(at, end, ' ');
    if (field == 4) std::from_chars(at, word_end, idle);
    at = std::find_if(word_end, end, [](char character) { return character != ' '; });
  }
  append_hundredths(out, host::boottime_ns() / kNsPerTick);
  out << ' ';
  append_hundredths(out, idle);
  out << '\n';
  return {};
}

Result<> loadavg(Machine&, TextBuilder& out) {
  std::string text = machine_text("loadavg");
  std::string_view load = text;
  usize end = 0;
  for (int field = 0; field < 3 && end != load.npos; ++field) end = load.find(' ', end + 1);
  Count count = count_threads();
  KernelLock::Held held;
  out << (end == load.npos || load.empty() ? "0.00 0.00 0.00" : load.substr(0, end)) << ' '
      << count.running << '/' << count.threads << ' ' << kernel().ids.last().value << '\n';
  return {};
}

/// Not of Linux: how the instance's system calls come in (pico/README.md).
Result<> lxss_text(Machine&, TextBuilder& out) {
  const pico::CallCounts calls = pico::call_counts();
  out << "direct_calls " << calls.direct << "\ntrapped_calls " << calls.trapped
      << "\nrewritten_texts " << kernel().texts.count() << '\n';
  return {};
}

Result<> version(Machine&, TextBuilder& out) {
  out << "Linux version " << kKernelRelease << " (lxss@lxss) (gcc) " << kKernelVersion << '\n';
  return {};
}

Result<> devices_text(Machine&, TextBuilder& out) {
  out << "Character devices:\n";
  u32 last = ~0u;
  auto line = [&](const devices::Driver& driver) {
    if (driver.major == last) return;
    out.decimal(driver.major, 3) << ' ' << driver.name << '\n';
    last = driver.major;
  };
  line(devices::kMemoryDevices);
  for (const devices::Driver& driver : devices::kTtyDevices) line(driver);
  out << "\nBlock devices:\n";
  return {};
}

Result<> locks_text(Machine&, TextBuilder& out) {
  out << locks::list();
  return {};
}

Result<> filesystems(Machine&, TextBuilder& out) {
  for (const FileSystemType& type : filesystem_types::all()) out << "nodev\t" << type.name << '\n';
  return {};
}

/// lxcore serves no interrupts: the heading alone.
Result<> interrupts(Machine&, TextBuilder& out) {
  std::string text = machine_text("stat");
  out << "          ";
  for (u32 cpu = 0;; ++cpu) {
    TextBuilder name;
    name << "\ncpu" << cpu << ' ';
    if (text.find(name.view()) == text.npos) break;
    usize start = out.size();
    out << " CPU" << cpu;
    out.pad_to(start + 11);
  }
  out << '\n';
  return {};
}

Result<> self(Machine&, TextBuilder& out) {
  out << Task::current().process->pid.value;
  return {};
}

Result<> thread_self(Machine&, TextBuilder& out) {
  const Task& task = Task::current();
  out << task.process->pid.value << "/task/" << task.tid.value;
  return {};
}

constexpr MachineEntry kSysvipc[] = {
    {.name = "msg", .mode = kS_IFREG | 0444, .generate = sysv_msg},
    {.name = "sem", .mode = kS_IFREG | 0444, .generate = sysv_sem},
    {.name = "shm", .mode = kS_IFREG | 0444, .generate = sysv_shm},
};

constexpr MachineEntry kRoot[] = {
    {.name = "cgroups", .mode = kS_IFREG | 0444, .generate = fixed<kCgroups>},
    {.name = "cmdline", .mode = kS_IFREG | 0444, .generate = fixed<kCommandLine>},
    {.name = "consoles", .mode = kS_IFREG | 0444, .generate = fixed<kEmpty>},
    {.name = "cpuinfo", .mode = kS_IFREG | 0444, .generate = from_host<kCpuinfo>},
    {.name = "devices", .mode = kS_IFREG | 0444, .generate = devices_text},
    {.name = "diskstats", .mode = kS_IFREG | 0444, .generate = from_host<kDiskstats>},
    {.name = "filesystems", .mode = kS_IFREG | 0444, .generate = filesystems},
    {.name = "interrupts", .mode = kS_IFREG | 0444, .generate = interrupts},
    {.name = "loadavg", .mode = kS_IFREG | 0444, .generate = loadavg},
    {.name = "locks", .mode = kS_IFREG | 0444, .generate = locks_text},
    {.name = "lxss", .mode = kS_IFREG | 0444, .generate = lxss_text},
    {.name = "meminfo", .mode = kS_IFREG | 0444, .generate = from_host<kMeminfo>},
    {.name = "misc", .mode = kS_IFREG | 0444, .generate = fixed<kEmpty>},
    {.name = "modules", .mode = kS_IFREG | 0444, .generate = fixed<kEmpty>},
    {.name = "mounts", .mode = kS_IFLNK | 0777, .generate = fixed<kMounts>},
    {.name = "net", .mode = kS_IFLNK | 0777, .generate = fixed<kNet>},
    {.name = "partitions", .mode = kS_IFREG | 0444, .generate = fixed<kEmpty>},
    {.name = "self", .mode = kS_IFLNK | 0777, .generate = self},
    {.name = "stat", .mode = kS_IFREG | 0444, .generate = machine_stat},
    {.name = "swaps", .mode = kS_IFREG | 0444, .generate = fixed<kSwaps>},
    {.name = "sys", .mode = kS_IFDIR | 0555, .make = make_sys},
    synthetic::directory_entry("sysvipc", 0555, kSysvipc),
    {.name = "thread-self", .mode = kS_IFLNK | 0777, .generate = thread_self},
    {.name = "uptime", .mode = kS_IFREG | 0444, .generate = uptime},
    {.name = "version", .mode = kS_IFREG | 0444, .generate = version},
    {.name = "vmstat", .mode = kS_IFREG | 0444, .generate = from_host<kVmstat>},
};

}  // namespace

std::span<const MachineEntry> root_table() { return kRoot; }

}  // namespace lxss::procfs
