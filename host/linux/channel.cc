#include "host/channel.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include "host/linux/syscall.h"

namespace lxss::host {

namespace {
constexpr usize kMostDescriptors = 64;
}  // namespace

Result<Packet> receive_packet(Fd channel, std::span<std::byte> data, std::span<UniqueFd> fds) {
  alignas(cmsghdr) std::byte control[CMSG_SPACE(kMostDescriptors * sizeof(int))];
  iovec piece{data.data(), data.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  Packet packet;
  packet.size = TRY(
      sys::check(sys::call(SYS_recvmsg, channel.value, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)));
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    const usize count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (usize i = 0; i < count; ++i) {
      int number;
      __builtin_memcpy(&number, CMSG_DATA(head) + i * sizeof(int), sizeof number);
      UniqueFd received{Fd{number}};
      if (packet.descriptors < fds.size()) fds[packet.descriptors++] = std::move(received);
    }
  }
  return packet;
}

Result<> send_packet(Fd channel, std::span<const std::byte> data) {
  iovec piece{const_cast<std::byte*>(data.data()), data.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  return sys::check_void(
      sys::call(SYS_sendmsg, channel.value, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

}  // namespace lxss::host
