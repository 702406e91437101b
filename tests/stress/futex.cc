// Locks of the C library that processes share, and the futexes below them.
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>

#include <algorithm>
#include <climits>
#include <ctime>

#include "stage.h"

using namespace stress;

namespace {

struct SharedMutex {
  pthread_mutex_t mutex;
  explicit SharedMutex(bool robust) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (robust) pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&mutex, &attributes);
  }
};

long futex(void* word, int operation, u32 value, const timespec* timeout = nullptr,
           void* second = nullptr, u32 third = 0) {
  return syscall(SYS_futex, word, operation, value, timeout, second, third);
}

/// Two words that only who is inside changes.
struct Guarded {
  volatile u64 first = 0, second = 0;
  void add() {
    CHECK_EQ(first, second);
    first = first + 1;
    if (first % 16 == 0) sched_yield();
    second = second + 1;
  }
};

}  // namespace

SCENE(futex_mutex) {
  struct State {
    SharedMutex mutex{false};
    Guarded guarded;
  };
  constexpr int kSteps = 300;
  stage.rounds([&] {
    Shared<State> state;
    stage.everyone([&](Worker& worker) {
      for (int i = 0; i < kSteps; ++i) {
        worker.step("a mutex that processes share");
        CHECK_EQ(pthread_mutex_lock(&state->mutex.mutex), 0);
        state->guarded.add();
        CHECK_EQ(pthread_mutex_unlock(&state->mutex.mutex), 0);
      }
    });
    CHECK_EQ(state->guarded.second, (u64)kSteps * stage.workers());
  });
}

/// Owners that end while they hold a robust mutex: the next one is told, and nobody hangs.
SCENE(futex_robust) {
  struct State {
    SharedMutex mutex{true};
    volatile u64 inside = 0;
    std::atomic<u64> deaths, told;
  };
  stage.rounds([&] {
    Shared<State> state;
    stage.everyone(stage.processes, 1, [&](Worker& worker) {
      auto lock = [&] {
        const int error = pthread_mutex_lock(&state->mutex.mutex);
        if (error == EOWNERDEAD) {
          CHECK_EQ(state->inside, 1u);
          ++state->told;
          CHECK_EQ(pthread_mutex_consistent(&state->mutex.mutex), 0);
        } else {
          CHECK_EQ(error, 0);
          CHECK_EQ(state->inside, 0u);
        }
        state->inside = 1;
      };
      for (int i = 0; i < 20; ++i) {
        const u64 way = worker.random.below(4);
        worker.step("a robust mutex whose owners die");
        const pid_t child = in_child([&] {
          lock();
          if (way == 0) {
            state->inside = 0;
            CHECK_EQ(pthread_mutex_unlock(&state->mutex.mutex), 0);
            return;
          }
          ++state->deaths;
          if (way == 1) kill(getpid(), SIGKILL);
          if (way == 2) execl("/proc/self/exe", "stress", "--helper", "nothing", nullptr);
          _exit(0);
        });
        int status;
        OK(waitpid(child, &status, 0));
        CHECK(status == 0 || (way == 1 && WIFSIGNALED(status)));
        lock();
        state->inside = 0;
        CHECK_EQ(pthread_mutex_unlock(&state->mutex.mutex), 0);
      }
    });
    CHECK_EQ(state->told.load(), state->deaths.load());
  });
}

/// A bounded buffer with condition variables: nothing is lost, nobody sleeps for ever.
SCENE(futex_condition) {
  struct State {
    SharedMutex mutex{false};
    pthread_cond_t changed;
    u64 put = 0, taken = 0;
    State() {
      pthread_condattr_t attributes;
      pthread_condattr_init(&attributes);
      pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
      pthread_cond_init(&changed, &attributes);
    }
  };
  constexpr u64 kItems = 150, kRoom = 3;
  stage.rounds([&] {
    Shared<State> state;
    stage.everyone(stage.processes * 2, 1, [&](Worker& worker) {
      const bool puts = worker.number % 2 == 0;
      for (u64 i = 0; i < kItems; ++i) {
        worker.step(puts ? "put" : "take");
        CHECK_EQ(pthread_mutex_lock(&state->mutex.mutex), 0);
        while (puts ? state->put - state->taken == kRoom : state->put == state->taken) {
          CHECK_EQ(pthread_cond_wait(&state->changed, &state->mutex.mutex), 0);
        }
        puts ? ++state->put : ++state->taken;
        CHECK_EQ(pthread_cond_broadcast(&state->changed), 0);
        CHECK_EQ(pthread_mutex_unlock(&state->mutex.mutex), 0);
      }
    });
    CHECK_EQ(state->put, kItems * stage.processes);
    CHECK_EQ(state->taken, state->put);
  });
}

/// Semaphores hand on as many permits as there are.
SCENE(futex_semaphore) {
  struct State {
    sem_t permits;
    std::atomic<int> inside;
    State() { sem_init(&permits, 1, 2); }
  };
  stage.rounds([&] {
    Shared<State> state;
    stage.everyone([&](Worker& worker) {
      for (int i = 0; i < 150; ++i) {
        worker.step("a semaphore");
        OK(sem_wait(&state->permits));
        CHECK(++state->inside <= 2);
        if (worker.random.one_in(4)) sched_yield();
        --state->inside;
        OK(sem_post(&state->permits));
      }
    });
    int value;
    OK(sem_getvalue(&state->permits, &value));
    CHECK_EQ(value, 2);
  });
}

/// Raw futexes: as many waits end by a wake as wakes were told that they woke, through requeues and
/// time-outs.
SCENE(futex_count) {
  struct State {
    std::atomic<u32> first, second;
    std::atomic<u64> woken, told;
    std::atomic<int> waiters;
  };
  stage.rounds([&] {
    Shared<State> state;
    state->waiters = stage.processes;
    stage.everyone(stage.processes * 2, 1, [&](Worker& worker) {
      if (worker.number % 2 == 0) {
        for (int i = 0; i < 60; ++i) {
          worker.step("wait");
          const timespec timeout{0, (long)worker.random.between(50'000, 3'000'000)};
          if (OK_OR(futex(&state->first, FUTEX_WAIT, state->first, &timeout),
                    error == ETIMEDOUT || error == EAGAIN)) {
            ++state->woken;
          }
        }
        --state->waiters;
        return;
      }
      while (state->waiters > 0) {
        worker.step("wake");
        switch (worker.random.below(4)) {
          case 0:
            state->told += OK(futex(&state->first, FUTEX_WAKE, 1));
            break;
          case 1:
            state->told += OK(futex(&state->second, FUTEX_WAKE, INT_MAX));
            break;
          case 2: {
            // Wakes one and moves the others; says how many of both.
            const u32 value = state->first;
            long both = 0;
            if (OK_OR(both = futex(&state->first, FUTEX_CMP_REQUEUE, 1,
                                   (const timespec*)(intptr_t)INT_MAX, &state->second, value),
                      error == EAGAIN)) {
              state->told += std::min(both, 1l);
            }
            break;
          }
          case 3:
            ++state->first;
            break;
        }
        if (worker.random.one_in(3)) sleep_us(100);
      }
    });
    CHECK_EQ(state->woken.load(), state->told.load());
  });
}
