#include "lxcore/control/monitor.h"

#include <algorithm>

#include "host/channel.h"
#include "lxcore/control/launch.h"
#include "lxcore/kernel.h"
#include "lxcore/task/lifecycle.h"

namespace lxss::monitor {

namespace {

using abi::PollFlag;

constexpr host::Fd kManager{control::kControlFd};

/// What the loop keeps between turns; in the arena.
struct State {
  host::UniqueFd death_events;
  std::vector<abi::PollFd> polled;
  std::vector<RefPtr<Launch>> polled_launches;  ///< behind the fixed entries of `polled`
  std::vector<std::byte> message;
  u64 next_reap_ns = 0;  ///< of the monotonic clock
  u32 reported_processes = ~u32{0};
  bool shutting_down = false;
};

constexpr usize kFixedEntries = 2;

/// Deaths on the host are looked after together: nothing in the guest waits for that, and waking
/// up for each would disturb those that work.
constexpr u64 kReapIntervalNs = 20'000'000;
/// What gives a reader of a terminal the end of file: ^D.
constexpr std::byte kEndOfFile{4};

void reap_all(State& state) {
  std::byte drained[128 * 8];
  host::Buffer buffer{reinterpret_cast<u64>(drained), sizeof drained};
  (void)host::read_stream(state.death_events.get(), {&buffer, 1});
  pico::Death death;
  while (pico::reap(death)) lifecycle::host_process_died(death);
  state.next_reap_ns = host::monotonic_ns() + kReapIntervalNs;
}

u32 live_processes() { return static_cast<u32>(kernel().live_processes); }

void report_idleness(State& state) {
  const u32 count = live_processes();
  const bool was_idle = state.reported_processes == 0;
  if (state.reported_processes != ~u32{0} && was_idle == (count == 0)) return;
  state.reported_processes = count;
  control::Idle message;
  message.processes = count;
  launches::tell_manager(&message, sizeof message);
}

Launch* find_launch(u64 id) {
  for (Launch& launch : kernel().launches) {
    if (launch.id == id) return &launch;
  }
  return nullptr;
}

class KillTimer final : public Timer {
 public:
  void fire() override {
    for (auto& [pid, process] : kernel().processes) {
      if (pid.value != 1) signals::send(*process, signals::kernel_info(abi::kSIGKILL));
    }
  }
};

void begin_shutdown(State& state, u32 grace_ms) {
  if (state.shutting_down) return;
  state.shutting_down = true;
  for (auto& [pid, process] : kernel().processes) {
    if (pid.value == 1) continue;
    signals::send(*process, signals::kernel_info(abi::kSIGTERM));
    signals::send(*process, signals::kernel_info(abi::kSIGCONT));
  }
  // Lives as long as the instance.
  auto* timer = new KillTimer;
  timer->arm(host::monotonic_ns() + u64{grace_ms} * 1'000'000);
}

void finish_shutdown() {
  for (const RefPtr<Mount>& mount : kernel().mounts.all()) (void)mount->filesystem().sync();
  pico::exit_process();
}

void deliver_signal(Launch& launch, i32 number) {
  if (number < 1 || number > kSignalCount) return;
  if (number == abi::kSIGTSTP || number == abi::kSIGCONT) {
    launch.stopped = number == abi::kSIGTSTP;
    // Its group is orphaned, as nothing in the guest is its shell: SIGTSTP would do nothing.
    if (launch.stopped) number = abi::kSIGSTOP;
    if (launch.process) signals::send(*launch.process->group, signals::kernel_info(number));
  } else if (launch.console) {
    launch.console->signal(number);
  } else if (launch.process) {
    signals::send(*launch.process->group, signals::kernel_info(number));
  }
}

void lose_console(Launch& launch) {
  launch.console_input_ended = true;
  (void)launch.console->close();
}

template <typename Message>
std::optional<Message> read_as(std::span<const std::byte> data) {
  Message message;
  if (data.size() != sizeof message) return std::nullopt;
  __builtin_memcpy(static_cast<void*>(&message), data.data(), sizeof message);
  return message;
}

void serve(State& state, std::span<const std::byte> data, std::span<host::UniqueFd> descriptors) {
  control::Header header;
  if (data.size() < sizeof header) return;
  __builtin_memcpy(&header, data.data(), sizeof header);
  switch (header.type) {
    case control::Type::kLaunch:
      if (!state.shutting_down) launches::start(data, descriptors);
      break;
    case control::Type::kSignal:
      if (auto message = read_as<control::Signal>(data)) {
        if (Launch* launch = find_launch(message->session)) {
          deliver_signal(*launch, i32(message->number));
        }
      }
      break;
    case control::Type::kResize:
      if (auto message = read_as<control::Resize>(data)) {
        Launch* launch = find_launch(message->session);
        if (launch && launch->console) {
          launch->console->resize(
              {message->rows, message->columns, message->x_pixels, message->y_pixels});
        }
      }
      break;
    case control::Type::kHangUp:
      if (auto message = read_as<control::HangUp>(data)) {
        if (Launch* launch = find_launch(message->session)) {
          if (launch->console) {
            lose_console(*launch);
          } else {
            deliver_signal(*launch, abi::kSIGHUP);
          }
        }
      }
      break;
    case control::Type::kShutdown:
      if (auto message = read_as<control::Shutdown>(data)) begin_shutdown(state, message->grace_ms);
      break;
    default:
      log_line("the session manager sent a message of an unknown type");
  }
}

void receive(State& state) {
  host::UniqueFd descriptors[control::kMaxDescriptors];
  auto packet = host::receive_packet(kManager, state.message, descriptors);
  if (packet.is(Errno::kEAGAIN)) return;
  if (!packet || packet->size == 0) {
    // The manager is gone: nobody can reach this instance any more.
    finish_shutdown();
  }
  serve(state, {state.message.data(), packet->size}, {descriptors, packet->descriptors});
}

/// The launcher's keyboard. The size comes first: what is typed after a change must meet it, and
/// the launcher's own word of it may be on its way yet.
void feed_console(Launch& launch) {
  std::byte typed[1024];
  const usize room = std::min(sizeof typed, launch.console->room_for_input());
  const host::Fd terminal = launch.console->output_fd();
  if (room == 0 || terminal == host::kNoFd) return;
  host::Buffer buffer{reinterpret_cast<u64>(typed), room};
  Result<usize> got = usize{0};
  abi::Winsize size{};
  {
    // Another reader may have taken the input, which lets this one wait.
    KernelLock::Released released;
    got = host::read_stream(terminal, {&buffer, 1});
    (void)host::control(terminal, abi::kTIOCGWINSZ, reinterpret_cast<u64>(&size));
  }
  if (size.ws_row != 0 && size.ws_col != 0) launch.console->resize(size);
  if (!got) {
    if (!got.is(Errno::kEINTR)) launch.console_input_ended = true;
    return;
  }
  // Only a terminal that the host edits lines on says so.
  if (*got == 0) typed[(*got)++] = kEndOfFile;
  launch.console->input({typed, *got});
}

void collect_finished_launches() {
  for (Launch& launch : kernel().launches) {
    if (launch.process) continue;
    if (launch.console && (launch.console->output_pending() || !launch.console->close())) continue;
    static_cast<ListNode<Launch>&>(launch).unlink();
    launch.unref();
  }
}

void prepare_poll(State& state) {
  state.polled.clear();
  state.polled_launches.clear();
  constexpr i16 kIn = i16(PollFlag::kPOLLIN), kOut = i16(PollFlag::kPOLLOUT);
  state.polled.push_back({kManager.value, kIn, 0});
  const bool reaps = state.next_reap_ns == 0;
  state.polled.push_back({reaps ? state.death_events.get().value : host::kNoFd.value, kIn, 0});
  for (Launch& launch : kernel().launches) {
    if (!launch.console) continue;
    i16 events = 0;
    if (!launch.console_input_ended && !launch.stopped && launch.process &&
        launch.console->room_for_input() != 0 && launch.console->wants_input()) {
      events |= kIn;
    }
    if (launch.console->output_pending()) events |= kOut;
    if (events == 0) continue;
    state.polled.push_back({launch.console->output_fd().value, events, 0});
    state.polled_launches.push_back(&launch);
  }
}

void serve_ready(State& state) {
  if (state.polled[1].revents) reap_all(state);
  for (usize i = 0; i < state.polled_launches.size(); ++i) {
    const i16 ready = state.polled[kFixedEntries + i].revents;
    Launch& launch = *state.polled_launches[i];
    if (ready & i16(PollFlag::kPOLLOUT)) launch.console->output_ready();
    if (ready & i16(PollFlag::kPOLLHUP)) {
      lose_console(launch);
    } else if (ready & ~i16(PollFlag::kPOLLOUT)) {
      feed_console(launch);
    }
  }
  if (state.polled[0].revents) receive(state);
}

}  // namespace

void run(host::UniqueFd death_events) {
  auto& state = *new State;
  state.death_events = std::move(death_events);
  state.message.resize(control::kMaxMessage);
  Task& task = Task::current();
  KernelLock::Held held;
  for (;;) {
    {
      KernelLock::Released released;
      task.epoch.reclaim();
    }
    collect_finished_launches();
    report_idleness(state);
    if (state.shutting_down && live_processes() == 0) finish_shutdown();
    const u64 now = host::monotonic_ns();
    const u64 next = kernel().timers.run(now);
    if (state.next_reap_ns <= now) state.next_reap_ns = 0;
    prepare_poll(state);
    host::Deadline deadline;
    if (next != 0) deadline = next;
    if (state.next_reap_ns != 0)
      deadline = std::min(deadline.value_or(~u64{0}), state.next_reap_ns);
    auto ready = sleep_on_host(task, state.polled, deadline);
    if (ready.ok() && *ready != 0) serve_ready(state);
  }
}

}  // namespace lxss::monitor

namespace lxss {

void wake_monitor() { wake_task(*kernel().monitor); }

}  // namespace lxss
