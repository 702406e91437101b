// Counters, timers and signals that are read from descriptors.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "linear.h"
#include "stage.h"

using namespace stress;

/// What is added to a counter that waits when full is taken from it, by as many as like.
SCENE(events_counter) {
  constexpr u64 kSteps = 120;
  stage.rounds([&] {
    const bool semaphore = stage.random.one_in(2);
    const int fd = OK(eventfd(0, (semaphore ? EFD_SEMAPHORE : 0) | EFD_CLOEXEC));
    Shared<std::atomic<u64>> added(0), taken(0), adders(stage.workers()), readers(stage.workers());
    stage.everyone(stage.processes, stage.threads * 2, [&](Worker& worker) {
      if (worker.thread < stage.threads) {
        for (u64 i = 0; i < kSteps; ++i) {
          const u64 amount =
              semaphore ? worker.random.between(1, 3) : worker.random.between(1, UINT64_MAX / 4);
          // So large that writers wait, unless one is taken at a time.
          *added += amount;
          worker.step("add");
          CHECK_EQ(OK(write(fd, &amount, sizeof amount)), 8);
        }
        // The last one adds as long as a reader waits that has not seen the end.
        if (--*adders > 0) return;
        while (*readers > 0) {
          const u64 one = 1;
          *added += 1;
          OK(write(fd, &one, sizeof one));
          pollfd full{fd, POLLIN, 0};
          while (*readers > 0 && OK(poll(&full, 1, 0)) == 1) sched_yield();
        }
        return;
      }
      while (true) {
        u64 amount;
        worker.step("take");
        CHECK_EQ(OK(read(fd, &amount, sizeof amount)), 8);
        CHECK(amount > 0);
        if (semaphore) CHECK_EQ(amount, 1u);
        *taken += amount;
        if (*adders == 0) {
          --*readers;
          return;
        }
      }
    });
    // Readers leave when the adders have; what is left is there still.
    OK(fcntl(fd, F_SETFL, O_NONBLOCK));
    u64 amount;
    while (OK_OR(read(fd, &amount, sizeof amount), error == EAGAIN)) *taken += amount;
    CHECK_EQ(added->load(), taken->load());
    close(fd);
  });
}

namespace {

struct Counter {
  struct Operation {
    bool add;
    u64 amount;  // added, or taken; 0 if there was nothing to take or no room
  };
  struct State {
    u64 value = 0;
  };
  static constexpr u64 kMost = UINT64_MAX - 1;
  static Action act(State& state, const Operation& operation, int, u64&) {
    if (!operation.add) {
      const u64 value = state.value;
      state.value = 0;
      return value == operation.amount ? Action::kDone : Action::kImpossible;
    }
    const u64 amount = operation.amount & ~1ull;  // the lowest bit says that there was no room
    const bool room = amount <= kMost - state.value;
    if (room) state.value += amount;
    return room == !(operation.amount & 1) ? Action::kDone : Action::kImpossible;
  }
  static std::string describe(const Operation& operation) {
    return (operation.add ? "add " : "take ") + std::to_string(operation.amount);
  }
};

}  // namespace

/// What a counter answers can be told as if it had been asked in turn.
SCENE(events_history) {
  Shared<History<Counter>> history;
  Shared<Gate> gate(4);
  stage.rounds([&] {
    const int fd = OK(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    stage.everyone(2, 2, [&](Worker& worker) {
      gate->pass();
      for (int i = 0; i < 20; ++i) {
        Counter::Operation operation{worker.random.below(3) < 2, 0};
        if (operation.add) operation.amount = worker.random.next() / 2 & ~1ull;
        worker.step("a recorded step of a counter");
        history->record(worker, operation, [&](Counter::Operation& recorded) {
          u64 amount = recorded.amount;
          if (recorded.add) {
            if (!OK_OR(write(fd, &amount, sizeof amount), error == EAGAIN)) recorded.amount |= 1;
          } else if (OK_OR(read(fd, &amount, sizeof amount), error == EAGAIN)) {
            recorded.amount = amount;
          }
        });
      }
    });
    history->check({});
    close(fd);
  });
}

/// Expirations of a timer that many wait for and some set again: each is told to one of them, there
/// are never more than there was time for, and nobody waits for ever.
SCENE(events_timer) {
  constexpr u64 kPeriod = 300'000;
  stage.rounds([&] {
    const int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    const itimerspec periodic{{0, kPeriod}, {0, kPeriod}};
    const u64 begin = now_ns();
    OK(timerfd_settime(fd, 0, &periodic, nullptr));
    Shared<std::atomic<u64>> told(0);
    const bool set_again = stage.random.one_in(2);
    stage.everyone([&](Worker& worker) {
      for (int i = 0; i < 12; ++i) {
        u64 count = 0;
        worker.step("wait for the timer");
        CHECK_EQ(OK(read(fd, &count, sizeof count)), 8);
        CHECK(count > 0);
        *told += count;
        if (set_again && worker.random.one_in(4)) {
          worker.step("set the timer again");
          OK(timerfd_settime(fd, 0, &periodic, nullptr));
        }
      }
    });
    CHECK(told->load() <= (now_ns() - begin) / kPeriod);
    close(fd);
  });
}

/// Real-time signals that are taken from descriptors: each once, in its sender's order.
SCENE(events_signal) {
  constexpr int kSignals = 40;
  stage.rounds([&] {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    OK(sigprocmask(SIG_BLOCK, &set, nullptr));
    Shared<std::atomic<u8>[64 * kSignals]> times;
    Shared<std::atomic<u64>> received(0);
    const u64 total = (u64)stage.processes * kSignals;
    Shared<std::atomic<pid_t>> receiver(0);
    Shared<Gate> gate(stage.processes + 1);
    const sigval last{.sival_int = -1};
    stage.everyone(stage.processes + 1, stage.threads, [&](Worker& worker) {
      if (worker.process == stage.processes) {
        static const int fd = OK(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
        if (worker.thread == 0) {
          *receiver = getpid();
          gate->pass();
        }
        while (*received < total) {
          signalfd_siginfo info[3];
          pollfd wait{fd, POLLIN, 0};
          worker.step("wait for signals");
          OK(poll(&wait, 1, -1));
          ssize_t size = 0;
          if (!OK_OR(size = read(fd, info, sizeof info), error == EAGAIN)) continue;
          for (size_t i = 0; i < size / sizeof info[0]; ++i) {
            CHECK_EQ(info[i].ssi_signo, (u32)SIGRTMIN + 1);
            if (info[i].ssi_int == last.sival_int) continue;
            ++(*times)[info[i].ssi_int];
            if (++*received < total) continue;
            // The others wait still.
            for (int n = 0; n < 3 * stage.threads; ++n) OK(sigqueue(getpid(), SIGRTMIN + 1, last));
          }
        }
        return;
      }
      if (worker.thread != 0) return;
      gate->pass();
      for (int i = 0; i < kSignals; ++i) {
        worker.step("queue a signal");
        const sigval value{.sival_int = worker.process * kSignals + i};
        while (!OK_OR(sigqueue(*receiver, SIGRTMIN + 1, value), error == EAGAIN)) sched_yield();
      }
    });
    for (u64 i = 0; i < total; ++i) CHECK_EQ((*times)[i].load(), 1);
  });
}
