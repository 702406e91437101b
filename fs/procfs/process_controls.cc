// Small files of a process, among them those that change it.
#include <algorithm>

#include "fs/procfs/process_facts.h"
#include "host/clock.h"
#include "lxcore/kernel.h"

namespace lxss::procfs {

namespace {

constexpr i32 kMaxAdjustment = 1000;
/// Range of the old interface, oom_adj; -17 meant never.
constexpr i32 kOldDisabled = -17;
constexpr i32 kOldMax = 15;

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\r\v\f";
  usize begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

Result<> adjust(Process& process, i32 value) {
  if (value < process.oom_score_adjustment &&
      !Task::current().has_capability(abi::kCAP_SYS_RESOURCE)) {
    return Errno::kEACCES;
  }
  process.oom_score_adjustment = value;
  return {};
}

}  // namespace

Result<> comm(Subject& subject, TextBuilder& out) {
  if (subject.task) {
    out << subject.task->comm.data() << '\n';
  } else {
    out << subject.process->name() << '\n';
  }
  return {};
}

Result<> set_comm(Subject& subject, std::string_view text) {
  if (subject.process != Task::current().process) return Errno::kEINVAL;
  RefPtr<Task> thread = TRY(subject.live_thread());
  text = text.substr(0, std::min(text.find('\0'), thread->comm.size() - 1));
  thread->comm.fill('\0');
  std::copy(text.begin(), text.end(), thread->comm.begin());
  if (thread != &Task::current()) return {};
  const auto name = thread->comm;
  KernelLock::Released released;
  pico::set_host_name(name.data());
  return {};
}

Result<> oom_score(Subject& subject, TextBuilder& out) {
  u64 total;
  {
    KernelLock::Released released;
    total = std::max<u64>(host::machine_memory().total, 1);
  }
  i64 share = static_cast<i64>(resident_bytes(memory_image(subject)).total() * 1000 / total);
  // Linux: the range of the sum, 0 to 3000, is shown as 0 to 2000.
  i64 points = (1000 + share + subject.process->oom_score_adjustment) * 2 / 3;
  out << std::max<i64>(points, 0) << '\n';
  return {};
}

Result<> oom_score_adj(Subject& subject, TextBuilder& out) {
  out << subject.process->oom_score_adjustment << '\n';
  return {};
}

Result<> set_oom_score_adj(Subject& subject, std::string_view text) {
  auto value = parse_number<i32>(trim(text));
  if (!value || *value < -kMaxAdjustment || *value > kMaxAdjustment) return Errno::kEINVAL;
  return adjust(*subject.process, *value);
}

Result<> oom_adj(Subject& subject, TextBuilder& out) {
  i32 value = subject.process->oom_score_adjustment;
  out << (value == kMaxAdjustment ? kOldMax : value * -kOldDisabled / kMaxAdjustment) << '\n';
  return {};
}

Result<> set_oom_adj(Subject& subject, std::string_view text) {
  auto value = parse_number<i32>(trim(text));
  if (!value || *value < kOldDisabled || *value > kOldMax) return Errno::kEINVAL;
  return adjust(*subject.process,
                *value == kOldMax ? kMaxAdjustment : *value * kMaxAdjustment / -kOldDisabled);
}

Result<> timer_slack(Subject& subject, TextBuilder& out) {
  out << subject.process->timer_slack_ns << '\n';
  return {};
}

Result<> set_timer_slack(Subject& subject, std::string_view text) {
  constexpr u64 kDefaultSlack = 50000;
  const Task& writer = Task::current();
  if (subject.process != writer.process && !writer.has_capability(abi::kCAP_SYS_NICE)) {
    return Errno::kEPERM;
  }
  auto value = parse_number<u64>(trim(text));
  if (!value) return Errno::kEINVAL;
  subject.process->timer_slack_ns = *value != 0 ? *value : kDefaultSlack;
  return {};
}

Result<> personality(Subject& subject, TextBuilder& out) {
  out.hex(subject.process->personality, 8) << '\n';
  return {};
}

Result<> id_map(Subject&, TextBuilder& out) {
  out << "         0          0 4294967295\n";
  return {};
}

Result<> io(Subject&, TextBuilder& out) {
  out << "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n"
         "cancelled_write_bytes: 0\n";
  return {};
}

Result<> children(Subject& subject, TextBuilder& out) {
  // Children belong to their process; the leader stands for it.
  if (subject.task && subject.task.get() != subject.process->leader) return {};
  for (Process& child : subject.process->children) out << child.pid.value << ' ';
  return {};
}

}  // namespace lxss::procfs
