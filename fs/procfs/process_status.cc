// stat, statm, status, limits, sched, schedstat of a process or thread.
#include <algorithm>

#include "fs/procfs/process_facts.h"
#include "host/clock.h"
#include "lxcore/kernel.h"
#include "lxcore/tty/tty.h"

namespace lxss::procfs {

namespace {

constexpr u64 kPfRandomize = 0x400000;
constexpr i32 kDefaultPriority = 20;

std::string name_of(const Subject& subject) {
  return subject.task ? std::string(subject.task->comm.data()) : subject.process->name();
}

struct SignalFacts {
  u64 pending = 0, shared_pending = 0, blocked = 0, ignored = 0, caught = 0;
};

SignalFacts signal_facts(const Subject& subject) {
  SignalFacts facts;
  KernelLock::Held held;
  facts.shared_pending = subject.process->pending.set().bits;
  Task* thread = subject.thread();
  if (!thread) return facts;
  facts.pending = thread->pending.set().bits;
  facts.blocked = thread->blocked.get().bits;
  if (!thread->actions) return facts;
  for (i32 signal = 1; signal <= kSignalCount; ++signal) {
    u64 handler = thread->actions->at(signal).handler;
    if (handler == abi::kSIG_IGN) {
      facts.ignored |= abi::SigSet::bit(signal);
    } else if (handler != abi::kSIG_DFL) {
      facts.caught |= abi::SigSet::bit(signal);
    }
  }
  return facts;
}

/// Sums of areas as statm and status show them, in bytes.
struct Sizes {
  u64 total = 0, data = 0, stack = 0, text = 0, library = 0, locked = 0;
};

Sizes sizes_of(const MemoryImage& image) {
  Sizes sizes;
  u64 executable = 0;
  for (const Area& area : image.areas) {
    bool writable = area.protection.has(abi::ProtFlag::kPROT_WRITE);
    bool stack = area.grows_down || std::string_view(area.name) == "[stack]";
    sizes.total += area.size();
    if (area.locked) sizes.locked += area.size();
    if (stack) {
      sizes.stack += area.size();
    } else if (writable && !area.shared) {
      sizes.data += area.size();
    } else if (!writable && area.protection.has(abi::ProtFlag::kPROT_EXEC)) {
      executable += area.size();
    }
  }
  sizes.text = page_ceil(image.code_end) - page_floor(image.code_begin);
  sizes.library = executable > sizes.text ? executable - sizes.text : 0;
  return sizes;
}

Pid group_of(const Process& process) { return process.group ? process.group->id : Pid{0}; }

Pid session_of(const Process& process) {
  return process.group && process.group->session ? process.group->session->id : Pid{0};
}

i32 parent_of(const Process& process) { return process.parent ? process.parent->pid.value : 0; }

class StatusBuilder {
 public:
  explicit StatusBuilder(TextBuilder& out) : out_(out) {}
  TextBuilder& line(const char* name) { return out_ << name << ":\t"; }
  void kilobytes(const char* name, u64 bytes) { line(name).decimal(bytes / 1024, 8) << " kB\n"; }
  void mask(const char* name, u64 bits) { line(name).hex(bits, 16) << '\n'; }

 private:
  TextBuilder& out_;
};

void append_memory(StatusBuilder& out, const MemoryImage& image) {
  Sizes sizes = sizes_of(image);
  Resident resident = resident_bytes(image);
  out.kilobytes("VmPeak", sizes.total);
  out.kilobytes("VmSize", sizes.total);
  out.kilobytes("VmLck", sizes.locked);
  out.kilobytes("VmPin", 0);
  out.kilobytes("VmHWM", resident.total());
  out.kilobytes("VmRSS", resident.total());
  out.kilobytes("RssAnon", resident.anonymous);
  out.kilobytes("RssFile", resident.file);
  out.kilobytes("RssShmem", 0);
  out.kilobytes("VmData", sizes.data);
  out.kilobytes("VmStk", sizes.stack);
  out.kilobytes("VmExe", sizes.text);
  out.kilobytes("VmLib", sizes.library);
  out.kilobytes("VmSwap", 0);
}

/// The CPUs that may be used: as a mask and as a list.
void append_cpus(StatusBuilder& out) {
  u64 mask[16];
  {
    KernelLock::Released released;
    host::allowed_cpus(mask);
  }
  u32 count = 0;
  for (u32 cpu = 0; cpu < 1024; ++cpu) {
    if (mask[cpu / 64] >> (cpu % 64) & 1) count = cpu + 1;
  }
  TextBuilder& hex = out.line("Cpus_allowed");
  for (u32 word = (count + 31) / 32; word-- > 0;) {
    u32 bits = static_cast<u32>(mask[word / 2] >> (word % 2 * 32));
    bool first = word + 1 == (count + 31) / 32;
    hex.hex(bits, first ? (count - word * 32 + 3) / 4 : 8);
    if (word != 0) hex << ',';
  }
  hex << '\n';
  TextBuilder& list = out.line("Cpus_allowed_list");
  const char* separator = "";
  for (u32 cpu = 0; cpu < count; ++cpu) {
    if (!(mask[cpu / 64] >> (cpu % 64) & 1)) continue;
    u32 last = cpu;
    while (last + 1 < count && (mask[(last + 1) / 64] >> ((last + 1) % 64) & 1)) ++last;
    list << separator << cpu;
    if (last > cpu) list << '-' << last;
    separator = ",";
    cpu = last;
  }
  list << '\n';
}

}  // namespace

Result<> stat(Subject& subject, TextBuilder& out) {
  Process& process = *subject.process;
  bool permitted = may_inspect(Task::current(), process).ok();
  MemoryImage image = memory_image(subject);
  u64 pages = resident_bytes(image).total() / kPageSize;
  host::CpuTimes times = cpu_times(subject);
  // From here on nothing changes meanwhile.
  KernelLock::Held held;
  SignalFacts signals = signal_facts(subject);
  RefPtr<Tty> terminal;
  if (process.group && process.group->session) terminal = process.group->session->terminal;
  char state = state_letter(subject);
  u64 start = subject.task ? subject.task->start_time_ns : process.start_time_ns;

  out << subject.id().value << " (" << name_of(subject) << ") " << state;
  out << ' ' << parent_of(process) << ' ' << group_of(process).value << ' '
      << session_of(process).value;
  out << ' ' << (terminal ? static_cast<i32>(terminal->device()) : 0) << ' '
      << (terminal ? terminal->foreground().value : -1);
  out << ' ' << kPfRandomize << " 0 0 0 0";  // flags, faults
  out << ' ' << times.user_ns / kNsPerTick << ' ' << times.system_ns / kNsPerTick << ' '
      << process.children_user_ns / kNsPerTick << ' ' << process.children_system_ns / kNsPerTick;
  RefPtr<Task> thread = subject.thread();
  i32 nice = thread ? thread->nice : 0;
  out << ' ' << kDefaultPriority + nice << ' ' << nice << ' '
      << std::max<usize>(process.thread_count, 1) << " 0 " << start / kNsPerTick;
  out << ' ' << image.total_size() << ' ' << pages << ' ' << process.limit(abi::kRLIMIT_RSS);
  if (!image.memory) {
    out << " 0 0 0";
  } else if (permitted) {
    out << ' ' << image.code_begin << ' ' << image.code_end << ' ' << image.stack_begin;
  } else {
    out << " 1 1 0";
  }
  out << " 0 0";  // stack and instruction pointers
  // Linux: only the standard signals.
  constexpr u64 kStandard = 0x7fffffff;
  out << ' ' << (signals.pending & kStandard) << ' ' << (signals.blocked & kStandard) << ' '
      << (signals.ignored & kStandard) << ' ' << (signals.caught & kStandard);
  out << ' ' << (permitted && state != 'R' ? 1 : 0) << " 0 0 "
      << (subject.task && subject.task.get() != process.leader ? -1 : process.exit_signal);
  // Processor, real-time priority, policy, delays, guest time.
  out << " 0 0 " << (thread ? thread->scheduling_policy : 0) << " 0 0 0";
  if (permitted && image.memory) {
    out << ' ' << image.data_begin << ' ' << image.data_end << ' ' << image.brk_begin << ' '
        << image.arguments_begin << ' ' << image.arguments_end << ' ' << image.environment_begin
        << ' ' << image.environment_end << ' ' << process.exit_status;
  } else {
    out << " 0 0 0 0 0 0 0 " << (permitted ? process.exit_status : 0);
  }
  out << '\n';
  return {};
}

Result<> statm(Subject& subject, TextBuilder& out) {
  MemoryImage image = memory_image(subject);
  if (!image.memory) {
    out << "0 0 0 0 0 0 0\n";
    return {};
  }
  Sizes sizes = sizes_of(image);
  Resident resident = resident_bytes(image);
  out << sizes.total / kPageSize << ' ' << resident.total() / kPageSize << ' '
      << resident.file / kPageSize << ' ' << sizes.text / kPageSize << " 0 "
      << (sizes.data + sizes.stack) / kPageSize << " 0\n";
  return {};
}

Result<> status(Subject& subject, TextBuilder& text) {
  Process& process = *subject.process;
  MemoryImage image = memory_image(subject);
  StatusBuilder out(text);
  KernelLock::Held held;

  out.line("Name");
  append_escaped(text, name_of(subject), "\n\\");
  RefPtr<Task> thread = subject.thread();
  text << '\n';
  if (thread && thread->fs) out.line("Umask").octal(thread->fs->umask, 4) << '\n';
  char state = state_letter(subject);
  out.line("State") << state << " (" << state_name(state) << ")\n";
  out.line("Tgid") << process.pid.value << "\nNgid:\t0\n";
  out.line("Pid") << subject.id().value << '\n';
  out.line("PPid") << parent_of(process) << "\nTracerPid:\t0\n";
  RefPtr<Credentials> who = subject.credentials();
  if (who) {
    out.line("Uid") << who->uid << '\t' << who->euid << '\t' << who->suid << '\t' << who->fsuid
                    << '\n';
    out.line("Gid") << who->gid << '\t' << who->egid << '\t' << who->sgid << '\t' << who->fsgid
                    << '\n';
  } else {
    text << "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n";
  }
  u64 descriptors = thread && thread->files ? static_cast<u64>(thread->files->end()) : 0;
  out.line("FDSize") << (thread ? std::max<u64>(64, align_up(descriptors, 64)) : 0) << '\n';
  out.line("Groups");
  if (who) {
    const char* separator = "";
    for (u32 group : who->groups) {
      text << separator << group;
      separator = " ";
    }
  }
  text << " \n";
  out.line("NStgid") << process.pid.value << '\n';
  out.line("NSpid") << subject.id().value << '\n';
  out.line("NSpgid") << group_of(process).value << '\n';
  out.line("NSsid") << session_of(process).value << '\n';
  if (image.memory) append_memory(out, image);
  out.line("CoreDumping") << "0\n";
  out.line("Threads") << std::max<usize>(process.thread_count, 1) << '\n';

  SignalFacts signals = signal_facts(subject);
  out.line("SigQ") << __builtin_popcountll(signals.pending | signals.shared_pending) << '/'
                   << process.limit(abi::kRLIMIT_SIGPENDING) << '\n';
  out.mask("SigPnd", signals.pending);
  out.mask("ShdPnd", signals.shared_pending);
  out.mask("SigBlk", signals.blocked);
  out.mask("SigIgn", signals.ignored);
  out.mask("SigCgt", signals.caught);
  out.mask("CapInh", who ? who->inheritable : 0);
  out.mask("CapPrm", who ? who->permitted : 0);
  out.mask("CapEff", who ? who->effective : 0);
  out.mask("CapBnd", who ? who->bounding : 0);
  out.mask("CapAmb", who ? who->ambient : 0);
  out.line("NoNewPrivs") << (who && who->no_new_privileges ? 1 : 0) << '\n';
  out.line("Seccomp") << "0\nSeccomp_filters:\t0\n";
  append_cpus(out);
  out.line("Mems_allowed") << "1\nMems_allowed_list:\t0\n";
  text << "voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n";
  return {};
}

Result<> limits(Subject& subject, TextBuilder& out) {
  struct Row {
    u32 resource;
    const char* name;
    const char* unit;
  };
  static constexpr Row kRows[] = {
      {abi::kRLIMIT_CPU, "Max cpu time", "seconds"},
      {abi::kRLIMIT_FSIZE, "Max file size", "bytes"},
      {abi::kRLIMIT_DATA, "Max data size", "bytes"},
      {abi::kRLIMIT_STACK, "Max stack size", "bytes"},
      {abi::kRLIMIT_CORE, "Max core file size", "bytes"},
      {abi::kRLIMIT_RSS, "Max resident set", "bytes"},
      {abi::kRLIMIT_NPROC, "Max processes", "processes"},
      {abi::kRLIMIT_NOFILE, "Max open files", "files"},
      {abi::kRLIMIT_MEMLOCK, "Max locked memory", "bytes"},
      {abi::kRLIMIT_AS, "Max address space", "bytes"},
      {abi::kRLIMIT_LOCKS, "Max file locks", "locks"},
      {abi::kRLIMIT_SIGPENDING, "Max pending signals", "signals"},
      {abi::kRLIMIT_MSGQUEUE, "Max msgqueue size", "bytes"},
      {abi::kRLIMIT_NICE, "Max nice priority", nullptr},
      {abi::kRLIMIT_RTPRIO, "Max realtime priority", nullptr},
      {abi::kRLIMIT_RTTIME, "Max realtime timeout", "us"},
  };
  out << "Limit                     Soft Limit           Hard Limit           Units     \n";
  for (const Row& row : kRows) {
    usize start = out.size();
    out << row.name;
    usize column = start + 26;
    const abi::Rlimit64& limit = subject.process->limits[row.resource];
    for (u64 value : {limit.rlim_cur, limit.rlim_max}) {
      out.pad_to(column);
      if (value == abi::kRLIM_INFINITY) {
        out << "unlimited";
      } else {
        out << value;
      }
      column += 21;
    }
    out.pad_to(column);
    if (row.unit) {
      out << row.unit;
      out.pad_to(column + 10);
    }
    out << '\n';
  }
  return {};
}

Result<> schedstat(Subject& subject, TextBuilder& out) {
  host::CpuTimes times = cpu_times(subject);
  out << times.user_ns + times.system_ns << " 0 0\n";
  return {};
}

Result<> sched(Subject& subject, TextBuilder& out) {
  host::CpuTimes times = cpu_times(subject);
  u64 run_ns = times.user_ns + times.system_ns;
  KernelLock::Held held;
  out << name_of(subject) << " (" << subject.id().value
      << ", #threads: " << std::max<usize>(subject.process->thread_count, 1) << ")\n";
  out << "-------------------------------------------------------------------\n";
  out << "se.sum_exec_runtime                          :";
  out.decimal(run_ns / 1'000'000, 14) << '.';
  out.decimal(run_ns % 1'000'000, 6, '0') << '\n';
  constexpr i32 kNormal = 120;
  RefPtr<Task> thread = subject.thread();
  out << "policy                                       :";
  out.decimal(thread ? thread->scheduling_policy : 0, 21) << '\n';
  out << "prio                                         :";
  out.decimal(kNormal + (thread ? thread->nice : 0), 21) << '\n';
  return {};
}

}  // namespace lxss::procfs
