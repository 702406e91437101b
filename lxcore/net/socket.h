// What all sockets have in common: the interface that the system calls use, SOL_SOCKET's
// options, timeouts, and waiting.
//
// Operations are called without short locks. What is common to all families is in atomics; a family
// guards its own state.
#pragma once

#include "lxcore/net/message.h"

namespace lxss::net {

/// How long an operation may wait: not at all, until a deadline, or for ever.
struct Patience {
  bool may_wait = true;
  host::Deadline deadline;

  /// What a wait that failed means for the operation: EAGAIN at the deadline. Linux: a call with
  /// a timeout is not restarted (man 7 signal).
  Errno failure(Errno error) const {
    if (error == Errno::kETIMEDOUT) return Errno::kEAGAIN;
    if (error == Errno::kERESTARTSYS && deadline) return Errno::kEINTR;
    return error;
  }
};

class Socket : public File {
 public:
  Socket(i32 domain, i32 type, i32 protocol)
      : File(Locking::kOwn), domain_(domain), type_(type), protocol_(protocol) {}

  i32 domain() const { return domain_; }
  i32 type() const { return type_; }
  i32 protocol() const { return protocol_; }
  Socket* as_socket() final { return this; }

  // man 2 bind, connect, listen, accept, getsockname, getpeername, shutdown.
  virtual Result<> bind(Task&, const Address&) = 0;
  virtual Result<> connect(Task&, const Address&) = 0;
  virtual Result<> listen(Task&, i32 /*backlog*/) { return Errno::kEOPNOTSUPP; }
  /// The new socket has not been initialised as a File. `peer` may be null.
  virtual Result<RefPtr<Socket>> accept(Task&, Address* /*peer*/) { return Errno::kEOPNOTSUPP; }
  virtual Result<Address> local_address() = 0;
  virtual Result<Address> peer_address() { return Errno::kEOPNOTSUPP; }
  /// `how` is valid.
  virtual Result<> shutdown(Task&, i32 /*how*/) { return Errno::kEOPNOTSUPP; }

  /// Bytes sent; EPIPE raises no signal here.
  virtual Result<usize> send(Task&, OutgoingMessage&) = 0;
  /// Bytes received (the message's size with MSG_TRUNC).
  virtual Result<usize> receive(Task&, IncomingMessage&) = 0;

  /// `value` is as the guest gave it. The defaults know SOL_SOCKET.
  virtual Result<> set_option(Task&, i32 level, i32 option, std::span<const std::byte> value);
  /// Fills `value`'s front: the number of bytes.
  virtual Result<usize> get_option(Task&, i32 level, i32 option, std::span<std::byte> value);

  /// send(), with SIGPIPE as MSG_NOSIGNAL says.
  Result<usize> send_message(Task& task, OutgoingMessage& message);
  /// receive(), with the ancillary data that every family has.
  Result<usize> receive_message(Task& task, IncomingMessage& message);

  Result<usize> read(Task& task, IoBuffer& buffer, u64*) final;
  Result<usize> write(Task& task, IoBuffer& buffer, u64*) final;
  Result<u64> ioctl(Task& task, u32 request, u64 argument) override;

  /// An error to be reported by the next call (SO_ERROR).
  void set_error(Errno error) { error_ = error; }
  /// Called once, before others see the File.
  virtual void inode_known() {}

 protected:
  Patience patience_to_receive(abi::MsgFlags flags = {}) const;
  Patience patience_to_send(abi::MsgFlags flags = {}) const;
  /// Waits on `queue` until `condition()`, which is evaluated under `lock`, held by the caller;
  /// fails as the operation does.
  template <typename AnyLock, typename Condition>
  Result<> wait(Task& task, AnyLock& lock, WaitQueue& queue, const Patience& patience,
                Condition condition) LXSS_NO_THREAD_SAFETY_ANALYSIS {
    if (!patience.may_wait) return condition() ? Result<>() : Errno::kEAGAIN;
    auto result = wait_until(task, lock, queue, condition, patience.deadline);
    if (!result.ok()) return patience.failure(result.error());
    return {};
  }
  /// The same for a condition that looks at atomics only.
  template <typename Condition>
  Result<> wait_unlocked(Task& task, WaitQueue& queue, const Patience& patience,
                         Condition condition) {
    struct NoLock {
      void lock() {}
      void unlock() {}
      bool abandoned() const { return false; }
    } none;
    return wait(task, none, queue, patience, condition);
  }
  /// An accepted socket is as its listener in this.
  void inherit_options(const Socket& listener);

  virtual Errno take_error() { return error_.exchange(Errno{0}); }
  virtual bool is_listening() const { return false; }
  virtual void buffer_sizes_changed() {}
  /// FIONREAD, SIOCOUTQ.
  virtual Result<i32> bytes_to_read() { return Errno::kENOTTY; }
  virtual Result<i32> bytes_unsent() { return Errno::kENOTTY; }

  static constexpr u32 kDefaultBuffer = 212992;   ///< net.core.wmem_default
  static constexpr u32 kMaxBuffer = 2 * 4194304;  ///< twice net.core.wmem_max
  // Options, each for itself.
  std::atomic<u32> send_buffer_ = kDefaultBuffer;
  std::atomic<u32> receive_buffer_ = kDefaultBuffer;
  std::atomic<u64> send_timeout_ns_ = kForever;
  std::atomic<u64> receive_timeout_ns_ = kForever;
  std::atomic<bool> pass_credentials_ = false;
  std::atomic<abi::Linger> linger_{abi::Linger{}};

 private:
  static constexpr u64 kForever = ~u64{0};
  Result<> set_timeout(std::atomic<u64>& timeout_ns, std::span<const std::byte> value);
  std::atomic<bool>* flag(i32 option);

  const i32 domain_, type_, protocol_;
  std::atomic<Errno> error_{Errno{0}};
  std::atomic<i32> priority_ = 0;
  std::atomic<i32> receive_low_water_ = 1;
  std::atomic<bool> timestamps_ = false, timestamps_ns_ = false;
  std::atomic<bool> reuse_address_ = false, keep_alive_ = false, broadcast_ = false;
  std::atomic<bool> dont_route_ = false, oob_inline_ = false, debug_ = false;
  std::atomic<bool> pass_security_ = false, no_check_ = false;
};

/// socket(2) without the descriptor; the File is initialised. `type` has no flags.
Result<RefPtr<Socket>> create(Task& task, i32 domain, i32 type, i32 protocol, abi::OpenFlags flags);
/// socketpair(2), likewise.
struct SocketPair {
  RefPtr<Socket> first, second;
};
Result<SocketPair> create_pair(Task& task, i32 domain, i32 type, i32 protocol,
                               abi::OpenFlags flags);
/// Gives a new socket its inode. `flags` may hold O_NONBLOCK.
void initialise(Socket& socket, abi::OpenFlags flags);

/// Option values: EINVAL if too short.
Result<i32> option_int(std::span<const std::byte> value);
/// As much of `result` as there is room for.
usize put_option(std::span<std::byte> value, const void* result, usize size);
template <typename T>
usize put_option(std::span<std::byte> value, const T& result) {
  return put_option(value, &result, sizeof result);
}

}  // namespace lxss::net
