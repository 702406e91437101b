// A long piece of work (install, export, ...) in a child process, so that the
// manager answers meanwhile.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "lxss/common/packet_socket.h"
#include "lxss/distro/debian.h"
#include "lxss/manager/event_loop.h"

namespace lxss::manager {

class Job {
 public:
  /// Runs in the child; what it throws is the job's failure.
  using Work = std::function<void(const distro::Report&)>;
  using OnProgress = std::function<void(const std::string& line)>;
  /// Called once; nothing means success. May destroy the job.
  using OnEnd = std::function<void(const std::optional<std::string>& failure)>;

  /// Forks. The child keeps only standard input, output, error and `kept` open,
  /// and dies with the manager. Throws Failure.
  Job(EventLoop& loop, std::vector<int> kept, const Work& work, OnProgress on_progress,
      OnEnd on_end);
  ~Job();
  Job(const Job&) = delete;

  /// Ends the child and what it started; `on_end` follows.
  void cancel();

 private:
  void read_messages();
  void process_ended();

  EventLoop& loop_;
  OnProgress on_progress_;
  OnEnd on_end_;
  common::PacketSocket socket_;
  pid_t pid_ = -1;
  std::optional<std::string> failure_ = "The work ended before it was done.";
};

}  // namespace lxss::manager
