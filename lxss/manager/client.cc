#include "lxss/manager/client.h"

#include "lxss/common/failure.h"

namespace lxss::manager {
namespace {

using common::Failure;
using common::Message;
using common::UniqueFd;

std::string text(const Message& message, const char* key) { return message.value(key, ""); }

}  // namespace

Client::Client(Server& server, common::PacketSocket socket)
    : server_(server), socket_(std::move(socket)) {
  server_.loop().watch(socket_.fd(), [this] { read_packets(); });
  send({{"event", "hello"}, {"version", common::kVersion}});
}

Client::~Client() {
  if (socket_) server_.loop().unwatch(socket_.fd());
}

void Client::send(const Message& message) {
  if (socket_ &&
      common::send_message(socket_, message) != common::PacketSocket::SendResult::kSent) {
    close();
  }
}

void Client::done(Message result) { send({{"event", "done"}, {"result", std::move(result)}}); }

void Client::failed(const std::string& sentence, int exit_code) {
  instance_ = nullptr;
  send({{"event", "failed"}, {"message", sentence}, {"code", exit_code}});
}

void Client::started() { send({{"event", "started"}}); }

void Client::exited(int wait_status) {
  instance_ = nullptr;
  send({{"event", "exited"}, {"status", wait_status}});
}

/// The launcher has gone: its session hangs up, its install is undone.
void Client::close() {
  if (!socket_) return;
  server_.loop().unwatch(socket_.fd());
  socket_.close();
  if (instance_ != nullptr) std::exchange(instance_, nullptr)->hang_up(session_);
  if (!job_.empty()) server_.cancel(job_);
  server_.client_gone(this);
}

void Client::read_packets() {
  while (socket_) {
    std::optional<common::Packet> packet = socket_.receive(false);
    if (packet) {
      handle(std::move(*packet));
    } else {
      if (socket_.closed()) close();
      return;
    }
  }
}

void Client::handle(common::Packet packet) {
  try {
    const std::optional<Message> message = common::decode(packet.bytes);
    if (!message) throw Failure("The launcher sent something that is no request.");
    if (std::exchange(requested_, true)) {
      session_message(*message);
    } else {
      request(*message, std::move(packet.descriptors));
    }
  } catch (const Message::exception&) {
    failed("The launcher sent a malformed request.", common::kExitFailure);
  } catch (const std::exception& error) {
    failed(error.what(), common::kExitFailure);
  }
}

void Client::request(const Message& message, std::vector<UniqueFd> descriptors) {
  const std::string op = text(message, "op");
  const std::string name = text(message, "name");
  auto done_later = [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->done();
  };
  if (op == "launch") {
    launch(message.get<common::LaunchRequest>(), std::move(descriptors));
  } else if (op == "list") {
    done(server_.list());
  } else if (op == "status") {
    done(server_.status());
  } else if (op == "set-default") {
    server_.set_default(name);
    done();
  } else if (op == "terminate") {
    server_.terminate(name, done_later);
  } else if (op == "shutdown") {
    server_.shutdown(done_later);
  } else if (op == "install") {
    install(message, std::move(descriptors));
  } else if (op == "unregister") {
    server_.uninstall(name, listener());
  } else if (op == "export") {
    if (descriptors.size() != 1) throw Failure("An export needs a file to write to.");
    job_ = server_.export_to(name, std::move(descriptors.front()), text(message, "format"),
                             listener());
  } else {
    throw Failure("The manager does not know the operation '{}'.", op);
  }
}

void Client::launch(const common::LaunchRequest& request, std::vector<UniqueFd> descriptors) {
  if (descriptors.size() != (request.trace ? 4u : 3u)) {
    throw Failure("A launch needs standard input, output and error.");
  }
  // A retry needs the descriptors again, so they are shared with it.
  auto shared = std::make_shared<std::vector<UniqueFd>>(std::move(descriptors));
  Instance* instance =
      server_.instance_for_launch(request.distribution, [weak = weak_from_this(), request, shared] {
        auto self = weak.lock();
        if (!self || !self->socket_) return;
        try {
          self->launch(request, std::move(*shared));
        } catch (const Failure& failure) {
          self->failed(failure.what(), common::kExitFailure);
        }
      });
  if (instance == nullptr) return;
  session_ = instance->launch(request, std::move(*shared), *this);
  instance_ = instance;
}

/// A signal that comes before there is an instance ends the session at once.
void Client::session_message(const Message& message) {
  const std::string op = text(message, "op");
  if (op == "signal") {
    const auto number = message.at("number").get<std::uint32_t>();
    instance_ != nullptr ? instance_->send_signal(session_, number) : exited(int(number));
  } else if (op == "resize" && instance_ != nullptr) {
    instance_->resize(session_, message.at("size").get<common::TerminalSize>());
  }
}

void Client::install(const Message& message, std::vector<UniqueFd> descriptors) {
  InstallRequest request{.name = text(message, "name"), .directory = text(message, "directory")};
  const std::string source = text(message, "source");
  if (source == "debian") {
    request.source = InstallRequest::Source::kDebian;
  } else if (source == "minimal") {
    request.source = InstallRequest::Source::kMinimal;
  } else if (source == "archive" && descriptors.size() == 1) {
    request.archive = std::move(descriptors.front());
  } else {
    throw Failure("There is no distribution '{}' to install; there are debian and minimal.",
                  source);
  }
  job_ = server_.install(std::move(request), listener());
}

Listener Client::listener() {
  return {[weak = weak_from_this()](const std::string& line) {
            if (auto self = weak.lock()) self->send({{"event", "progress"}, {"text", line}});
          },
          [weak = weak_from_this()](const std::optional<std::string>& failure) {
            auto self = weak.lock();
            if (!self) return;
            self->job_.clear();
            failure ? self->failed(*failure, common::kExitFailure) : self->done();
          }};
}

}  // namespace lxss::manager
