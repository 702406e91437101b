// Pipes and FIFOs: whole messages, sums of bytes, ends that close.
#include <poll.h>
#include <sys/socket.h>

#include <climits>
#include <deque>

#include "linear.h"
#include "stage.h"

using namespace stress;

namespace {

struct Message {
  u32 size, writer;
  u64 sequence, check;
  unsigned char padding[PIPE_BUF - 24];

  void fill(u32 from, u64 number, u32 total) {
    size = total;
    writer = from;
    sequence = number;
    check = mix(from * 7919ull + number + total);
    memset(padding, (int)check, total - 24);
  }
  bool is_whole() const {
    if (size < 24 || size > PIPE_BUF || check != mix(writer * 7919ull + sequence + size))
      return false;
    for (u32 i = 0; i < size - 24; ++i) {
      if (padding[i] != (unsigned char)check) return false;
    }
    return true;
  }
};
static_assert(sizeof(Message) == PIPE_BUF);

}  // namespace

/// Messages of up to PIPE_BUF bytes by many writers stay whole and in each writer's order.
SCENE(pipes_atomic) {
  constexpr u64 kMessages = 60;
  stage.rounds([&] {
    int pipe[2];
    OK(pipe2(pipe, O_CLOEXEC));
    if (stage.random.one_in(2)) OK(fcntl(pipe[0], F_SETPIPE_SZ, 4096 << stage.random.below(3)));
    const bool nonblocking = stage.random.one_in(3);
    stage.everyone(
        stage.processes + 1, stage.threads,
        [&](Worker& worker) {
          if (worker.process == 0) {
            if (worker.thread != 0) return;
            close(pipe[1]);
            std::vector<u64> next(stage.workers() + stage.threads, 0);
            Message message;
            u64 total = 0;
            while (true) {
              worker.step("read a message");
              const size_t count = read_all(pipe[0], &message, 24);
              if (count == 0) break;
              CHECK_EQ(count, 24u);
              CHECK(message.size >= 24 && message.size <= PIPE_BUF);
              CHECK_EQ(read_all(pipe[0], message.padding, message.size - 24), message.size - 24);
              CHECK(message.is_whole());
              CHECK_EQ(message.sequence, next[message.writer]);
              ++next[message.writer];
              ++total;
            }
            CHECK_EQ(total, kMessages * stage.workers());
            return;
          }
          if (nonblocking && worker.thread == 0) OK(fcntl(pipe[1], F_SETFL, O_NONBLOCK));
          for (u64 i = 0; i < kMessages; ++i) {
            Message message;
            message.fill(worker.number, i, worker.random.between(24, PIPE_BUF));
            worker.step("write a message");
            ssize_t count = -1;
            while (!OK_OR(count = write(pipe[1], &message, message.size), error == EAGAIN)) {
              pollfd wait{pipe[1], POLLOUT, 0};
              OK(poll(&wait, 1, -1));
              sched_yield();  // there may be room for less than this message
            }
            CHECK_EQ(count, (ssize_t)message.size);
          }
        },
        [&] {
          close(pipe[0]);
          close(pipe[1]);
        });
  });
}

/// Many readers: messages of one size that divides the buffer come whole, each to one of them.
SCENE(pipes_readers) {
  constexpr u64 kMessages = 120, kSize = 64;
  struct Slip {
    u64 number, check[7];
  };
  static_assert(sizeof(Slip) == kSize);
  Shared<std::atomic<u8>[64 * kMessages]> times;
  stage.rounds([&] {
    for (auto& count : *times) count = 0;
    int pipe[2];
    OK(pipe2(pipe, O_CLOEXEC));
    const int half = std::max(1, stage.processes / 2);
    stage.everyone(
        half + stage.processes, stage.threads,
        [&](Worker& worker) {
          if (worker.process < half) {
            if (worker.thread != 0) return;
            close(pipe[1]);
            // Threads of their own, once the write end is closed in this process.
            Slip slip;
            while (true) {
              worker.step("read a slip");
              const ssize_t count = OK(read(pipe[0], &slip, kSize));
              if (count == 0) return;
              CHECK_EQ(count, (ssize_t)kSize);
              for (u64 check : slip.check) CHECK_EQ(check, mix(slip.number));
              ++(*times)[slip.number];
            }
          }
          for (u64 i = 0; i < kMessages; ++i) {
            Slip slip;
            slip.number = (worker.number - half * stage.threads) * kMessages + i;
            for (u64& check : slip.check) check = mix(slip.number);
            worker.step("write a slip");
            CHECK_EQ(OK(write(pipe[1], &slip, kSize)), (ssize_t)kSize);
          }
        },
        [&] {
          close(pipe[0]);
          close(pipe[1]);
        });
    for (u64 i = 0; i < kMessages * stage.workers(); ++i) CHECK_EQ((*times)[i].load(), 1);
  });
}

/// The end of a file comes exactly when the last writer has closed, however it goes: by close, by
/// exit, by kill, by exec, and however much it has written.
SCENE(pipes_end) {
  Shared<std::atomic<u64>> written, open_ends;
  stage.rounds([&] {
    int pipe[2];
    OK(pipe2(pipe, 0));
    *written = 0;
    const int writers = stage.processes * 2;
    *open_ends = writers;
    std::vector<pid_t> children;
    std::vector<u64> seeds;
    for (int i = 0; i < writers; ++i) {
      Random random(stage.random.next());
      children.push_back(in_child([&] {
        close(pipe[0]);
        char buffer[3000];
        memset(buffer, i, sizeof buffer);
        for (u64 times = random.below(20); times > 0; --times) {
          const size_t size = random.between(1, sizeof buffer);
          write_all(pipe[1], buffer, size);
          *written += size;
        }
        // A second number for the same end does not matter.
        if (random.one_in(2)) OK(dup(pipe[1]));
        const u64 way = random.below(3);
        --*open_ends;
        if (way == 0) close(pipe[1]);
        if (way == 1) execl("/proc/self/exe", "stress", "--helper", "nothing", nullptr);
        if (way == 2) kill(getpid(), SIGKILL);
      }));
    }
    close(pipe[1]);
    u64 got = 0;
    char buffer[5000];
    while (true) {
      const ssize_t count = OK(read(pipe[0], buffer, stage.random.between(1, sizeof buffer)));
      if (count == 0) break;
      got += count;
    }
    CHECK_EQ(open_ends->load(), 0u);
    CHECK_EQ(got, written->load());
    close(pipe[0]);
    for (pid_t child : children) {
      int status;
      OK(waitpid(child, &status, 0));
      CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    }
  });
}

HELPER(nothing) { return 0; }

/// Writers get SIGPIPE and EPIPE once the last reader has gone, none before, and none hangs.
SCENE(pipes_broken) {
  stage.rounds([&] {
    int pipe[2];
    OK(pipe2(pipe, O_CLOEXEC));
    Shared<std::atomic<bool>> readers_leave(false);
    const int readers = 2;
    std::vector<pid_t> children;
    for (int i = 0; i < readers; ++i) {
      const u64 reads = stage.random.below(60);
      children.push_back(in_child([&] {
        close(pipe[1]);
        char buffer[100];
        for (u64 n = 0; n < reads; ++n) OK(read(pipe[0], buffer, sizeof buffer));
        *readers_leave = true;
      }));
    }
    for (int i = 0; i < stage.processes; ++i) {
      children.push_back(in_child([&] {
        signal(SIGPIPE, SIG_IGN);
        close(pipe[0]);
        char buffer[700] = {};
        while (OK_OR(write(pipe[1], buffer, sizeof buffer), error == EPIPE)) {
        }
        CHECK(*readers_leave);
      }));
    }
    // One is killed by the signal, as is usual.
    const pid_t killed = in_child([&] {
      close(pipe[0]);
      char buffer[100] = {};
      while (true) OK(write(pipe[1], buffer, sizeof buffer));
    });
    close(pipe[0]);
    close(pipe[1]);
    for (pid_t child : children) REAP(child, 0);
    int status;
    OK(waitpid(killed, &status, 0));
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
  });
}

namespace {

/// A queue of words, as pipes and sockets of messages are.
struct Queue {
  struct Operation {
    bool write;
    int value;  // written or read; 0 if there was nothing
  };
  struct State {
    u8 begin = 0, end = 0;
    unsigned short values[94] = {};
  };
  static Action act(State& state, const Operation& operation, int, u64&) {
    if (operation.write) {
      state.values[state.end++] = operation.value;
      return Action::kDone;
    }
    if (state.begin == state.end) return operation.value == 0 ? Action::kDone : Action::kImpossible;
    if (state.values[state.begin] != operation.value) return Action::kImpossible;
    state.values[state.begin++] = 0;
    return Action::kDone;
  }
  static std::string describe(const Operation& operation) {
    return (operation.write ? "write " : "read ") + std::to_string(operation.value);
  }
};

/// One operation, alone: it happens between its ticks and nothing else does.
void append(History<Queue>& history, bool write, int value) {
  history.record(Worker{0, 0, 0, Random(0)}, {write, value}, [](Queue::Operation&) {});
}

void play_queue(Stage& stage, const std::function<void(int*)>& make) {
  const int processes = 2, threads = 2;
  Shared<History<Queue>> history;
  Shared<Gate> gate(processes * threads);
  stage.rounds([&] {
    int ends[2];
    make(ends);
    for (int fd : ends) OK(fcntl(fd, F_SETFL, OK(fcntl(fd, F_GETFL)) | O_NONBLOCK));
    stage.everyone(processes, threads, [&](Worker& worker) {
      gate->pass();
      for (int i = 0; i < 20; ++i) {
        Queue::Operation operation{worker.random.one_in(2), 0};
        if (operation.write) operation.value = worker.number * 100 + i + 1;
        worker.step("a recorded transfer");
        history->record(worker, operation, [&](Queue::Operation& recorded) {
          if (recorded.write) {
            CHECK_EQ(OK(write(ends[1], &recorded.value, sizeof recorded.value)), 4);
          } else if (OK_OR(read(ends[0], &recorded.value, sizeof recorded.value),
                           error == EAGAIN)) {
            CHECK(recorded.value != 0);
          }
        });
      }
    });
    history->check({});
    for (int fd : ends) close(fd);
  });
}

}  // namespace

/// The checker of histories itself: it tells a queue from what is none.
SCENE(history_checker) {
  Shared<History<Queue>> right, lost, turned;
  for (History<Queue>* history : {&*right, &*lost, &*turned}) {
    append(*history, false, 0);
    append(*history, true, 1);
    append(*history, true, 2);
  }
  append(*right, false, 1);
  append(*right, false, 2);
  append(*lost, false, 1);
  append(*lost, false, 0);
  append(*turned, false, 2);
  append(*turned, false, 1);
  CHECK(right->is_explained({}));
  CHECK(!lost->is_explained({}));
  CHECK(!turned->is_explained({}));
  // Two that overlap may be told either way.
  Shared<History<Queue>> overlapping;
  overlapping->record(Worker{0, 0, 0, Random(0)}, {true, 1},
                      [&](Queue::Operation&) { append(*overlapping, true, 2); });
  append(*overlapping, false, 1);
  append(*overlapping, false, 2);
  CHECK(overlapping->is_explained({}));
}

/// What goes through a pipe, or a pair of sockets, can be told as if it had been done in turn.
SCENE(pipes_history) {
  play_queue(stage, [&](int* ends) {
    switch (stage.random.below(3)) {
      case 0:
        OK(pipe(ends));
        break;
      case 1:
        OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
        break;
      case 2:
        OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
        break;
    }
  });
}

/// Opening a FIFO waits for the other side, and both sides always meet.
SCENE(pipes_fifo) {
  constexpr int kMeetings = 25;
  stage.rounds([&] {
    for (int i = 0; i < stage.processes; ++i) {
      OK(mkfifo(("pair" + std::to_string(i)).c_str(), 0600));
    }
    OK(mkfifo("many", 0600));
    std::deque<Shared<Gate>> met;
    for (int i = 0; i < stage.processes; ++i) met.emplace_back(2);
    // Two threads of each process meet at a FIFO of their own, a third joins the crowd at one.
    stage.everyone(stage.processes, 3, [&](Worker& worker) {
      const std::string name = "pair" + std::to_string(worker.process);
      for (int i = 0; i < kMeetings; ++i) {
        u64 word = worker.process * 1000 + i;
        if (worker.thread == 0) {
          worker.step("open to write");
          const int fd = OK(open(name.c_str(), O_WRONLY | O_CLOEXEC));
          write_all(fd, &word, sizeof word);
          close(fd);
          met[worker.process]->pass();
        } else if (worker.thread == 1) {
          worker.step("open to read");
          const int fd = OK(open(name.c_str(), O_RDONLY | O_CLOEXEC));
          u64 got = 0;
          worker.step("read");
          CHECK_EQ(read_all(fd, &got, sizeof got), sizeof got);
          CHECK_EQ(got, word);
          CHECK_EQ(read_all(fd, &got, sizeof got), 0u);
          close(fd);
          // The writer's next opening must not find this reader.
          met[worker.process]->pass();
        } else if (worker.process == 0) {
          worker.step("open to read of many");
          const int fd = OK(open("many", O_RDONLY | O_CLOEXEC));
          const u64 wanted = (u64)(stage.processes - 1) * kMeetings;
          for (u64 n = 0; n < wanted;) {
            const ssize_t count = OK(read(fd, &word, sizeof word));
            if (count == 0) {  // for the moment nobody writes
              sched_yield();
              continue;
            }
            CHECK_EQ(count, (ssize_t)sizeof word);
            ++n;
          }
          close(fd);
          return;
        } else {
          worker.step("open to write, one of many");
          const int fd = OK(open("many", O_WRONLY | O_CLOEXEC));
          CHECK_EQ(OK(write(fd, &word, sizeof word)), (ssize_t)sizeof word);
          close(fd);
        }
      }
    });
    for (int i = 0; i < stage.processes; ++i) OK(unlink(("pair" + std::to_string(i)).c_str()));
    OK(unlink("many"));
  });
}

/// Bytes that splice and tee carry from pipe to pipe arrive all, in order, once.
SCENE(pipes_splice) {
  constexpr u64 kBytes = 200'000;
  stage.rounds([&] {
    int first[2], second[2], copy[2];
    for (int* ends : {first, second, copy}) OK(pipe2(ends, O_CLOEXEC));
    auto pattern = [](u64 at) { return (unsigned char)(at * 31 + (at >> 8)); };
    auto drain = [&](int fd) {
      std::vector<unsigned char> buffer(9000);
      u64 at = 0;
      while (true) {
        const ssize_t count = OK(read(fd, buffer.data(), buffer.size()));
        if (count == 0) break;
        for (ssize_t i = 0; i < count; ++i) CHECK_EQ(buffer[i], pattern(at + i));
        at += count;
      }
      CHECK_EQ(at, kBytes);
    };
    stage.everyone(
        4, 1,
        [&](Worker& worker) {
          auto keep = [&](std::initializer_list<int> wanted) {
            for (int* ends : {first, second, copy}) {
              for (int i = 0; i < 2; ++i) {
                bool found = false;
                for (int fd : wanted) found |= fd == ends[i];
                if (!found) close(ends[i]);
              }
            }
          };
          if (worker.number == 0) {
            keep({first[1]});
            std::vector<unsigned char> buffer(7000);
            for (u64 at = 0; at < kBytes;) {
              const u64 size = std::min<u64>(worker.random.between(1, buffer.size()), kBytes - at);
              for (u64 i = 0; i < size; ++i) buffer[i] = pattern(at + i);
              worker.step("write");
              write_all(first[1], buffer.data(), size);
              at += size;
            }
          } else if (worker.number == 1) {
            keep({first[0], second[1], copy[1]});
            while (true) {
              worker.step("tee");
              const ssize_t teed = OK(tee(first[0], copy[1], worker.random.between(1, 20000), 0));
              if (teed == 0) break;
              for (ssize_t moved = 0; moved < teed;) {
                worker.step("splice");
                moved += OK(splice(first[0], nullptr, second[1], nullptr, teed - moved, 0));
              }
            }
          } else if (worker.number == 2) {
            keep({second[0]});
            worker.step("drain the second");
            drain(second[0]);
          } else {
            keep({copy[0]});
            worker.step("drain the copy");
            drain(copy[0]);
          }
        },
        [&] {
          for (int* ends : {first, second, copy}) {
            close(ends[0]);
            close(ends[1]);
          }
        });
  });
}
