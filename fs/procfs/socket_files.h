// Lines of /proc/net that tell of the instance's own sockets.
#pragma once

#include "base/text.h"

namespace lxss::procfs {

/// All local sockets, as in /proc/net/unix.
void append_unix_sockets(TextBuilder& out);
/// Sockets of the host's network stack that have an address and stand in a descriptor table:
/// those of one family (AF_INET, AF_INET6) and type (SOCK_STREAM: tcp, SOCK_DGRAM: udp).
void append_inet_sockets(TextBuilder& out, i32 family, i32 type);

struct SocketCounts {
  u64 used = 0, tcp = 0, udp = 0;
};
SocketCounts count_sockets();

}  // namespace lxss::procfs
