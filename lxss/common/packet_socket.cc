#include "lxss/common/packet_socket.h"

#include <sys/socket.h>

#include <cstring>

#include "lxss/common/failure.h"

namespace lxss::common {
namespace {

constexpr std::size_t kControlSpace = CMSG_SPACE(sizeof(int) * kMaxPacketDescriptors);

std::vector<UniqueFd> take_descriptors(msghdr& message) {
  std::vector<UniqueFd> result;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      result.emplace_back(fd);
    }
  }
  return result;
}

}  // namespace

PacketSocket::PacketSocket(UniqueFd fd) : fd_(std::move(fd)) {
  const int size = int(kMaxPacket) * 2;  // Best effort; the usual default is enough for one packet.
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

std::pair<PacketSocket, PacketSocket> PacketSocket::pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw_errno("make a socket pair");
  }
  return {PacketSocket(UniqueFd(ends[0])), PacketSocket(UniqueFd(ends[1]))};
}

PacketSocket::SendResult PacketSocket::send(std::string_view bytes,
                                            std::span<const int> descriptors) {
  if (bytes.size() > kMaxPacket || descriptors.size() > kMaxPacketDescriptors) {
    return SendResult::kTooLarge;
  }
  iovec vector{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[kControlSpace] = {};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t sent;
  do {
    sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return errno == EMSGSIZE ? SendResult::kTooLarge : SendResult::kBroken;
  return SendResult::kSent;
}

std::optional<Packet> PacketSocket::receive(bool wait) {
  Packet packet;
  packet.bytes.resize(kMaxPacket);
  iovec vector{packet.bytes.data(), packet.bytes.size()};
  alignas(cmsghdr) char control[kControlSpace];
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t count =
      ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (count > 0) packet.descriptors = take_descriptors(message);
  if (count <= 0 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    closed_ = true;
    return std::nullopt;
  }
  packet.bytes.resize(std::size_t(count));
  return packet;
}

}  // namespace lxss::common
