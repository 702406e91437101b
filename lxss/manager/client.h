// One connection of a launcher: one request, then events until it is done.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lxss/common/protocol.h"
#include "lxss/manager/server.h"

namespace lxss::manager {

class Client final : public SessionOwner, public std::enable_shared_from_this<Client> {
 public:
  /// Greets the launcher and waits for its request.
  Client(Server& server, common::PacketSocket socket);
  ~Client();

  void started() override;
  void failed(const std::string& sentence, int exit_code) override;
  void exited(int wait_status) override;

 private:
  void read_packets();
  void handle(common::Packet packet);
  void request(const common::Message& message, std::vector<common::UniqueFd> descriptors);
  void launch(const common::LaunchRequest& request, std::vector<common::UniqueFd> descriptors);
  void session_message(const common::Message& message);
  void install(const common::Message& message, std::vector<common::UniqueFd> descriptors);
  Listener listener();
  void send(const common::Message& message);
  void done(common::Message result = nullptr);
  void close();

  Server& server_;
  common::PacketSocket socket_;
  bool requested_ = false;
  Instance* instance_ = nullptr;  ///< while a session of this client lives
  SessionId session_ = 0;
  Server::JobKey job_;  ///< ends with the client; empty when there is none
};

}  // namespace lxss::manager
