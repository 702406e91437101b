// /proc/sys: parameters of the kernel (man 5 proc, sysctl(8)). Shown is what is in force; what
// cannot be changed is read-only, for root too.
#include <algorithm>

#include "abi/linux/ipc.h"
#include "abi/linux/utsname.h"
#include "fs/procfs/process_facts.h"
#include "host/clock.h"
#include "lxcore/ipc/inotify.h"
#include "lxcore/ipc/pipe.h"
#include "lxcore/kernel.h"
#include "lxcore/net/unix_endpoint.h"

namespace lxss::procfs {

namespace {

using abi::kS_IFDIR;
using abi::kS_IFREG;

/// Linux: what has no write handler cannot be opened for writing, whatever its mode.
Result<> read_only(Machine&, abi::OpenFlags flags) {
  if ((flags.raw() & abi::kO_ACCMODE) != 0) return Errno::kEACCES;
  return {};
}

/// A parameter that is a fixed text.
template <usize N>
struct Text {
  char characters[N];
  constexpr Text(const char (&text)[N]) { std::copy_n(text, N, characters); }
};
template <Text kText>
Result<> show_text(Machine&, TextBuilder& out) {
  out << kText.characters << '\n';
  return {};
}
template <u64 kNumber>
Result<> show_number(Machine&, TextBuilder& out) {
  out << kNumber << '\n';
  return {};
}

constexpr MachineEntry shown(const char* name, Result<> (*generate)(Machine&, TextBuilder&)) {
  return {.name = name, .mode = kS_IFREG | 0444, .generate = generate, .check = read_only};
}
template <Text kText>
constexpr MachineEntry text(const char* name) {
  return shown(name, show_text<kText>);
}
template <u64 kNumber>
constexpr MachineEntry number(const char* name) {
  return shown(name, show_number<kNumber>);
}

// Names of the machine: root may set them, as by sethostname(2).

Result<> set_name(std::string& name, std::string_view text) {
  if (!Task::current().has_capability(abi::kCAP_SYS_ADMIN)) return Errno::kEPERM;
  text = text.substr(0, std::min(text.find('\n'), text.find('\0')));
  if (text.size() > abi::kNEW_UTS_LEN) text = text.substr(0, abi::kNEW_UTS_LEN);
  KernelLock::Held held;
  name = text;
  return {};
}
Result<> hostname(Machine&, TextBuilder& out) {
  KernelLock::Held held;
  out << kernel().hostname << '\n';
  return {};
}
Result<> set_hostname(Machine&, std::string_view text) { return set_name(kernel().hostname, text); }
Result<> domainname(Machine&, TextBuilder& out) {
  KernelLock::Held held;
  out << kernel().domainname << '\n';
  return {};
}
Result<> set_domainname(Machine&, std::string_view text) {
  return set_name(kernel().domainname, text);
}

Result<> ostype(Machine&, TextBuilder& out) {
  out << "Linux" << '\n';
  return {};
}
Result<> osrelease(Machine&, TextBuilder& out) {
  out << kKernelRelease << '\n';
  return {};
}
Result<> version(Machine&, TextBuilder& out) {
  out << kKernelVersion << '\n';
  return {};
}

// random/

/// RFC 4122, version 4.
void append_uuid(TextBuilder& out, std::array<u8, 16> bytes) {
  bytes[6] = static_cast<u8>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<u8>((bytes[8] & 0x3f) | 0x80);
  for (usize i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out << '-';
    out.hex(bytes[i], 2);
  }
  out << '\n';
}
Result<> boot_id(Machine& machine, TextBuilder& out) {
  append_uuid(out, machine.filesystem->boot_id());
  return {};
}
Result<> uuid(Machine&, TextBuilder& out) {
  std::array<u8, 16> bytes;
  host::random_bytes(std::as_writable_bytes(std::span(bytes)));
  append_uuid(out, bytes);
  return {};
}

// fs/

Result<> file_nr(Machine&, TextBuilder& out) {
  u64 open = 0;
  for (const RefPtr<FdTable>& files : descriptor_tables()) {
    for (i32 fd = files->next_used(0); fd >= 0; fd = files->next_used(fd + 1)) ++open;
  }
  out << open << "\t0\t9223372036854775807\n";
  return {};
}

Result<> semaphores(Machine&, TextBuilder& out) {
  out << abi::kSEMMSL << '\t' << abi::kSEMMNS << '\t' << abi::kSEMOPM << '\t' << abi::kSEMMNI
      << '\n';
  return {};
}

constexpr MachineEntry kRandom[] = {
    shown("boot_id", boot_id),
    number<256>("entropy_avail"),
    number<256>("poolsize"),
    shown("uuid", uuid),
};

constexpr MachineEntry kKernel[] = {
    number<abi::kCAP_LAST_CAP>("cap_last_cap"),
    text<"core">("core_pattern"),
    number<0>("core_uses_pid"),
    number<0>("dmesg_restrict"),
    {.name = "domainname",
     .mode = kS_IFREG | 0644,
     .generate = domainname,
     .write = set_domainname},
    {.name = "hostname", .mode = kS_IFREG | 0644, .generate = hostname, .write = set_hostname},
    number<1>("kptr_restrict"),
    number<1>("modules_disabled"),
    number<abi::kMSGMAX>("msgmax"),
    number<abi::kMSGMNB>("msgmnb"),
    number<abi::kMSGMNI>("msgmni"),
    number<Credentials::kMaxGroups>("ngroups_max"),
    shown("osrelease", osrelease),
    shown("ostype", ostype),
    number<65534>("overflowgid"),
    number<65534>("overflowuid"),
    number<0>("panic"),
    number<Kernel::kMaxPid>("pid_max"),
    text<"4\t4\t1\t7">("printk"),
    synthetic::directory_entry("random", 0555, kRandom),
    number<2>("randomize_va_space"),
    shown("sem", semaphores),
    number<abi::kSHMALL>("shmall"),
    number<abi::kSHMMAX>("shmmax"),
    number<abi::kSHMMNI>("shmmni"),
    number<0>("tainted"),
    number<Kernel::kMaxTasks>("threads-max"),
    shown("version", version),
};

constexpr MachineEntry kInotify[] = {
    number<Inotify::kMaxQueued>("max_queued_events"),
    number<Inotify::kMaxWatches>("max_user_watches"),
};

constexpr MachineEntry kFs[] = {
    number<0>("aio-nr"),
    synthetic::empty_directory_entry<Machine>("binfmt_misc", 0555),
    number<9223372036854775807>("file-max"),
    shown("file-nr", file_nr),
    synthetic::directory_entry("inotify", 0555, kInotify),
    number<static_cast<u64>(FdTable::kMaxDescriptors)>("nr_open"),
    number<65534>("overflowgid"),
    number<65534>("overflowuid"),
    number<Pipe::kMaxSize>("pipe-max-size"),
    number<0>("protected_fifos"),
    number<0>("protected_hardlinks"),
    number<0>("protected_regular"),
    number<0>("protected_symlinks"),
    number<0>("suid_dumpable"),
};

constexpr MachineEntry kVm[] = {
    number<10>("dirty_background_ratio"),
    number<20>("dirty_ratio"),
    number<AddressSpace::kMaxAreas>("max_map_count"),
    number<pico::kUserBegin>("mmap_min_addr"),
    number<0>("nr_hugepages"),
    number<0>("overcommit_kbytes"),
    number<0>("overcommit_memory"),
    number<50>("overcommit_ratio"),
    number<0>("panic_on_oom"),
    number<60>("swappiness"),
};

constexpr MachineEntry kNetCore[] = {
    number<1000>("netdev_max_backlog"), number<212992>("rmem_default"), number<4194304>("rmem_max"),
    number<4096>("somaxconn"),          number<212992>("wmem_default"), number<4194304>("wmem_max"),
};

constexpr MachineEntry kNetIpv4[] = {
    number<0>("ip_forward"),
    text<"32768\t60999">("ip_local_port_range"),
    number<0>("ip_nonlocal_bind"),
    number<1024>("ip_unprivileged_port_start"),
    text<"0\t2147483647">("ping_group_range"),
    number<1>("tcp_fastopen"),
    number<60>("tcp_fin_timeout"),
    number<75>("tcp_keepalive_intvl"),
    number<9>("tcp_keepalive_probes"),
    number<7200>("tcp_keepalive_time"),
    number<4096>("tcp_max_syn_backlog"),
    text<"4096\t131072\t6291456">("tcp_rmem"),
    text<"4096\t16384\t4194304">("tcp_wmem"),
};

constexpr MachineEntry kNetIpv6[] = {
    number<0>("bindv6only"),
};

constexpr MachineEntry kNetUnix[] = {
    number<net::UnixEndpoint::kMaxQueued>("max_dgram_qlen"),
};

constexpr MachineEntry kNet[] = {
    synthetic::directory_entry("core", 0555, kNetCore),
    synthetic::directory_entry("ipv4", 0555, kNetIpv4),
    synthetic::directory_entry("ipv6", 0555, kNetIpv6),
    synthetic::directory_entry("unix", 0555, kNetUnix),
};

constexpr MachineEntry kSys[] = {
    synthetic::directory_entry("fs", 0555, kFs),
    synthetic::directory_entry("kernel", 0555, kKernel),
    synthetic::directory_entry("net", 0555, kNet),
    synthetic::directory_entry("vm", 0555, kVm),
};

}  // namespace

Result<RefPtr<Inode>> make_sys(Directory& parent, Machine& machine, u64 inode_number) {
  return RefPtr<Inode>(make_ref<synthetic::TableDirectory<Machine>>(
      parent.filesystem(), inode_number, kS_IFDIR | 0555, kSys, machine));
}

}  // namespace lxss::procfs
