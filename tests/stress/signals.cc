// Signals: queued ones are counted, others are not lost, and calls go on as they should.
#include <pthread.h>
#include <sys/time.h>

#include <cmath>
#include <ctime>

#include "stage.h"

using namespace stress;

namespace {

constexpr int kMostSenders = 64;

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : signals) sigaddset(&set, signal);
  return set;
}

void handle(int signal, void (*handler)(int, siginfo_t*, void*), int flags = 0) {
  struct sigaction action {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  OK(sigaction(signal, &action, nullptr));
}

struct Tally {
  std::atomic<u32> next[kMostSenders];  // the sequence number that each sender's next signal has
  std::atomic<u64> received, out_of_order;
};
Tally* tally;

void count(const siginfo_t& info) {
  const u32 value = info.si_value.sival_int, sender = value >> 16, sequence = value & 0xffff;
  if (tally->next[sender].exchange(sequence + 1) != sequence) ++tally->out_of_order;
  ++tally->received;
}

}  // namespace

/// Queued real-time signals arrive once each and, at one thread, in their sender's order: by
/// handler or by sigtimedwait.
SCENE(signals_queued) {
  constexpr int kSignals = 80;
  stage.rounds([&] {
    Shared<Tally> shared;
    tally = &*shared;
    const bool by_handler = stage.random.one_in(2);
    const u64 total = (u64)stage.processes * kSignals;
    Shared<std::atomic<pid_t>> receiver(0);
    Shared<Gate> gate(stage.processes + 1);
    const int signal = SIGRTMIN + 2;
    stage.everyone(stage.processes + 1, 1, [&](Worker& worker) {
      if (worker.number == stage.processes) {
        const sigset_t set = set_of({signal}), none = set_of({});
        OK(sigprocmask(SIG_BLOCK, &set, nullptr));
        if (by_handler) handle(signal, [](int, siginfo_t* info, void*) { count(*info); });
        *receiver = getpid();
        gate->pass();
        while (tally->received < total) {
          if (by_handler) {
            worker.step("wait for a handler");
            sigsuspend(&none);
            continue;
          }
          siginfo_t info;
          worker.step("wait for a signal");
          const timespec long_time{30, 0};
          CHECK_EQ(OK(worker.random.one_in(2) ? sigwaitinfo(&set, &info)
                                              : sigtimedwait(&set, &info, &long_time)),
                   signal);
          count(info);
        }
        CHECK_EQ(tally->out_of_order.load(), 0u);
        return;
      }
      gate->pass();
      for (int i = 0; i < kSignals; ++i) {
        worker.step("queue a signal");
        const sigval value{.sival_int = worker.number << 16 | i};
        while (!OK_OR(sigqueue(*receiver, signal, value), error == EAGAIN)) sched_yield();
      }
    });
    CHECK_EQ(tally->received.load(), total);
  });
}

/// Queued signals to a process whose threads all take them: each is taken once.
SCENE(signals_many_takers) {
  constexpr int kSignals = 80;
  stage.rounds([&] {
    Shared<std::atomic<u8>[kMostSenders * kSignals]> times;
    Shared<std::atomic<u64>> received(0);
    Shared<std::atomic<pid_t>> receiver(0);
    Shared<Gate> gate(stage.processes + 1);
    const int signal = SIGRTMIN + 3;
    const sigset_t set = set_of({signal});
    OK(sigprocmask(SIG_BLOCK, &set, nullptr));
    const u64 total = (u64)stage.processes * kSignals;
    stage.everyone(stage.processes + 1, stage.threads, [&](Worker& worker) {
      if (worker.process == stage.processes) {
        if (worker.thread == 0) {
          *receiver = getpid();
          gate->pass();
        }
        while (true) {
          siginfo_t info;
          worker.step("take a signal");
          // Linux: who is woken and finds that another thread has taken it is told EINTR.
          if (!OK_OR(sigwaitinfo(&set, &info), error == EINTR)) continue;
          CHECK_EQ(info.si_signo, signal);
          if (info.si_value.sival_int < 0) return;
          ++(*times)[info.si_value.sival_int];
          if (++*received < total) continue;
          for (int i = 1; i < stage.threads; ++i) OK(sigqueue(getpid(), signal, {.sival_int = -1}));
          return;
        }
      }
      if (worker.thread != 0) return;
      gate->pass();
      for (int i = 0; i < kSignals; ++i) {
        worker.step("queue a signal");
        const sigval value{.sival_int = worker.process * kSignals + i};
        while (!OK_OR(sigqueue(*receiver, signal, value), error == EAGAIN)) sched_yield();
      }
    });
    OK(sigprocmask(SIG_UNBLOCK, &set, nullptr));
    for (u64 i = 0; i < total; ++i) CHECK_EQ((*times)[i].load(), 1);
  });
}

/// A storm of handlers changes nothing of what it interrupts: registers, floating point, and the
/// results of calls that restart.
SCENE(signals_storm) {
  static std::atomic<u64> handled;
  stage.rounds([&] {
    Shared<std::atomic<pid_t>[64]> targets;
    Shared<std::atomic<int>> busy(stage.processes);
    Shared<Gate> gate(stage.processes * 2);
    stage.everyone(stage.processes * 2, 1, [&](Worker& worker) {
      if (worker.number >= stage.processes) {
        gate->pass();
        const pid_t target = (*targets)[worker.number - stage.processes];
        while (*busy > 0) {
          worker.step("kill");
          OK(kill(target, worker.random.one_in(2) ? SIGUSR1 : SIGUSR2));
          if (worker.random.one_in(4)) sched_yield();
        }
        gate->pass();
        return;
      }
      handled = 0;
      auto disturb = [](int, siginfo_t*, void*) {
        const int kept = errno;
        ++handled;
        volatile double sum = 0;
        for (int i = 1; i < 20; ++i) sum = sum + std::sqrt((double)i);
        (void)getppid();
        errno = kept;
      };
      handle(SIGUSR1, disturb, SA_RESTART);
      handle(SIGUSR2, disturb, SA_RESTART | SA_NODEFER);
      (*targets)[worker.number] = getpid();
      int pipe[2];
      OK(pipe2(pipe, O_CLOEXEC));
      gate->pass();
      for (u64 i = 0; i < 40; ++i) {
        worker.step("compute in a storm");
        double value = 1;
        u64 whole = i;
        for (int n = 0; n < 3000; ++n) {
          value = value * 1.0000001 + 0.5;
          whole = mix(whole + n);
        }
        static double expected_value = value;
        CHECK(value == expected_value);
        u64 again = i;
        for (int n = 0; n < 3000; ++n) again = mix(again + n);
        CHECK_EQ(whole, again);
        worker.step("calls that restart");
        u64 got = 0;
        CHECK_EQ(OK(write(pipe[1], &i, sizeof i)), 8);
        CHECK_EQ(OK(read(pipe[0], &got, sizeof got)), 8);
        CHECK_EQ(got, i);
        int status = 0;
        const pid_t child = in_child([&] { sched_yield(); });
        CHECK_EQ(OK(waitpid(child, &status, 0)), child);
        CHECK_EQ(status, 0);
      }
      --*busy;
      // The target outlives the storm.
      gate->pass();
      CHECK(handled > 0);
    });
  });
}

/// Signals to threads: a handler runs at the thread that was meant, at least once after the last
/// that was sent, and not more often than was sent.
SCENE(signals_to_threads) {
  static thread_local volatile sig_atomic_t arrived;
  static std::atomic<pthread_t> threads[kMostSenders];
  static std::atomic<u64> sent[kMostSenders], arrivals[kMostSenders];
  static thread_local int self;
  stage.rounds([&] {
    const int count = stage.threads + 1;
    stage.everyone(stage.processes, count, [&](Worker& worker) {
      static Gate gate(count);
      if (worker.thread == 0) {
        for (int i = 0; i < count; ++i) sent[i] = arrivals[i] = 0;
        handle(
            SIGUSR1,
            [](int, siginfo_t*, void*) {
              arrived = 1;
              ++arrivals[self];
            },
            SA_RESTART);
      }
      self = worker.thread;
      threads[self] = pthread_self();
      gate.pass();
      for (int i = 0; i < 60; ++i) {
        const int target = worker.random.below(count);
        worker.step("signal a thread");
        ++sent[target];
        CHECK_EQ(pthread_kill(threads[target], SIGUSR1), 0);
        if (target == self) {
          // One to oneself has arrived when the call returns, unless one was pending with it.
          CHECK(arrived);
        }
      }
      gate.pass();
      // Now nobody sends; one that is pending still comes before the next call returns.
      (void)syscall(SYS_getppid);
      gate.pass();
      CHECK(arrivals[self] <= sent[self]);
      CHECK(sent[self] == 0 || arrivals[self] > 0);
      gate.pass();
    });
  });
}

/// Reads that are interrupted: with SA_RESTART they never fail, without it they may, and no byte is
/// lost or told twice in either case.
SCENE(signals_interrupt) {
  stage.rounds([&] {
    const bool restart = stage.random.one_in(2);
    stage.everyone(stage.processes, 2, [&](Worker& worker) {
      static int pipe[2];
      static pthread_t reader;
      static std::atomic<bool> over;
      static Gate gate(2);
      constexpr u32 kWords = 150;
      if (worker.thread == 0) {
        OK(pipe2(pipe, O_CLOEXEC));
        handle(
            SIGUSR1, [](int, siginfo_t*, void*) {}, restart ? SA_RESTART : 0);
        reader = pthread_self();
      }
      gate.pass();
      if (worker.thread == 1) {
        for (u32 i = 0; i < kWords; ++i) {
          worker.step("interrupt and write");
          for (u64 n = worker.random.below(3); n > 0; --n)
            CHECK_EQ(pthread_kill(reader, SIGUSR1), 0);
          write_all(pipe[1], &i, sizeof i);
          if (worker.random.one_in(2)) CHECK_EQ(pthread_kill(reader, SIGUSR1), 0);
        }
        gate.pass();
        return;
      }
      for (u32 i = 0; i < kWords;) {
        u32 word = ~0u;
        worker.step("read");
        const bool got = OK_OR(read(pipe[0], &word, sizeof word), !restart && error == EINTR);
        if (!got) continue;
        CHECK_EQ(word, i);
        ++i;
      }
      gate.pass();
      close(pipe[0]);
      close(pipe[1]);
    });
  });
}

/// Two processes take turns by sigsuspend: a signal that comes before the wait is not lost.
SCENE(signals_turns) {
  static volatile sig_atomic_t turns;
  stage.rounds([&] {
    Shared<std::atomic<pid_t>[64]> ids;
    Shared<Gate> gate(stage.processes * 2);
    stage.everyone(stage.processes * 2, 1, [&](Worker& worker) {
      const sigset_t blocked = set_of({SIGUSR1}), none = set_of({});
      OK(sigprocmask(SIG_BLOCK, &blocked, nullptr));
      turns = 0;
      handle(SIGUSR1, [](int, siginfo_t*, void*) { turns = turns + 1; });
      (*ids)[worker.number] = getpid();
      gate->pass();
      const pid_t partner = (*ids)[worker.number ^ 1];
      for (int i = 1; i <= 80; ++i) {
        if (worker.number % 2 == 0) OK(kill(partner, SIGUSR1));
        worker.step("wait for my turn");
        while (turns < i) {
          CHECK_EQ(sigsuspend(&none), -1);
          CHECK_EQ(errno, EINTR);
        }
        CHECK_EQ(turns, i);
        if (worker.number % 2 == 1) OK(kill(partner, SIGUSR1));
      }
      gate->pass();
    });
  });
}

/// Timers that send signals, to many threads in many calls: never more than there was time for.
SCENE(signals_timers) {
  static std::atomic<u64> ticks;
  constexpr long kPeriod = 500'000;
  stage.rounds([&] {
    stage.everyone(stage.processes, stage.threads, [&](Worker& worker) {
      static timer_t timer;
      static u64 begin;
      static Gate gate(stage.threads);
      if (worker.thread == 0) {
        ticks = 0;
        handle(
            SIGRTMIN + 4, [](int, siginfo_t* info, void*) { ticks += 1 + info->si_overrun; },
            SA_RESTART);
        sigevent event{};
        event.sigev_notify = SIGEV_SIGNAL;
        event.sigev_signo = SIGRTMIN + 4;
        OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
        const itimerspec periodic{{0, kPeriod}, {0, kPeriod}};
        begin = now_ns();
        OK(timer_settime(timer, 0, &periodic, nullptr));
      }
      gate.pass();
      while (ticks < 30) {
        worker.step("calls under a timer");
        int pipe[2];
        OK(pipe2(pipe, O_CLOEXEC));
        write_all(pipe[1], "x", 1);
        char byte;
        CHECK_EQ(OK(read(pipe[0], &byte, 1)), 1);
        close(pipe[0]);
        close(pipe[1]);
        sleep_us(300);
      }
      gate.pass();
      if (worker.thread != 0) return;
      OK(timer_delete(timer));
      CHECK(ticks.load() <= (now_ns() - begin) / kPeriod);
    });
  });
}
