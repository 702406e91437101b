// The manager: distributions, their instances, and the jobs that change them.
//
// One operation that changes a distribution's files runs at a time; launches on
// it are refused meanwhile with a sentence that says why.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lxss/common/paths.h"
#include "lxss/common/protocol.h"
#include "lxss/distro/registry.h"
#include "lxss/manager/config.h"
#include "lxss/manager/event_loop.h"
#include "lxss/manager/instance.h"
#include "lxss/manager/job.h"

namespace lxss::manager {

class Client;

/// How a long operation tells its client; callable after the client has gone.
struct Listener {
  std::function<void(const std::string& line)> progress;
  Job::OnEnd end;
};

/// What to install, and as what.
struct InstallRequest {
  enum class Source { kDebian, kMinimal, kArchive };
  Source source = Source::kArchive;
  std::string name{};
  std::string directory{};     ///< absolute; empty: the manager's choice
  common::UniqueFd archive{};  ///< kArchive only
};

class Server {
 public:
  /// Removes what a crash left behind; throws Failure.
  Server(EventLoop& loop, common::Paths paths, common::UniqueFd listener);
  ~Server();

  EventLoop& loop() { return loop_; }

  /// The running instance of the named (or default) distribution, started when
  /// there is none. Nothing when one is just ending: then `retry` is called
  /// later. Throws Failure.
  Instance* instance_for_launch(const std::string& name, Callback retry);

  common::Message list() const;
  common::Message status() const;
  void set_default(const std::string& name);
  /// `done` is called when the instance, if there is one, has ended.
  void terminate(const std::string& name, Callback done);
  /// Ends all instances and then, when nothing else is going on, the manager.
  void shutdown(Callback done);

  /// Start a job; its key cancels it. Throw Failure.
  using JobKey = std::string;
  JobKey install(InstallRequest request, Listener listener);
  JobKey uninstall(const std::string& name, Listener listener);
  JobKey export_to(const std::string& name, common::UniqueFd archive, const std::string& format,
                   Listener listener);
  void cancel(const JobKey& key);

  void client_gone(Client* client);

 private:
  void accept_client();
  distro::Distribution require(const std::string& name) const;
  void refuse_if_busy(const std::string& key) const;
  void when_stopped(const std::string& key, Callback callback);
  void instance_ended(const std::string& key);
  void start_job(const std::string& key, const std::string& activity, std::vector<int> kept,
                 const Job::Work& work, Listener listener);
  void remove(const distro::Distribution& distribution, const std::string& activity,
              Listener listener);
  void watch_for_idleness();

  struct Activity {
    std::string sentence;  ///< "'debian' is being installed."
    std::unique_ptr<Job> job;
  };

  EventLoop& loop_;
  common::Paths paths_;
  common::UniqueFd listener_;
  distro::Registry registry_;
  // All by the distribution's name in lower case.
  std::map<std::string, Activity> activities_;
  std::map<std::string, std::unique_ptr<Instance>> instances_;
  std::map<std::string, std::vector<Callback>> after_stop_;
  std::map<Client*, std::shared_ptr<Client>> clients_;
  EventLoop::TimerId idle_ = EventLoop::kNoTimer;
};

}  // namespace lxss::manager
