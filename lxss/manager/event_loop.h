// The manager's only thread: waits for descriptors, timers and ended children.
//
// Callbacks may add and remove watches and timers, their own included.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>

#include "lxss/common/files.h"

namespace lxss::manager {

using Callback = std::function<void()>;
using Clock = std::chrono::steady_clock;

class EventLoop {
 public:
  /// Takes over SIGCHLD, SIGTERM and SIGINT of the process; the latter two call
  /// `on_terminate`. Throws Failure.
  explicit EventLoop(Callback on_terminate);

  /// Calls back whenever `fd` can be read or has been closed by its peer.
  void watch(int fd, Callback on_readable);
  void unwatch(int fd) { watches_.erase(fd); }

  using TimerId = std::uint64_t;
  static constexpr TimerId kNoTimer = 0;
  TimerId after(std::chrono::milliseconds delay, Callback on_time);
  /// Forgets the timer, if it is still set, and sets `id` to kNoTimer.
  void cancel(TimerId& id);

  /// Calls back once, when the child has ended and what was left of its process
  /// group has been killed.
  void watch_child(pid_t pid, std::function<void(int wait_status)> on_end);

  void run();
  void stop() { running_ = false; }

 private:
  struct Timer {
    Clock::time_point when;
    Callback callback;
  };

  int next_timeout_ms() const;
  void run_timers();
  void read_signals();
  void reap_children();

  Callback on_terminate_;
  std::map<int, Callback> watches_;
  std::map<TimerId, Timer> timers_;
  std::map<pid_t, std::function<void(int)>> children_;
  TimerId last_timer_ = kNoTimer;
  common::UniqueFd signals_;
  bool running_ = true;
};

}  // namespace lxss::manager
