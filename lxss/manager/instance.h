// One running distribution: its kernel process and the sessions in it.
//
// Life: waits for the tree's lock, boots, runs, stops, has ended. Launches before
// it runs are kept until it does. Everything that the kernel process sends is
// checked; a message that breaks the protocol ends the instance.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lxcore/control/protocol.h"
#include "lxss/common/packet_socket.h"
#include "lxss/common/protocol.h"
#include "lxss/distro/registry.h"
#include "lxss/distro/volfs_tree.h"
#include "lxss/distro/wsl_conf.h"
#include "lxss/manager/config.h"
#include "lxss/manager/event_loop.h"
#include "lxss/manager/launch_plan.h"

namespace lxss::manager {

using SessionId = std::uint64_t;

/// What a session's owner is told; after failed() or exited() nothing follows.
class SessionOwner {
 public:
  virtual void started() = 0;
  virtual void failed(const std::string& sentence, int exit_code) = 0;
  virtual void exited(int wait_status) = 0;

 protected:
  ~SessionOwner() = default;
};

class Instance {
 public:
  /// Begins to start the instance. `on_end` is called once, from the loop, and
  /// may destroy the instance. Throws Failure.
  Instance(EventLoop& loop, distro::Distribution distribution, Config config, Callback on_end);
  ~Instance();
  Instance(const Instance&) = delete;

  const std::string& name() const { return distribution_.name; }
  bool stopping() const { return phase_ == Phase::kStopping || phase_ == Phase::kEnded; }
  bool has_sessions() const { return !sessions_.empty(); }
  /// control::Confinement bits that the kernel says are in force.
  std::uint32_t confinement() const { return confinement_; }

  /// Runs the request; `descriptors` are standard input, output, error (and the
  /// trace). Must not be stopping(). Throws Failure when the request cannot be met.
  SessionId launch(const common::LaunchRequest& request, std::vector<common::UniqueFd> descriptors,
                   SessionOwner& owner);
  /// Before the instance runs, the signal ends the session.
  void send_signal(SessionId id, std::uint32_t number);
  void resize(SessionId session, const common::TerminalSize& size);
  /// The owner has gone: hangs the session up and forgets it.
  void hang_up(SessionId session);

  /// Asks the kernel to end everything; after a grace time it is killed.
  void stop();

 private:
  enum class Phase { kLocking, kBooting, kRunning, kStopping, kEnded };

  struct Session {
    SessionOwner* owner;
    common::LaunchRequest request;
    LaunchPlan plan;
    std::vector<common::UniqueFd> descriptors;  ///< kept until the session has started
    std::size_t directory = 0;                  ///< which of the plan's is being tried
  };

  void try_boot();
  void boot(common::UniqueFd root);
  void prepare_tree(const common::UniqueFd& root);
  std::string boot_message(std::vector<common::UniqueFd>& drives) const;
  void begin_idle();
  void send_launch(SessionId id, Session& session);
  void read_messages();
  void handle(const std::string& bytes);
  void handle_ready(const control::Ready& ready);
  void handle_launch_failed(const control::LaunchFailed& failed);
  void broken(const std::string& why);
  void fail_session(SessionId id, const std::string& sentence, int exit_code);
  void process_ended(int wait_status);
  void end(const std::string& sentence);
  void log(const std::string& line) const;
  template <typename T>
  void send(const T& message);

  EventLoop& loop_;
  distro::Distribution distribution_;
  Config config_;
  Callback on_end_;
  distro::VolfsTree tree_;
  distro::WslConf wsl_conf_;
  std::string hostname_;
  common::UniqueFd log_;
  common::PacketSocket control_;
  pid_t pid_ = -1;
  Phase phase_ = Phase::kLocking;
  std::uint32_t confinement_ = 0;
  std::string boot_error_;                             ///< the kernel's own sentence
  EventLoop::TimerId deadline_ = EventLoop::kNoTimer;  ///< of locking, booting or stopping
  EventLoop::TimerId retry_ = EventLoop::kNoTimer;
  EventLoop::TimerId idle_ = EventLoop::kNoTimer;
  std::map<SessionId, Session> sessions_;
  SessionId last_session_ = 0;
};

}  // namespace lxss::manager
