// Clocks, randomness and facts about the machine on a Linux host.
#include "host/clock.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "host/linux/syscall.h"

namespace lxss::host {

using sys::call;
using sys::check;
using sys::check_void;

namespace {

constexpr std::string_view kProc = "/proc/";
constexpr char kMachinePaths[MachineFiles::kCount][24] = {
    "/proc/cpuinfo",      "/proc/stat",          "/proc/loadavg", "/proc/meminfo",
    "/proc/vmstat",       "/proc/diskstats",     "/proc/net/dev", "/proc/net/route",
    "/proc/net/if_inet6", "/proc/net/ipv6_route"};

u64 nanoseconds(const abi::Timespec& time) {
  return static_cast<u64>(time.tv_sec) * abi::kNSEC_PER_SEC + static_cast<u64>(time.tv_nsec);
}

u64 clock_ns(i32 clock) { return nanoseconds(MUST(clock_time(clock))); }

/// CPU clock of another process or thread (abi::cpu_clock_pid's inverse): kCPUCLOCK_SCHED is
/// precise, the others count clock ticks.
u64 cpu_clock_ns(i32 id, i32 kind) {
  abi::Timespec time{};
  i32 clock = static_cast<i32>(~static_cast<u32>(id) << 3) | kind;
  return check(call(SYS_clock_gettime, clock, &time)) ? nanoseconds(time) : 0;
}

CpuTimes cpu_times(i32 id, i32 thread_bit) {
  constexpr u64 kMillisecond = 1'000'000;
  const u64 total = cpu_clock_ns(id, abi::kCPUCLOCK_SCHED | thread_bit);
  const u64 ticks = cpu_clock_ns(id, abi::kCPUCLOCK_PROF | thread_bit) / kMillisecond;
  const u64 user_ticks = cpu_clock_ns(id, abi::kCPUCLOCK_VIRT | thread_bit) / kMillisecond;
  if (ticks == 0 || user_ticks > ticks) return {total, 0};
  // total * user_ticks / ticks, without an overflow.
  const u64 user = total / ticks * user_ticks + total % ticks * user_ticks / ticks;
  return {user, total - user};
}

/// The value of "<name>: <number> kB" in bytes; 0 if there is none.
u64 meminfo_bytes(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.starts_with(name) || line.substr(name.size(), 1) != ":") continue;
    usize digits = line.find_first_of("0123456789");
    if (digits == line.npos) return 0;
    u64 kilobytes = 0;
    std::from_chars(line.data() + digits, line.data() + line.size(), kilobytes);
    return kilobytes * 1024;
  }
  return 0;
}

}  // namespace

// A negative id would name a clock of a host process or descriptor.
Result<abi::Timespec> clock_time(i32 clock) {
  if (clock < 0) return Errno::kEINVAL;
  abi::Timespec time;
  TRY(check(call(SYS_clock_gettime, clock, &time)));
  return time;
}

Result<abi::Timespec> clock_resolution(i32 clock) {
  if (clock < 0) return Errno::kEINVAL;
  abi::Timespec resolution;
  TRY(check(call(SYS_clock_getres, clock, &resolution)));
  return resolution;
}

u64 monotonic_ns() { return clock_ns(abi::kCLOCK_MONOTONIC); }
u64 realtime_ns() { return clock_ns(abi::kCLOCK_REALTIME); }
u64 boottime_ns() { return clock_ns(abi::kCLOCK_BOOTTIME); }

u64 process_cpu_ns(i32 host_process) { return cpu_clock_ns(host_process, abi::kCPUCLOCK_SCHED); }
u64 thread_cpu_ns(i32 host_thread) {
  return cpu_clock_ns(host_thread, abi::kCPUCLOCK_SCHED | abi::kCPUCLOCK_PERTHREAD_MASK);
}

CpuTimes process_cpu_times(i32 host_process) { return cpu_times(host_process, 0); }
CpuTimes thread_cpu_times(i32 host_thread) {
  return cpu_times(host_thread, abi::kCPUCLOCK_PERTHREAD_MASK);
}

abi::Rusage usage(i32 who) {
  abi::Rusage usage{};
  // The host brings a thread's account up to date only when it is asked for its process's.
  if (who != abi::kRUSAGE_SELF) MUST(check(call(SYS_getrusage, abi::kRUSAGE_SELF, &usage)));
  MUST(check(call(SYS_getrusage, who, &usage)));
  return usage;
}

void random_bytes(std::span<std::byte> out) {
  while (!out.empty()) {
    auto size = check(call(SYS_getrandom, out.data(), out.size(), 0));
    LXSS_ASSERT(size || size.is(Errno::kEINTR));
    if (size) out = out.subspan(*size);
  }
}

Cpu current_cpu() {
  Cpu cpu{};
  MUST(check(call(SYS_getcpu, &cpu.cpu, &cpu.node, nullptr)));
  return cpu;
}

void allowed_cpus(std::span<u64, 16> mask) {
  usize size = MUST(check(call(SYS_sched_getaffinity, 0, mask.size_bytes(), mask.data())));
  for (u64& word : mask.subspan(size / sizeof(u64))) word = 0;
}

Result<> set_allowed_cpus(i32 host_thread, std::span<const u64> mask) {
  return check_void(call(SYS_sched_setaffinity, host_thread, mask.size_bytes(), mask.data()));
}

void yield_cpu() { MUST(check(call(SYS_sched_yield))); }

void open_machine_files() {
  MachineFiles& files = machine_files();
  for (usize i = 0; i < MachineFiles::kCount; ++i) {
    auto fd = check(call(SYS_openat, AT_FDCWD, kMachinePaths[i], O_RDONLY | O_CLOEXEC, 0));
    if (fd) files.fds[i] = Fd(static_cast<i32>(*fd));
  }
}

MachineMemory machine_memory() {
  char buffer[2048];
  usize size = machine_text("meminfo", 0, buffer).value_or(0);
  std::string_view text(buffer, size);
  return {.total = meminfo_bytes(text, "MemTotal"),
          .free = meminfo_bytes(text, "MemFree"),
          .available = meminfo_bytes(text, "MemAvailable"),
          .buffers = meminfo_bytes(text, "Buffers"),
          .cached = meminfo_bytes(text, "Cached"),
          .swap_total = meminfo_bytes(text, "SwapTotal"),
          .swap_free = meminfo_bytes(text, "SwapFree")};
}

Result<usize> machine_text(const char* name, u64 offset, std::span<char> buffer) {
  for (usize i = 0; i < MachineFiles::kCount; ++i) {
    Fd fd = machine_files().fds[i];
    if (kMachinePaths[i] + kProc.size() != std::string_view(name) || fd == kNoFd) continue;
    const struct {
      char* address;
      usize size;
    } piece = {buffer.data(), buffer.size()};
    return check(call(SYS_preadv, fd.value, &piece, 1, offset, 0));
  }
  return Errno::kENOENT;
}

}  // namespace lxss::host
