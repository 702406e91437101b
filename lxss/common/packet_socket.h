// One end of a SOCK_SEQPACKET connection: whole packets with descriptors.
// Both protocols of the manager, to launchers and to instances, run over it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lxss/common/files.h"

namespace lxss::common {

inline constexpr std::size_t kMaxPacket = 160 * 1024;
inline constexpr std::size_t kMaxPacketDescriptors = 32;

struct Packet {
  std::string bytes;
  std::vector<UniqueFd> descriptors;
};

class PacketSocket {
 public:
  PacketSocket() = default;
  explicit PacketSocket(UniqueFd fd);

  /// Two connected ends; throws Failure.
  static std::pair<PacketSocket, PacketSocket> pair();

  int fd() const { return fd_.get(); }
  explicit operator bool() const { return bool(fd_); }
  void close() { fd_.reset(); }

  enum class SendResult { kSent, kTooLarge, kBroken };
  /// Never blocks: a peer that has stopped reading counts as broken.
  SendResult send(std::string_view bytes, std::span<const int> descriptors = {});

  /// The next packet. Blocks unless `wait` is false. Nothing when there is none
  /// now (see `closed`), or when the peer has gone or sent an oversized packet.
  std::optional<Packet> receive(bool wait);
  /// True once a receive() has seen the end of the connection.
  bool closed() const { return closed_; }

 private:
  UniqueFd fd_;
  bool closed_ = false;
};

}  // namespace lxss::common
