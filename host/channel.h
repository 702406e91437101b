// Packets with descriptors over a local socket: the control channel to the session manager.
#pragma once

#include <span>

#include "base/result.h"
#include "host/fd.h"

namespace lxss::host {

/// One packet. More descriptors than there is room for are closed. 0 bytes: the peer has gone.
/// EAGAIN if there is none.
struct Packet {
  usize size = 0;
  usize descriptors = 0;
};
Result<Packet> receive_packet(Fd channel, std::span<std::byte> data, std::span<UniqueFd> fds);
/// EAGAIN if the channel is full, EPIPE if the peer has gone.
Result<> send_packet(Fd channel, std::span<const std::byte> data);

}  // namespace lxss::host
