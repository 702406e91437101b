// SOL_SOCKET for the families that lxcore implements itself (man 7 socket).
#include <algorithm>

#include "lxcore/net/socket.h"
#include "lxcore/task/process.h"

namespace lxss::net {

namespace {

constexpr u32 kMinSendBuffer = 4608;
constexpr u32 kMinReceiveBuffer = 2304;

/// What Linux makes of a requested size: twice as much, within bounds.
u32 buffer_size(i32 requested, u32 minimum, u32 maximum) {
  const u32 half = std::min<u32>(static_cast<u32>(requested), maximum / 2);
  return std::max(half * 2, minimum);
}

abi::Timeval to_timeval(u64 ns) {
  return {static_cast<i64>(ns / abi::kNSEC_PER_SEC),
          static_cast<i64>(ns % abi::kNSEC_PER_SEC / abi::kNSEC_PER_USEC)};
}

}  // namespace

Result<i32> option_int(std::span<const std::byte> value) {
  i32 result;
  if (value.size() < sizeof result) return Errno::kEINVAL;
  std::memcpy(&result, value.data(), sizeof result);
  return result;
}

usize put_option(std::span<std::byte> value, const void* result, usize size) {
  size = std::min(size, value.size());
  std::memcpy(value.data(), result, size);
  return size;
}

Result<> Socket::set_timeout(std::atomic<u64>& timeout_ns, std::span<const std::byte> value) {
  abi::Timeval time;
  if (value.size() < sizeof time) return Errno::kEINVAL;
  std::memcpy(&time, value.data(), sizeof time);
  if (time.tv_usec < 0 || time.tv_usec >= abi::kUSEC_PER_SEC) return Errno::kEDOM;
  constexpr i64 kMostSeconds = i64{1} << 32;
  if (time.tv_sec < 0) {
    timeout_ns = 0;  // Linux: does not wait at all
  } else if ((time.tv_sec == 0 && time.tv_usec == 0) || time.tv_sec > kMostSeconds) {
    timeout_ns = kForever;
  } else {
    timeout_ns =
        static_cast<u64>(time.tv_sec * abi::kNSEC_PER_SEC + time.tv_usec * abi::kNSEC_PER_USEC);
  }
  return {};
}

void Socket::inherit_options(const Socket& listener) {
  send_timeout_ns_ = listener.send_timeout_ns_.load();
  receive_timeout_ns_ = listener.receive_timeout_ns_.load();
  pass_credentials_ = listener.pass_credentials_.load();
  pass_security_ = listener.pass_security_.load();
}

std::atomic<bool>* Socket::flag(i32 option) {
  switch (option) {
    case abi::kSO_DEBUG:
      return &debug_;
    case abi::kSO_REUSEADDR:
      return &reuse_address_;
    case abi::kSO_DONTROUTE:
      return &dont_route_;
    case abi::kSO_BROADCAST:
      return &broadcast_;
    case abi::kSO_KEEPALIVE:
      return &keep_alive_;
    case abi::kSO_OOBINLINE:
      return &oob_inline_;
    case abi::kSO_NO_CHECK:
      return &no_check_;
    case abi::kSO_PASSCRED:
      return &pass_credentials_;
    case abi::kSO_PASSSEC:
      return &pass_security_;
    case abi::kSO_TIMESTAMP:
      return &timestamps_;
    case abi::kSO_TIMESTAMPNS:
      return &timestamps_ns_;
    default:
      return nullptr;
  }
}

Result<> Socket::set_option(Task& task, i32 level, i32 option, std::span<const std::byte> value) {
  if (level != abi::kSOL_SOCKET) return Errno::kEOPNOTSUPP;
  const i32 number = TRY(option_int(value));
  if (std::atomic<bool>* known = flag(option)) {
    if (option == abi::kSO_DEBUG && number && !task.has_capability(abi::kCAP_NET_ADMIN)) {
      return Errno::kEACCES;
    }
    *known = number != 0;
    if (option == abi::kSO_TIMESTAMPNS && number) timestamps_ = false;
    if (option == abi::kSO_TIMESTAMP && number) timestamps_ns_ = false;
    return {};
  }
  switch (option) {
    case abi::kSO_SNDBUF:
    case abi::kSO_RCVBUF:
    case abi::kSO_SNDBUFFORCE:
    case abi::kSO_RCVBUFFORCE: {
      const bool force = option == abi::kSO_SNDBUFFORCE || option == abi::kSO_RCVBUFFORCE;
      if (force && !task.has_capability(abi::kCAP_NET_ADMIN)) return Errno::kEPERM;
      if (option == abi::kSO_SNDBUF || option == abi::kSO_SNDBUFFORCE) {
        send_buffer_ = buffer_size(number, kMinSendBuffer, kMaxBuffer);
      } else {
        receive_buffer_ = buffer_size(number, kMinReceiveBuffer, kMaxBuffer);
      }
      buffer_sizes_changed();
      return {};
    }
    case abi::kSO_RCVTIMEO_OLD:
    case abi::kSO_RCVTIMEO_NEW:
      return set_timeout(receive_timeout_ns_, value);
    case abi::kSO_SNDTIMEO_OLD:
    case abi::kSO_SNDTIMEO_NEW:
      return set_timeout(send_timeout_ns_, value);
    case abi::kSO_LINGER: {
      abi::Linger linger;
      if (value.size() < sizeof linger) return Errno::kEINVAL;
      std::memcpy(&linger, value.data(), sizeof linger);
      linger.l_onoff = linger.l_onoff != 0;
      linger_ = linger;
      return {};
    }
    case abi::kSO_PRIORITY:
      if ((number < 0 || number > 6) && !task.has_capability(abi::kCAP_NET_ADMIN)) {
        return Errno::kEPERM;
      }
      priority_ = number;
      return {};
    case abi::kSO_RCVLOWAT:
      receive_low_water_ = number < 0 ? INT32_MAX : std::max(number, 1);
      return {};
    case abi::kSO_REUSEPORT:
      return number ? Errno::kEOPNOTSUPP : Result<>();
    case abi::kSO_PEEK_OFF:
      // Only its default: peeking begins at the front.
      return number < 0 ? Result<>() : Errno::kEOPNOTSUPP;
    default:
      return Errno::kENOPROTOOPT;
  }
}

Result<usize> Socket::get_option(Task&, i32 level, i32 option, std::span<std::byte> value) {
  if (level != abi::kSOL_SOCKET) return Errno::kEOPNOTSUPP;
  if (const std::atomic<bool>* known = flag(option)) return put_option(value, i32{*known});
  switch (option) {
    case abi::kSO_TYPE:
      return put_option(value, type_);
    case abi::kSO_DOMAIN:
      return put_option(value, domain_);
    case abi::kSO_PROTOCOL:
      return put_option(value, protocol_);
    case abi::kSO_ERROR:
      return put_option(value, static_cast<i32>(take_error()));
    case abi::kSO_ACCEPTCONN:
      return put_option(value, i32{is_listening()});
    case abi::kSO_SNDBUF:
      return put_option(value, send_buffer_.load());
    case abi::kSO_RCVBUF:
      return put_option(value, receive_buffer_.load());
    case abi::kSO_PRIORITY:
      return put_option(value, priority_.load());
    case abi::kSO_RCVLOWAT:
      return put_option(value, receive_low_water_.load());
    case abi::kSO_SNDLOWAT:
      return put_option(value, i32{1});
    case abi::kSO_REUSEPORT:
      return put_option(value, i32{0});
    case abi::kSO_PEEK_OFF:
      return put_option(value, i32{-1});
    case abi::kSO_LINGER:
      return put_option(value, linger_.load());
    case abi::kSO_RCVTIMEO_OLD:
    case abi::kSO_RCVTIMEO_NEW:
    case abi::kSO_SNDTIMEO_OLD:
    case abi::kSO_SNDTIMEO_NEW: {
      const bool receive = option == abi::kSO_RCVTIMEO_OLD || option == abi::kSO_RCVTIMEO_NEW;
      const u64 timeout = (receive ? receive_timeout_ns_ : send_timeout_ns_).load();
      return put_option(value, timeout == kForever ? abi::Timeval{} : to_timeval(timeout));
    }
    case abi::kSO_PEERCRED:
      return put_option(value, abi::Ucred{0, ~0u, ~0u});
    case abi::kSO_PEERGROUPS:
      return Errno::kENODATA;
    default:
      return Errno::kENOPROTOOPT;
  }
}

}  // namespace lxss::net
