// /proc/PID and /proc/PID/task/TID: the tables of their files.
#include "fs/procfs/process_facts.h"
#include "lxcore/kernel.h"

namespace lxss::procfs {

namespace {

using abi::kS_IFDIR;
using abi::kS_IFLNK;
using abi::kS_IFREG;

template <const char* const& kText>
Result<> fixed(Subject&, TextBuilder& out) {
  out << kText;
  return {};
}

constexpr const char* kCgroupText = "0::/\n";
constexpr const char* kZero = "0";
constexpr const char* kSetgroups = "allow\n";
constexpr const char* kSlash = "/\n";
constexpr const char* kDumpFilter = "00000033\n";

Result<> refuse(Subject&, std::string_view) { return Errno::kEPERM; }

// Without a security module every attribute reads as EINVAL, as on Linux.
constexpr SubjectEntry kAttributes[] = {
    {.name = "current", .mode = kS_IFREG | 0666},   {.name = "prev", .mode = kS_IFREG | 0444},
    {.name = "exec", .mode = kS_IFREG | 0666},      {.name = "fscreate", .mode = kS_IFREG | 0666},
    {.name = "keycreate", .mode = kS_IFREG | 0666}, {.name = "sockcreate", .mode = kS_IFREG | 0666},
};

/// The entries of a process come first, those of a thread last, what both have lies between.
constexpr usize kProcessOnly = 4;
constexpr usize kThreadOnly = 1;
constexpr SubjectEntry kEntries[] = {
    {.name = "task", .mode = kS_IFDIR | 0555, .make = make_task},
    {.name = "mountstats", .mode = kS_IFREG | 0400, .generate = mountstats, .check = check_inspect},
    {.name = "coredump_filter", .mode = kS_IFREG | 0644, .generate = fixed<kDumpFilter>},
    {.name = "timerslack_ns",
     .mode = kS_IFREG | 0666,
     .generate = timer_slack,
     .write = set_timer_slack},

    synthetic::directory_entry("attr", 0555, kAttributes),
    {.name = "auxv", .mode = kS_IFREG | 0400, .generate = auxv, .check = check_inspect},
    {.name = "cgroup", .mode = kS_IFREG | 0444, .generate = fixed<kCgroupText>},
    {.name = "cmdline", .mode = kS_IFREG | 0444, .generate = cmdline},
    {.name = "comm", .mode = kS_IFREG | 0644, .generate = comm, .write = set_comm},
    {.name = "cpuset", .mode = kS_IFREG | 0444, .generate = fixed<kSlash>},
    {.name = "cwd",
     .mode = kS_IFLNK | 0777,
     .generate = cwd_text,
     .follow = cwd_path,
     .check = check_inspect},
    {.name = "environ", .mode = kS_IFREG | 0400, .generate = environment, .check = check_inspect},
    {.name = "exe",
     .mode = kS_IFLNK | 0777,
     .generate = exe_text,
     .follow = exe_path,
     .check = check_inspect},
    {.name = "fd", .mode = kS_IFDIR | 0500, .make = make_fd},
    {.name = "fdinfo", .mode = kS_IFDIR | 0555, .make = make_fdinfo},
    {.name = "gid_map", .mode = kS_IFREG | 0644, .generate = id_map, .write = refuse},
    {.name = "io", .mode = kS_IFREG | 0400, .generate = io, .check = check_inspect},
    {.name = "limits", .mode = kS_IFREG | 0444, .generate = limits},
    {.name = "maps", .mode = kS_IFREG | 0444, .generate = maps, .check = check_inspect},
    {.name = "mem", .mode = kS_IFREG | 0600, .make = make_mem},
    {.name = "mountinfo", .mode = kS_IFREG | 0444, .generate = mountinfo},
    {.name = "mounts", .mode = kS_IFREG | 0444, .generate = mounts},
    {.name = "net", .mode = kS_IFDIR | 0555, .make = make_process_net},
    {.name = "ns", .mode = kS_IFDIR | 0511, .make = make_ns},
    {.name = "oom_adj", .mode = kS_IFREG | 0644, .generate = oom_adj, .write = set_oom_adj},
    {.name = "oom_score", .mode = kS_IFREG | 0444, .generate = oom_score},
    {.name = "oom_score_adj",
     .mode = kS_IFREG | 0644,
     .generate = oom_score_adj,
     .write = set_oom_score_adj},
    {.name = "personality",
     .mode = kS_IFREG | 0400,
     .generate = personality,
     .check = check_inspect},
    {.name = "projid_map", .mode = kS_IFREG | 0644, .generate = id_map, .write = refuse},
    {.name = "root",
     .mode = kS_IFLNK | 0777,
     .generate = root_text,
     .follow = root_path,
     .check = check_inspect},
    {.name = "sched", .mode = kS_IFREG | 0644, .generate = sched},
    {.name = "schedstat", .mode = kS_IFREG | 0444, .generate = schedstat},
    {.name = "setgroups", .mode = kS_IFREG | 0644, .generate = fixed<kSetgroups>, .write = refuse},
    {.name = "smaps", .mode = kS_IFREG | 0444, .generate = smaps, .check = check_inspect},
    {.name = "smaps_rollup",
     .mode = kS_IFREG | 0444,
     .generate = smaps_rollup,
     .check = check_inspect},
    {.name = "stat", .mode = kS_IFREG | 0444, .generate = stat},
    {.name = "statm", .mode = kS_IFREG | 0444, .generate = statm},
    {.name = "status", .mode = kS_IFREG | 0444, .generate = status},
    {.name = "uid_map", .mode = kS_IFREG | 0644, .generate = id_map, .write = refuse},
    {.name = "wchan", .mode = kS_IFREG | 0444, .generate = fixed<kZero>},

    {.name = "children", .mode = kS_IFREG | 0444, .generate = children},
};

constexpr std::span<const SubjectEntry> kAll = kEntries;

/// /proc/PID/task.
class TaskDirectory final : public Directory {
 public:
  TaskDirectory(FileSystem& filesystem, u64 number, Subject subject)
      : Directory(filesystem, number, kMode, subject.owner(kMode)), subject_(std::move(subject)) {}

  Result<RefPtr<Inode>> lookup(std::string_view name) override {
    auto tid = parse_number<i32>(name);
    if (!tid || name[0] == '0') return Errno::kENOENT;
    KernelLock::Held held;
    auto& tasks = kernel().tasks;
    auto found = tasks.find(Pid{*tid});
    if (found == tasks.end() || found->second->process != subject_.process) return Errno::kENOENT;
    Subject thread{subject_.process, found->second};
    return RefPtr<Inode>(make_ref<synthetic::TableDirectory<Subject>>(
        filesystem(), synthetic::inode_number(number(), name), kMode, kAll.subspan(kProcessOnly),
        std::move(thread)));
  }

  Result<> list(u64 offset, DirectorySink& sink) override {
    // In order of ids, so that an id serves as a position.
    for (Pid from{static_cast<i32>(offset - synthetic::kFirstOffset)};;) {
      Ids ids = next_threads(from);
      for (Pid id : ids) {
        std::string name = text_of(id);
        u64 child = synthetic::inode_number(number(), name);
        u64 next = synthetic::kFirstOffset + static_cast<u64>(id.value) + 1;
        if (!sink.add(name, child, abi::kDT_DIR, next)) return {};
      }
      if (!ids.full()) return {};
      from = Pid{ids.back().value + 1};
    }
  }

  bool still_valid() override {
    show_owner(subject_.owner(kMode));
    return subject_.alive();
  }

 protected:
  u32 links() override {
    KernelLock::Held held;
    return 2 + static_cast<u32>(subject_.process->thread_count);
  }

 private:
  Ids next_threads(Pid from) {
    Ids ids;
    KernelLock::Held held;
    for (Task& thread : subject_.process->threads) {
      if (!(thread.tid < from)) ids.add_sorted(thread.tid);
    }
    return ids;
  }

  static constexpr u32 kMode = kS_IFDIR | 0555;
  Subject subject_;
};

}  // namespace

Result<RefPtr<Inode>> make_task(Directory& parent, Subject& subject, u64 number) {
  Subject process{subject.process, nullptr};
  return RefPtr<Inode>(make_ref<TaskDirectory>(parent.filesystem(), number, std::move(process)));
}

RefPtr<Inode> make_process_directory(FileSystem& filesystem, u64 number, Subject subject) {
  return make_ref<synthetic::TableDirectory<Subject>>(filesystem, number, kS_IFDIR | 0555,
                                                      kAll.first(kAll.size() - kThreadOnly),
                                                      std::move(subject));
}

}  // namespace lxss::procfs
