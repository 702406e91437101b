// Clocks, randomness and facts about the machine.
#pragma once

#include <span>

#include "abi/linux/resource.h"
#include "abi/linux/time.h"
#include "base/result.h"
#include "host/fd.h"

namespace lxss::host {

/// `clock` is a Linux clock id, not negative. The per-process and per-thread CPU clocks are the
/// caller's.
Result<abi::Timespec> clock_time(i32 clock);
Result<abi::Timespec> clock_resolution(i32 clock);
u64 monotonic_ns();
u64 realtime_ns();
u64 boottime_ns();

/// CPU time of a pico process, or of a thread of the calling process, by its host id, in ns;
/// 0 if it is gone. (The host does not tell the time of other processes' single threads.)
u64 process_cpu_ns(i32 host_process);
u64 thread_cpu_ns(i32 host_thread);

/// The same time, divided as the host's clock ticks found it: an estimate, as on Linux. Time in
/// lxcore's own code counts as user time.
struct CpuTimes {
  u64 user_ns = 0, system_ns = 0;
};
CpuTimes process_cpu_times(i32 host_process);
CpuTimes thread_cpu_times(i32 host_thread);
/// What the calling process or thread has used: kRUSAGE_SELF or kRUSAGE_THREAD.
abi::Rusage usage(i32 who);

void random_bytes(std::span<std::byte> out);

struct Cpu {
  u32 cpu;
  u32 node;
};
Cpu current_cpu();
/// The CPUs that the caller may run on, as a bit mask of 1024 bits.
void allowed_cpus(std::span<u64, 16> mask);
Result<> set_allowed_cpus(i32 host_thread, std::span<const u64> mask);
void yield_cpu();

struct MachineMemory {
  u64 total, free, available, buffers, cached, swap_total, swap_free;  // bytes
};

/// The host's descriptions of the machine, open. lxcore keeps one in the arena.
struct MachineFiles {
  static constexpr usize kCount = 10;
  Fd fds[kCount] = {kNoFd, kNoFd, kNoFd, kNoFd, kNoFd, kNoFd, kNoFd, kNoFd, kNoFd, kNoFd};
};
/// Where the instance keeps them; defined by lxcore.
MachineFiles& machine_files();
/// Called once by the first process, before it is confined. What the host does not have
/// stays closed.
void open_machine_files();

/// Memory of the machine, read from the host.
MachineMemory machine_memory();
/// One of the host's own descriptions of the machine: "cpuinfo", "stat", "loadavg",
/// "meminfo", "vmstat", "diskstats", and of its network: "net/dev", "net/route", "net/if_inet6",
/// "net/ipv6_route". Returns bytes read at `offset`; ENOENT for any other, and
/// for what the host does not have.
Result<usize> machine_text(const char* name, u64 offset, std::span<char> buffer);

}  // namespace lxss::host
