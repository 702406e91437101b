#include "fs/sysfs/sysfs.h"

#include <algorithm>
#include <vector>

#include "abi/linux/magic.h"
#include "fs/synthetic/synthetic.h"
#include "host/clock.h"
#include "lxcore/kernel.h"

namespace lxss::sysfs {

namespace {

using abi::kS_IFDIR;
using abi::kS_IFREG;
using synthetic::Directory;

/// Subject of all files: the machine, or one of its CPUs.
struct Subject {
  using Guard = synthetic::Unguarded;
  u32 cpu = 0;
  bool alive() const { return true; }
  synthetic::Owner owner(u32) const { return {}; }
};
using Entry = synthetic::Entry<Subject>;

struct Cpu {
  u32 number = 0, package = 0, core = 0;
};

/// The value of a line "name<blanks>: value" of /proc/cpuinfo, if `line` is that.
std::optional<u32> field(std::string_view line, std::string_view name) {
  if (!line.starts_with(name)) return std::nullopt;
  std::string_view rest = line.substr(name.size());
  usize colon = rest.find(": ");
  if (colon == rest.npos || rest.find_first_not_of("\t ") != colon) return std::nullopt;
  return parse_number<u32>(rest.substr(colon + 2));
}

/// The CPUs that are online, as the host tells them.
std::vector<Cpu> machine_cpus() {
  constexpr usize kStep = 16384;
  constexpr usize kLimit = usize{1} << 20;
  std::string text;
  std::vector<Cpu> cpus;
  while (text.size() < kLimit) {
    usize size = text.size();
    text.resize(size + kStep);
    usize got = host::machine_text("cpuinfo", size, {text.data() + size, kStep}).value_or(0);
    text.resize(size + got);
    if (got == 0) break;
  }
  std::string_view rest = text;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (auto number = field(line, "processor")) {
      cpus.push_back({*number, 0, *number});
    } else if (cpus.empty()) {
      continue;
    } else if (auto package = field(line, "physical id")) {
      cpus.back().package = *package;
    } else if (auto core = field(line, "core id")) {
      cpus.back().core = *core;
    }
  }
  if (cpus.empty()) cpus.push_back({});
  return cpus;
}

/// "0-3,6", for ascending numbers.
void append_list(TextBuilder& out, const std::vector<u32>& numbers) {
  for (usize i = 0; i < numbers.size();) {
    usize last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    if (i != 0) out << ',';
    out << numbers[i];
    if (last > i) out << '-' << numbers[last];
    i = last + 1;
  }
  out << '\n';
}

/// A mask in words of 32 bits, the highest first.
void append_mask(TextBuilder& out, const std::vector<u32>& numbers, u32 highest) {
  for (u32 word = highest / 32 + 1; word-- > 0;) {
    u32 bits = 0;
    for (u32 number : numbers) {
      if (number / 32 == word) bits |= 1u << (number % 32);
    }
    bool first = word == highest / 32;
    out.hex(bits, first ? (highest % 32) / 4 + 1 : 8);
    if (word != 0) out << ',';
  }
  out << '\n';
}

template <bool (*kBelongs)(const Cpu& self, const Cpu& other)>
std::vector<u32> relatives(u32 cpu) {
  std::vector<Cpu> cpus = machine_cpus();
  auto self =
      std::find_if(cpus.begin(), cpus.end(), [cpu](const Cpu& at) { return at.number == cpu; });
  std::vector<u32> numbers;
  if (self == cpus.end()) return numbers;
  for (const Cpu& other : cpus) {
    if (kBelongs(*self, other)) numbers.push_back(other.number);
  }
  return numbers;
}

bool any(const Cpu&, const Cpu&) { return true; }
bool same_package(const Cpu& a, const Cpu& b) { return a.package == b.package; }
bool same_core(const Cpu& a, const Cpu& b) { return same_package(a, b) && a.core == b.core; }

template <bool (*kBelongs)(const Cpu&, const Cpu&)>
Result<> list(Subject& subject, TextBuilder& out) {
  append_list(out, relatives<kBelongs>(subject.cpu));
  return {};
}
template <bool (*kBelongs)(const Cpu&, const Cpu&)>
Result<> mask(Subject& subject, TextBuilder& out) {
  append_mask(out, relatives<kBelongs>(subject.cpu), machine_cpus().back().number);
  return {};
}

template <u32 Cpu::*kMember>
Result<> topology_number(Subject& subject, TextBuilder& out) {
  for (const Cpu& cpu : machine_cpus()) {
    if (cpu.number == subject.cpu) out << cpu.*kMember << '\n';
  }
  return {};
}

Result<> kernel_max(Subject&, TextBuilder& out) {
  constexpr u32 kMaxCpu = 1023;  // as wide as sched_getaffinity's answer
  out << kMaxCpu << '\n';
  return {};
}

Result<> node_list(Subject&, TextBuilder& out) {
  out << "0\n";
  return {};
}
Result<> node_distance(Subject&, TextBuilder& out) {
  out << "10\n";
  return {};
}
Result<> nothing(Subject&, TextBuilder& out) {
  out << '\n';
  return {};
}

constexpr Entry file(const char* name, Result<> (*generate)(Subject&, TextBuilder&)) {
  return {.name = name, .mode = kS_IFREG | 0444, .generate = generate};
}

constexpr Entry kTopology[] = {
    file("core_id", topology_number<&Cpu::core>),
    file("core_siblings", mask<same_package>),
    file("core_siblings_list", list<same_package>),
    file("physical_package_id", topology_number<&Cpu::package>),
    file("thread_siblings", mask<same_core>),
    file("thread_siblings_list", list<same_core>),
};
constexpr Entry kOneCpu[] = {synthetic::directory_entry("topology", 0755, kTopology)};

constexpr Entry kCpus[] = {
    file("kernel_max", kernel_max), file("offline", nothing),   file("online", list<any>),
    file("possible", list<any>),    file("present", list<any>),
};

/// /sys/devices/system/cpu: its table, and a directory for each CPU.
class CpuDirectory final : public synthetic::TableDirectory<Subject> {
 public:
  CpuDirectory(FileSystem& filesystem, u64 number)
      : TableDirectory(filesystem, number, kMode, kCpus, Subject{}) {}

  Result<RefPtr<Inode>> lookup(std::string_view name) override {
    for (const Cpu& cpu : machine_cpus()) {
      if (name != name_of(cpu)) continue;
      return RefPtr<Inode>(make_ref<TableDirectory>(filesystem(),
                                                    synthetic::inode_number(number(), name), kMode,
                                                    kOneCpu, Subject{cpu.number}));
    }
    return TableDirectory::lookup(name);
  }
  Result<> list(u64 offset, DirectorySink& sink) override {
    if (offset < table_end() && !list_table(offset, sink)) return {};
    offset = std::max(offset, table_end());
    for (const Cpu& cpu : machine_cpus()) {
      if (table_end() + cpu.number < offset) continue;
      std::string name = name_of(cpu);
      u64 child = synthetic::inode_number(number(), name);
      if (!sink.add(name, child, abi::kDT_DIR, table_end() + cpu.number + 1)) return {};
    }
    return {};
  }

 protected:
  u32 links() override { return 2 + static_cast<u32>(machine_cpus().size()); }

 private:
  static constexpr u32 kMode = kS_IFDIR | 0755;
  static std::string name_of(const Cpu& cpu) {
    TextBuilder name;
    name << "cpu" << cpu.number;
    return name.take();
  }
};

Result<RefPtr<Inode>> make_cpus(Directory& parent, Subject&, u64 number) {
  return RefPtr<Inode>(make_ref<CpuDirectory>(parent.filesystem(), number));
}

constexpr Entry kNode0[] = {
    file("cpulist", list<any>),
    file("cpumap", mask<any>),
    file("distance", node_distance),
};
constexpr Entry kNodes[] = {
    synthetic::directory_entry("node0", 0755, kNode0),
    file("online", node_list),
    file("possible", node_list),
};
constexpr Entry kSystem[] = {
    {.name = "cpu", .mode = kS_IFDIR | 0755, .make = make_cpus},
    synthetic::directory_entry("node", 0755, kNodes),
};
constexpr Entry kDevices[] = {synthetic::directory_entry("system", 0755, kSystem)};
constexpr Entry kFs[] = {synthetic::empty_directory_entry<Subject>("cgroup", 0755)};
constexpr Entry kRoot[] = {
    synthetic::empty_directory_entry<Subject>("block", 0755),
    synthetic::empty_directory_entry<Subject>("bus", 0755),
    synthetic::empty_directory_entry<Subject>("class", 0755),
    synthetic::directory_entry("devices", 0755, kDevices),
    synthetic::directory_entry("fs", 0755, kFs),
    synthetic::empty_directory_entry<Subject>("kernel", 0755),
    synthetic::empty_directory_entry<Subject>("module", 0755),
};

class SysFs final : public FileSystem {
 public:
  SysFs() : FileSystem("sysfs", abi::kSYSFS_MAGIC, Locking::kOwn) {}
  Result<RefPtr<Inode>> root() override {
    return RefPtr<Inode>(make_ref<synthetic::TableDirectory<Subject>>(
        *this, synthetic::kRootNumber, kS_IFDIR | 0555, kRoot, Subject{}));
  }
};

}  // namespace

RefPtr<FileSystem> make() { return make_ref<SysFs>(); }

}  // namespace lxss::sysfs
