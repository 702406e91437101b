#include "lxss/manager/event_loop.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "lxss/common/failure.h"

namespace lxss::manager {

EventLoop::EventLoop(Callback on_terminate) : on_terminate_(std::move(on_terminate)) {
  sigset_t set;
  ::sigemptyset(&set);
  for (int signal : {SIGCHLD, SIGTERM, SIGINT}) ::sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = common::UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) common::throw_errno("wait for signals");
  watch(signals_.get(), [this] { read_signals(); });
}

void EventLoop::watch(int fd, Callback on_readable) {
  watches_.insert_or_assign(fd, std::move(on_readable));
}

EventLoop::TimerId EventLoop::after(std::chrono::milliseconds delay, Callback on_time) {
  timers_.emplace(++last_timer_, Timer{Clock::now() + delay, std::move(on_time)});
  return last_timer_;
}

void EventLoop::cancel(TimerId& id) {
  timers_.erase(id);
  id = kNoTimer;
}

void EventLoop::watch_child(pid_t pid, std::function<void(int)> on_end) {
  children_.emplace(pid, std::move(on_end));
}

void EventLoop::run() {
  while (running_) {
    std::vector<pollfd> polled;
    for (const auto& [fd, callback] : watches_) polled.push_back({fd, POLLIN, 0});
    const int count = ::poll(polled.data(), polled.size(), next_timeout_ms());
    if (count < 0 && errno != EINTR) common::throw_errno("wait for events");
    for (const pollfd& entry : polled) {
      if (entry.revents == 0) continue;
      const auto found = watches_.find(entry.fd);  // An earlier callback may have removed it.
      if (found == watches_.end()) continue;
      const Callback callback = found->second;
      callback();
    }
    run_timers();
  }
}

int EventLoop::next_timeout_ms() const {
  if (timers_.empty()) return -1;
  Clock::time_point first = Clock::time_point::max();
  for (const auto& [id, timer] : timers_) first = std::min(first, timer.when);
  const auto delay = std::chrono::ceil<std::chrono::milliseconds>(first - Clock::now()).count();
  return int(std::clamp<decltype(delay)>(delay, 0, 60'000));
}

void EventLoop::run_timers() {
  const Clock::time_point now = Clock::now();
  std::vector<TimerId> due;
  for (const auto& [id, timer] : timers_) {
    if (timer.when <= now) due.push_back(id);
  }
  for (TimerId id : due) {
    auto timer = timers_.extract(id);
    if (timer) timer.mapped().callback();
  }
}

void EventLoop::read_signals() {
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo != SIGCHLD) on_terminate_();
  }
  reap_children();
}

void EventLoop::reap_children() {
  while (true) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
    // Not reaped yet, so the group's number cannot have been given to another.
    ::kill(-info.si_pid, SIGKILL);
    auto child = children_.extract(info.si_pid);
    int status = 0;
    ::waitpid(info.si_pid, &status, 0);
    if (child) child.mapped()(status);
  }
}

}  // namespace lxss::manager
