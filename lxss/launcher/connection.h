// The launcher's connection to the manager, which is started when none runs.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "lxss/common/protocol.h"

namespace lxss::launcher {

class Connection {
 public:
  /// Connects and takes the manager's greeting; throws Failure.
  static Connection open();

  int fd() const { return socket_.fd(); }
  /// Throws Failure.
  void send(const common::Message& message, std::span<const int> descriptors = {});
  /// The next event; nothing, when `wait` is false, if there is none now. Throws
  /// Failure when the manager has gone.
  std::optional<common::Message> receive(bool wait);

  /// Sends a request, shows progress, and returns the result of its "done".
  /// Throws Failure with the manager's sentence.
  common::Message call(const common::Message& request, std::span<const int> descriptors = {});

 private:
  explicit Connection(common::PacketSocket socket) : socket_(std::move(socket)) {}
  common::PacketSocket socket_;
};

}  // namespace lxss::launcher
