#include "lxcore/time/clocks.h"

#include <algorithm>

#include "host/clock.h"
#include "lxcore/kernel.h"

namespace lxss::clocks {

Result<u64> to_ns(const abi::Timespec& time) {
  if (time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= i64(kSecond)) return Errno::kEINVAL;
  if (u64(time.tv_sec) >= kMaxTime / kSecond) return kMaxTime;
  return u64(time.tv_sec) * kSecond + u64(time.tv_nsec);
}

Result<u64> to_ns(const abi::Timeval& time) {
  if (time.tv_usec < 0 || time.tv_usec >= abi::kUSEC_PER_SEC) return Errno::kEINVAL;
  return to_ns(abi::Timespec{time.tv_sec, time.tv_usec * abi::kNSEC_PER_USEC});
}

abi::Timespec to_timespec(u64 ns) { return {i64(ns / kSecond), i64(ns % kSecond)}; }

abi::Timeval to_timeval(u64 ns) {
  return {i64(ns / kSecond), i64(ns % kSecond) / abi::kNSEC_PER_USEC};
}

host::Deadline deadline_after(u64 timeout_ns) {
  u64 deadline = add(host::monotonic_ns(), timeout_ns);
  if (deadline == kMaxTime) return std::nullopt;
  return deadline;
}

host::Deadline poll_deadline(u64 timeout_ns) {
  if (timeout_ns == 0) return u64{0};
  return deadline_after(timeout_ns);
}

u64 time_left(u64 deadline_ns) {
  u64 now_ns = host::monotonic_ns();
  return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

Result<Clock> find(Task& task, i32 clock_id) {
  using Kind = Clock::Kind;
  if (clock_id >= 0) {
    if (clock_id == abi::kCLOCK_PROCESS_CPUTIME_ID) {
      return Clock{.kind = Kind::kProcessCpu, .process = task.process};
    }
    if (clock_id == abi::kCLOCK_THREAD_CPUTIME_ID) {
      return Clock{.kind = Kind::kThreadCpu, .host_thread = task.host_thread};
    }
    if (clock_id > abi::kCLOCK_TAI || clock_id == abi::kCLOCK_SGI_CYCLE) return Errno::kEINVAL;
    return Clock{.id = clock_id};
  }
  if ((clock_id & abi::kCPUCLOCK_CLOCK_MASK) == abi::kCLOCKFD) return Errno::kEINVAL;
  const Pid id{abi::cpu_clock_pid(clock_id)};
  KernelLock::Held held;
  if (clock_id & abi::kCPUCLOCK_PERTHREAD_MASK) {
    if (id.value == 0) return Clock{.kind = Kind::kThreadCpu, .host_thread = task.host_thread};
    auto found = kernel().tasks.find(id);
    // Linux: threads of other processes have no clock here.
    if (found == kernel().tasks.end() || found->second->process != task.process) {
      return Errno::kEINVAL;
    }
    return Clock{.kind = Kind::kThreadCpu, .host_thread = found->second->host_thread};
  }
  if (id.value == 0) return Clock{.kind = Kind::kProcessCpu, .process = task.process};
  auto found = kernel().processes.find(id);
  if (found == kernel().processes.end()) return Errno::kEINVAL;
  return Clock{.kind = Kind::kProcessCpu, .process = found->second};
}

Result<u64> now(const Clock& clock) {
  switch (clock.kind) {
    case Clock::Kind::kProcessCpu:
      return process_cpu_ns(*clock.process);
    case Clock::Kind::kThreadCpu:
      return host::thread_cpu_ns(clock.host_thread);
    case Clock::Kind::kHost:
      break;
  }
  return to_ns(TRY(host::clock_time(clock.id)));
}

u64 process_cpu_ns(const Process& process) {
  if (process.is_zombie()) return process.cpu_user_ns + process.cpu_system_ns;
  // Not yet started: the host has no clock for it.
  const i32 host_process = process.host_process;
  return host_process ? host::process_cpu_ns(host_process) : 0;
}

u64 to_monotonic(i32 host_clock, u64 time_ns) {
  if (host_clock == abi::kCLOCK_MONOTONIC || time_ns == kMaxTime) return time_ns;
  auto now_there = now(Clock{.id = host_clock});
  u64 now_ns = now_there.ok() ? *now_there : 0;
  return add(host::monotonic_ns(), time_ns > now_ns ? time_ns - now_ns : 0);
}

}  // namespace lxss::clocks
