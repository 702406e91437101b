// Event sets: nothing that happened is left untold, and nothing is told to the wrong one. A wake-up
// that is lost shows as a scene that hangs.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>

#include "stage.h"

using namespace stress;

namespace {

constexpr int kSources = 6;

void watch(int set, int fd, u32 events, u64 data) {
  epoll_event event{events, {.u64 = data}};
  OK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
}

/// Sources that hold tokens: pipes, sockets or counters, all without waiting.
struct Sources {
  int read_ends[kSources], write_ends[kSources];

  explicit Sources(Random& random) {
    for (int i = 0; i < kSources; ++i) {
      int ends[2];
      switch (random.below(3)) {
        case 0:
          OK(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
          break;
        case 1:
          OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
          break;
        case 2:
          ends[0] = OK(eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE | EFD_CLOEXEC));
          ends[1] = OK(dup(ends[0]));
          break;
      }
      read_ends[i] = ends[0];
      write_ends[i] = ends[1];
    }
  }
  ~Sources() {
    for (int i = 0; i < kSources; ++i) {
      close(read_ends[i]);
      close(write_ends[i]);
    }
  }
  /// A token is a word of eight bytes.
  void put(int source) const {
    const u64 one = 1;
    while (!OK_OR(write(write_ends[source], &one, sizeof one), error == EAGAIN)) sched_yield();
  }
  bool take(int source) const {
    u64 word = 0;
    if (!OK_OR(read(read_ends[source], &word, sizeof word), error == EAGAIN)) return false;
    CHECK_EQ(word, 1u);
    return true;
  }
};

/// How tokens are waited for.
struct Waiting {
  u32 events;
  bool rearm = false;     // by EPOLL_CTL_MOD after each event
  bool drain = false;     // take all that there is
  bool own_sets = false;  // each waiter has a set of its own
  bool nested = false;    // what is waited for is a set with the set in it
  bool churn = false;     // others add, change and remove other watches meanwhile
};

/// Producers put tokens into the sources; waiters take them as the set tells. All are taken.
void play(Stage& stage, const Waiting& waiting, bool separate_processes) {
  constexpr u64 kTokens = 120;
  Shared<std::atomic<u64>> taken;
  Shared<std::atomic<int>[kSources]> holders;
  const int producers = stage.threads, waiters = stage.threads;
  const u64 total = kTokens * producers;
  stage.rounds([&] {
    *taken = 0;
    for (auto& count : *holders) count = 0;
    Sources sources(stage.random);
    const int set = OK(epoll_create1(EPOLL_CLOEXEC));
    const int outer = OK(epoll_create1(EPOLL_CLOEXEC));
    // Tells all waiters that everything is done; never taken.
    const int done = OK(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!waiting.own_sets) {
      for (int i = 0; i < kSources; ++i) watch(set, sources.read_ends[i], waiting.events, i);
      watch(set, done, EPOLLIN, kSources);
      watch(outer, set, EPOLLIN, 0);
    }
    auto wait_for_tokens = [&](Worker& worker) {
      int mine = set;
      if (waiting.own_sets) {
        mine = OK(epoll_create1(EPOLL_CLOEXEC));
        for (int i = 0; i < kSources; ++i) watch(mine, sources.read_ends[i], waiting.events, i);
        watch(mine, done, EPOLLIN, kSources);
      }
      while (true) {
        epoll_event events[4];
        if (waiting.nested) {
          worker.step("wait for the outer set");
          if (OK(epoll_wait(outer, events, 1, -1)) == 0) continue;
        }
        worker.step("wait");
        const int count =
            OK(epoll_wait(mine, events, 1 + worker.random.below(4), waiting.nested ? 0 : -1));
        for (int i = 0; i < count; ++i) {
          const u64 source = events[i].data.u64;
          if (source >= 100) {  // of those that come and go: told, but for nobody
            CHECK(waiting.churn);
            continue;
          }
          if (source == kSources) {
            CHECK_EQ(taken->load(), total);
            if (waiting.own_sets) close(mine);
            return;
          }
          CHECK(events[i].events & EPOLLIN);
          if (waiting.rearm) CHECK_EQ(++(*holders)[source], 1);
          worker.step("take");
          u64 got = 0;
          while (sources.take(source)) {
            ++got;
            if (!waiting.drain && worker.random.one_in(2)) break;
          }
          if (waiting.rearm) {
            --(*holders)[source];
            epoll_event event{waiting.events, {.u64 = source}};
            OK(epoll_ctl(mine, EPOLL_CTL_MOD, sources.read_ends[source], &event));
          }
          if (got != 0 && taken->fetch_add(got) + got == total) {
            const u64 one = 1;
            OK(write(done, &one, sizeof one));
          }
        }
      }
    };
    auto produce = [&](Worker& worker) {
      for (u64 i = 0; i < kTokens; ++i) {
        worker.step("put");
        sources.put(worker.random.below(kSources));
        if (worker.random.one_in(8)) sched_yield();
      }
    };
    auto churn = [&](Worker& worker) {
      while (*taken < total) {
        worker.step("add, change and remove other watches");
        int ends[2];
        OK(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
        watch(set, ends[0], EPOLLIN | (worker.random.one_in(2) ? EPOLLET : 0u),
              100 + worker.number);
        if (worker.random.one_in(2)) OK(write(ends[1], "x", 1));
        epoll_event event{EPOLLIN | EPOLLOUT, {.u64 = 100u + worker.number}};
        if (worker.random.one_in(2)) OK(epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event));
        // Half are removed by what closes them.
        if (worker.random.one_in(2)) OK(epoll_ctl(set, EPOLL_CTL_DEL, ends[0], nullptr));
        const int first = worker.random.below(2);
        close(ends[first]);
        close(ends[1 - first]);
      }
    };
    auto body = [&](Worker& worker, int role) {
      if (role < waiters) {
        wait_for_tokens(worker);
      } else if (role < waiters + producers) {
        produce(worker);
      } else {
        churn(worker);
      }
    };
    const int roles = waiters + producers + (waiting.churn ? 1 : 0);
    if (separate_processes) {
      stage.everyone(roles, 1, [&](Worker& worker) { body(worker, worker.number); });
    } else {
      stage.everyone(1, roles, [&](Worker& worker) { body(worker, worker.number); });
    }
    close(done);
    close(outer);
    close(set);
  });
}

}  // namespace

SCENE(epoll_level) { play(stage, {.events = EPOLLIN}, false); }
SCENE(epoll_level_processes) { play(stage, {.events = EPOLLIN}, true); }
SCENE(epoll_edge) { play(stage, {.events = EPOLLIN | EPOLLET, .drain = true}, false); }
SCENE(epoll_edge_processes) {
  play(stage, {.events = EPOLLIN | EPOLLET, .drain = true, .own_sets = true}, true);
}
SCENE(epoll_oneshot) { play(stage, {.events = EPOLLIN | EPOLLONESHOT, .rearm = true}, false); }
SCENE(epoll_exclusive) {
  play(stage, {.events = EPOLLIN | EPOLLEXCLUSIVE, .drain = true, .own_sets = true}, true);
}
SCENE(epoll_nested) { play(stage, {.events = EPOLLIN, .nested = true}, false); }
SCENE(epoll_changes) { play(stage, {.events = EPOLLIN, .churn = true}, false); }

/// A watch is gone when it was removed or its last number was closed: it is not told any more. Each
/// worker has its own files in the set of all.
SCENE(epoll_removed) {
  stage.rounds([&] {
    const int set = OK(epoll_create1(EPOLL_CLOEXEC));
    stage.everyone(1, stage.threads + 1, [&](Worker& worker) {
      for (u64 i = 1; i <= 60; ++i) {
        int ends[2];
        OK(pipe2(ends, O_CLOEXEC));
        const u64 tag = (u64)worker.number << 32 | i;
        worker.step("a watch that is told");
        watch(set, ends[0], EPOLLIN, tag);
        OK(write(ends[1], "x", 1));
        const bool by_close = worker.random.one_in(2);
        auto told = [&] {
          epoll_event events[32];
          const int count = OK(epoll_wait(set, events, 32, 0));
          bool mine = false;
          for (int e = 0; e < count; ++e) {
            const u64 whose = events[e].data.u64 >> 32, which = events[e].data.u64 & 0xffffffff;
            if (whose != (u64)worker.number) continue;
            if (which != i) FAIL("told of a watch that was removed");
            mine = true;
          }
          return mine;
        };
        // Linux: while another thread takes events, one that does not wait may see none.
        auto told_soon = [&] {
          const u64 begin = now_ns();
          while (!told()) {
            if (now_ns() - begin > 10'000'000'000) return false;
          }
          return true;
        };
        CHECK(told_soon());
        if (by_close) {
          const int other = OK(dup(ends[0]));
          close(ends[0]);
          CHECK(told_soon());  // the description is open still
          close(other);
        } else {
          OK(epoll_ctl(set, EPOLL_CTL_DEL, ends[0], nullptr));
        }
        worker.step("a watch that is gone");
        CHECK(!told());
        if (!by_close) close(ends[0]);
        close(ends[1]);
      }
    });
    close(set);
  });
}

/// poll, ppoll and select of the same descriptors by many: whatever comes wakes all that wait.
SCENE(epoll_poll) {
  constexpr int kSteps = 40;
  stage.rounds([&] {
    const int fd = OK(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    Shared<Gate> gate(stage.workers());
    stage.everyone([&](Worker& worker) {
      for (int i = 0; i < kSteps; ++i) {
        u64 word = 1;
        if (worker.number == i % stage.workers()) {
          if (worker.random.one_in(2)) sched_yield();
          worker.step("make it ready");
          OK(write(fd, &word, sizeof word));
        } else {
          worker.step("poll or select");
          if (worker.random.one_in(2)) {
            pollfd wait[2] = {{fd, POLLIN, 0}, {-1, POLLIN, 0}};
            CHECK_EQ(OK(poll(wait, 2, -1)), 1);
            CHECK_EQ(wait[0].revents, POLLIN);
          } else {
            fd_set set;
            FD_ZERO(&set);
            FD_SET(fd, &set);
            CHECK_EQ(OK(select(fd + 1, &set, nullptr, nullptr, nullptr)), 1);
            CHECK(FD_ISSET(fd, &set));
          }
        }
        gate->pass();
        if (worker.number == 0) OK(read(fd, &word, sizeof word));
        gate->pass();
      }
    });
    close(fd);
  });
}
