// Processes: made, waited for, replaced, killed in groups, left behind.
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>

#include "stage.h"

using namespace stress;

namespace {

constexpr int kMostChildren = 4096;

/// Ends in a way that `code` chooses; its wait status is then `status_of(code)`.
[[noreturn]] void end_as(int code) {
  if (code % 4 == 3) {
    const int signals[] = {SIGKILL, SIGTERM, SIGUSR1, SIGALRM};
    const int chosen = signals[code / 4 % 4];
    signal(chosen, SIG_DFL);
    kill(getpid(), chosen);
    while (true) pause();
  }
  _exit(code);
}

bool is_status_of(int code, int status) {
  if (code % 4 == 3) {
    const int signals[] = {SIGKILL, SIGTERM, SIGUSR1, SIGALRM};
    return WIFSIGNALED(status) && WTERMSIG(status) == signals[code / 4 % 4];
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

}  // namespace

/// Threads fork and wait for whichever child comes: each is reaped exactly once, with its status.
SCENE(processes_reap) {
  struct Children {
    std::atomic<u32> count;
    struct Child {
      std::atomic<pid_t> pid;
      std::atomic<int> code, reaped;
    } all[kMostChildren];
  };
  stage.rounds([&] {
    stage.everyone(stage.processes, stage.threads, [&](Worker& worker) {
      static Children children;
      static std::atomic<int> reaped;
      static Gate gate(stage.threads);
      constexpr int kEach = 25;
      const int total = kEach * stage.threads;
      gate.pass();
      int own = 0;
      while (own < kEach || reaped < total) {
        if (own < kEach && worker.random.one_in(2)) {
          worker.step("fork");
          const int code = worker.random.below(120);
          const u32 index = children.count++;
          children.all[index].code = code;
          const pid_t pid = OK(fork());
          if (pid == 0) end_as(code);
          children.all[index].pid = pid;
          ++own;
          continue;
        }
        worker.step("wait for any");
        int status = 0;
        pid_t pid;
        // Who waits may find that the others have reaped all there are for the moment.
        if (!OK_OR(pid = waitpid(-1, &status, worker.random.one_in(3) ? WNOHANG : 0),
                   error == ECHILD)) {
          sched_yield();
          continue;
        }
        if (pid == 0) continue;
        ++reaped;
        // The parent writes the number down after the child may have ended.
        Children::Child* child = nullptr;
        while (!child) {
          for (u32 i = 0; i < children.count; ++i) {
            if (children.all[i].pid == pid && children.all[i].reaped == 0) child = &children.all[i];
          }
          if (!child) sched_yield();
        }
        CHECK_EQ(++child->reaped, 1);
        if (!is_status_of(child->code, status)) FAIL("status: " + describe_status(status));
      }
      gate.pass();
      int status;
      CHECK_EQ(waitpid(-1, &status, 0), -1);
      CHECK_EQ(errno, ECHILD);
    });
  });
}

/// WNOWAIT leaves the child to be reaped: many look, one reaps.
SCENE(processes_look) {
  stage.rounds([&] {
    stage.everyone(stage.processes, stage.threads + 1, [&](Worker& worker) {
      static std::atomic<pid_t> child;
      static std::atomic<int> reaped;
      static Gate gate(stage.threads + 1);
      for (int i = 0; i < 25; ++i) {
        const int code = mix(worker.process * 1000 + i) % 100;
        if (worker.thread == 0) {
          reaped = 0;
          child = in_child([&] { _exit(code); });
        }
        gate.pass();
        siginfo_t info{};
        worker.step("look");
        if (OK_OR(waitid(P_PID, child, &info, WEXITED | WNOWAIT), error == ECHILD)) {
          CHECK_EQ(info.si_pid, child.load());
          CHECK_EQ(info.si_status, code);
          CHECK_EQ(info.si_code, CLD_EXITED);
        }
        worker.step("reap");
        siginfo_t again{};
        if (OK_OR(waitid(P_PID, child, &again, WEXITED), error == ECHILD)) {
          CHECK_EQ(again.si_status, code);
          ++reaped;
        }
        gate.pass();
        CHECK_EQ(reaped.load(), 1);
        gate.pass();
      }
    });
  });
}

/// Exec of one thread against exit_group and exec of others: one of them decides, and what runs
/// then is alone in its process.
SCENE(processes_exec) {
  stage.rounds([&] {
    for (int i = 0; i < 6; ++i) {
      const int threads = 2 + stage.random.below(4);
      const bool one_exits = stage.random.one_in(2);
      const u64 seed = stage.random.next();
      const pid_t child = in_child([&] {
        alarm(60);
        static std::atomic<int> ready;
        static int wanted;
        wanted = threads;
        struct Job {
          int number;
          bool exits;
          u64 seed;
        };
        std::vector<Job> jobs;
        for (int n = 0; n < threads; ++n) jobs.push_back({n, one_exits && n == 1, mix(seed + n)});
        auto run = [](void* argument) -> void* {
          const Job& job = *(Job*)argument;
          ++ready;
          while (ready < wanted) sched_yield();
          for (u64 n = job.seed % 500; n > 0; --n) (void)syscall(SYS_getppid);
          if (job.exits) _exit(50);
          const std::string code = std::to_string(60 + job.number);
          execl("/proc/self/exe", "stress", "--helper", "alone", code.c_str(), nullptr);
          _exit(1);
        };
        for (size_t n = 1; n < jobs.size(); ++n) {
          pthread_t thread;
          if (pthread_create(&thread, nullptr, run, &jobs[n]) != 0) _exit(2);
        }
        run(&jobs[0]);
      });
      int status;
      OK(waitpid(child, &status, 0));
      CHECK(WIFEXITED(status));
      const int code = WEXITSTATUS(status);
      if (code == 50) {
        CHECK(one_exits);
      } else {
        if (code < 60 || code >= 60 + threads) FAIL(describe_status(status));
      }
    }
  });
}

/// The process has one thread, which has the process's id.
HELPER(alone) {
  if (syscall(SYS_gettid) != getpid()) return 3;
  std::string path = "/proc/self/task/" + std::to_string(getpid());
  if (access(path.c_str(), F_OK) != 0) return 4;
  struct stat status;
  if (stat("/proc/self/task", &status) != 0) return 5;
  if (status.st_nlink != 3) return 6;
  return std::stoi(arguments.at(0));
}

/// A parent goes on after vfork when its child has executed or ended, and sees what the child
/// wrote.
SCENE(processes_vfork) {
  stage.rounds([&] {
    stage.everyone(stage.processes, stage.threads, [&](Worker& worker) {
      for (int i = 0; i < 12; ++i) {
        volatile int written = 0;
        worker.step("vfork");
        const bool executes = worker.random.one_in(2);
        const std::string code = std::to_string(10 + worker.thread);
        const char* arguments[] = {"stress", "--helper", "ends_with", code.c_str(), nullptr};
        const pid_t pid = vfork();
        if (pid == 0) {
          written = 1;
          if (executes) execv("/proc/self/exe", (char* const*)arguments);
          _exit(10 + worker.thread);
        }
        OK(pid);
        CHECK_EQ(written, 1);
        worker.step("wait for what was vforked");
        REAP(pid, 10 + worker.thread);
      }
    });
  });
}

HELPER(ends_with) { return std::stoi(arguments.at(0)); }

/// A group that is killed while its members fork: none escapes. All hold the end of a pipe.
SCENE(processes_group) {
  stage.rounds([&] {
    int pipe[2];
    OK(pipe2(pipe, O_CLOEXEC));
    Shared<std::atomic<u64>> beats(0);
    Shared<std::atomic<bool>> leader_ready(false);
    const u64 seed = stage.random.next();
    const pid_t leader = in_child([&] {
      OK(setpgid(0, 0));
      close(pipe[0]);
      *leader_ready = true;
      // Each member forks one after the other and waits for it, so that the group is small but
      // always in the middle of a fork.
      Random random(seed);
      const int lines = 2 + random.below(3);
      for (int i = 1; i < lines; ++i) {
        if (OK(fork()) == 0) break;
      }
      // Not for ever, if the scene should fail: kill() of its group does not reach this one.
      while (*beats < 100'000) {
        ++*beats;
        const pid_t child = fork();
        if (child == 0) {
          if (random.one_in(3)) continue;  // the child takes over, and its parent waits
          _exit(0);
        }
        if (child != -1) waitpid(child, nullptr, 0);
      }
    });
    close(pipe[1]);
    while (!*leader_ready || *beats < 20) sched_yield();
    const int signal = stage.random.one_in(2) ? SIGKILL : SIGTERM;
    OK(kill(-leader, signal));
    char byte;
    CHECK_EQ(OK(read(pipe[0], &byte, 1)), 0);
    const u64 at_end = *beats;
    int status;
    OK(waitpid(leader, &status, 0));
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    // The rest are orphans, which the director inherits.
    while (waitpid(-1, &status, 0) > 0) {
    }
    CHECK_EQ(kill(-leader, 0), -1);
    CHECK_EQ(errno, ESRCH);
    CHECK_EQ(beats->load(), at_end);
    close(pipe[0]);
  });
}

/// Orphans go to whoever adopts them, at once, and are reaped there with their status.
SCENE(processes_orphans) {
  stage.rounds([&] {
    constexpr int kOrphans = 8;
    const pid_t adopter = getpid();
    int pipe[2];
    OK(pipe2(pipe, O_CLOEXEC));
    std::vector<pid_t> parents;
    for (int i = 0; i < stage.processes; ++i) {
      const u64 seed = stage.random.next();
      parents.push_back(in_child([&] {
        Random random(seed);
        for (int n = 0; n < kOrphans; ++n) {
          const int code = random.below(120);
          const bool waits = random.one_in(2);
          const pid_t parent = getpid();
          const pid_t child = OK(fork());
          if (child == 0) {
            if (waits) {
              while (getppid() == parent) sched_yield();
              CHECK_EQ(getppid(), adopter);
            }
            const int note[2] = {getpid(), code};
            if (write(pipe[1], note, sizeof note) != sizeof note) _exit(121);
            end_as(code);
          }
        }
        if (random.one_in(2)) sched_yield();
      }));
    }
    close(pipe[1]);
    const size_t total = parents.size() * kOrphans;
    std::vector<std::pair<int, int>> codes, statuses;
    int note[2];
    while (read_all(pipe[0], note, sizeof note) == sizeof note) codes.push_back({note[0], note[1]});
    close(pipe[0]);
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, 0)) > 0;) {
      if (std::find(parents.begin(), parents.end(), pid) != parents.end()) {
        CHECK_EQ(status, 0);
      } else {
        statuses.push_back({pid, status});
      }
    }
    CHECK_EQ(errno, ECHILD);
    CHECK_EQ(codes.size(), total);
    std::sort(codes.begin(), codes.end());
    std::sort(statuses.begin(), statuses.end());
    // Those that ended before their parents are reaped by nobody: they go to the adopter as well.
    CHECK_EQ(statuses.size(), total);
    for (size_t i = 0; i < total; ++i) {
      CHECK_EQ(statuses[i].first, codes[i].first);
      if (!is_status_of(codes[i].second, statuses[i].second))
        FAIL(describe_status(statuses[i].second));
    }
  });
}

/// Stops and continues: each child is seen stopped and continued as often as it was told to.
SCENE(processes_stop) {
  stage.rounds([&] {
    stage.everyone(stage.processes, 1, [&](Worker& worker) {
      Shared<std::atomic<u64>> beats(0);
      const pid_t child = in_child([&] {
        while (true) ++*beats;
      });
      for (int i = 0; i < 12; ++i) {
        int status = 0;
        worker.step("stop");
        OK(kill(child, SIGSTOP));
        CHECK_EQ(OK(waitpid(child, &status, WUNTRACED)), child);
        CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
        const u64 stopped_at = *beats;
        sched_yield();
        CHECK_EQ(beats->load(), stopped_at);
        worker.step("continue");
        OK(kill(child, SIGCONT));
        CHECK_EQ(OK(waitpid(child, &status, WCONTINUED)), child);
        CHECK(WIFCONTINUED(status));
        while (*beats == stopped_at) sched_yield();
      }
      const bool stopped = worker.random.one_in(2);
      if (stopped) OK(kill(child, SIGSTOP));
      worker.step("kill");
      OK(kill(child, SIGKILL));
      int status = 0;
      CHECK_EQ(OK(waitpid(child, &status, 0)), child);
      CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    });
  });
}

/// Exits under fire: a process whose threads run, wait and fork is killed, and leaves nothing.
SCENE(processes_kill) {
  stage.rounds([&] {
    for (int i = 0; i < 6; ++i) {
      int pipe[2], idle[2];
      OK(pipe2(pipe, O_CLOEXEC));
      OK(pipe2(idle, O_CLOEXEC));
      Shared<std::atomic<int>> ready(0);
      const int threads = stage.threads + 2;
      const pid_t victim = in_child([&] {
        close(pipe[0]);
        stage.own_threads(threads, [&](Worker& worker) {
          ++*ready;
          char byte;
          while (true) {
            switch (worker.thread % 4) {
              case 0:
                OK(syscall(SYS_getppid));
                break;
              case 1:
                OK_OR(read(idle[0], &byte, 1), error == EINTR);
                break;
              case 2: {
                const pid_t child = OK(fork());
                if (child == 0) _exit(0);
                REAP(child, 0);
                break;
              }
              case 3: {
                void* memory = mmap(nullptr, 40960, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (memory == MAP_FAILED) break;
                memset(memory, 1, 40960);
                OK(munmap(memory, 40960));
                break;
              }
            }
          }
        });
      });
      close(pipe[1]);
      while (*ready < threads) sched_yield();
      for (u64 n = stage.random.below(2000); n > 0; --n) (void)syscall(SYS_getppid);
      OK(kill(victim, SIGKILL));
      int status;
      CHECK_EQ(OK(waitpid(victim, &status, 0)), victim);
      CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
      char byte;
      CHECK_EQ(OK(read(pipe[0], &byte, 1)), 0);
      while (waitpid(-1, &status, WNOHANG) > 0) {
      }
      close(pipe[0]);
      close(idle[0]);
      close(idle[1]);
    }
    int status;
    while (waitpid(-1, &status, 0) > 0) {
    }
  });
}
