// /proc/PID/net: the network as the host tells it, sockets as lxcore knows them.
#include "abi/linux/socket.h"
#include "fs/procfs/internal.h"
#include "fs/procfs/socket_files.h"
#include "host/clock.h"
#include "lxcore/kernel.h"

namespace lxss::procfs {

namespace {

using abi::kS_IFREG;

template <const char* const& kName>
Result<> from_host(Machine&, TextBuilder& out) {
  constexpr usize kStep = 8192;
  std::string text;
  KernelLock::Released released;
  for (;;) {
    usize size = text.size();
    text.resize(size + kStep);
    usize got = host::machine_text(kName, size, {text.data() + size, kStep}).value_or(0);
    text.resize(size + got);
    if (got == 0) break;
  }
  out << text;
  return {};
}

constexpr const char* kDev = "net/dev";
constexpr const char* kRoute = "net/route";
constexpr const char* kIfInet6 = "net/if_inet6";
constexpr const char* kIpv6Route = "net/ipv6_route";

/// A heading, and a line for each socket.
template <const char* const& kHeading, void (*kLines)(TextBuilder&)>
Result<> sockets(Machine&, TextBuilder& out) {
  out << kHeading;
  kLines(out);
  return {};
}

constexpr const char* kUnix = "Num       RefCount Protocol Flags    Type St Inode Path\n";
constexpr const char* kTcp =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode                                                     \n";
constexpr const char* kTcp6 =
    "  sl  local_address                         remote_address                        st "
    "tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
constexpr const char* kUdp =
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode ref pointer drops            \n";
constexpr const char* kUdp6 =
    "  sl  local_address                         remote_address                        st "
    "tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";
constexpr const char* kNetlink =
    "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n";
constexpr const char* kRaw = kUdp;
constexpr const char* kArp =
    "IP address       HW type     Flags       HW address            Mask     Device\n";
constexpr const char* kPacket = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n";

void no_lines(TextBuilder&) {}

template <i32 kFamily, i32 kType>
void inet(TextBuilder& out) {
  append_inet_sockets(out, kFamily, kType);
}

Result<> sockstat(Machine&, TextBuilder& out) {
  SocketCounts counts = count_sockets();
  out << "sockets: used " << counts.used << "\nTCP: inuse " << counts.tcp << " orphan 0 tw 0 alloc "
      << counts.tcp << " mem 0\nUDP: inuse " << counts.udp
      << " mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n";
  return {};
}

constexpr MachineEntry kEntries[] = {
    {.name = "arp", .mode = kS_IFREG | 0444, .generate = sockets<kArp, no_lines>},
    {.name = "dev", .mode = kS_IFREG | 0444, .generate = from_host<kDev>},
    {.name = "if_inet6", .mode = kS_IFREG | 0444, .generate = from_host<kIfInet6>},
    {.name = "ipv6_route", .mode = kS_IFREG | 0444, .generate = from_host<kIpv6Route>},
    {.name = "netlink", .mode = kS_IFREG | 0444, .generate = sockets<kNetlink, no_lines>},
    {.name = "packet", .mode = kS_IFREG | 0444, .generate = sockets<kPacket, no_lines>},
    {.name = "raw", .mode = kS_IFREG | 0444, .generate = sockets<kRaw, no_lines>},
    {.name = "raw6", .mode = kS_IFREG | 0444, .generate = sockets<kUdp6, no_lines>},
    {.name = "route", .mode = kS_IFREG | 0444, .generate = from_host<kRoute>},
    {.name = "sockstat", .mode = kS_IFREG | 0444, .generate = sockstat},
    {.name = "tcp",
     .mode = kS_IFREG | 0444,
     .generate = sockets<kTcp, inet<abi::kAF_INET, abi::kSOCK_STREAM>>},
    {.name = "tcp6",
     .mode = kS_IFREG | 0444,
     .generate = sockets<kTcp6, inet<abi::kAF_INET6, abi::kSOCK_STREAM>>},
    {.name = "udp",
     .mode = kS_IFREG | 0444,
     .generate = sockets<kUdp, inet<abi::kAF_INET, abi::kSOCK_DGRAM>>},
    {.name = "udp6",
     .mode = kS_IFREG | 0444,
     .generate = sockets<kUdp6, inet<abi::kAF_INET6, abi::kSOCK_DGRAM>>},
    {.name = "udplite", .mode = kS_IFREG | 0444, .generate = sockets<kUdp, no_lines>},
    {.name = "udplite6", .mode = kS_IFREG | 0444, .generate = sockets<kUdp6, no_lines>},
    {.name = "unix", .mode = kS_IFREG | 0444, .generate = sockets<kUnix, append_unix_sockets>},
};

}  // namespace

Result<RefPtr<Inode>> make_process_net(Directory& parent, Subject&, u64 number) {
  Machine machine{static_cast<ProcFs*>(&parent.filesystem())};
  return RefPtr<Inode>(make_ref<synthetic::TableDirectory<Machine>>(
      parent.filesystem(), number, abi::kS_IFDIR | 0555, kEntries, machine));
}

}  // namespace lxss::procfs
